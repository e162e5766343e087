-- The passkeys of people (Web Authentication). Bytes are in base64url, as browsers write them. One
-- that was removed stays, and proves nothing any more.
CREATE TABLE passkey (
    id            TEXT NOT NULL PRIMARY KEY,
    person_id     TEXT NOT NULL REFERENCES person (id),
    -- The person's own name for it.
    name          TEXT NOT NULL,
    -- The authenticator's name for it.
    credential    TEXT NOT NULL UNIQUE,
    public_key    TEXT NOT NULL,
    -- How often it was used; 0 where it does not count.
    counter       INTEGER NOT NULL,
    model         TEXT NOT NULL,
    may_be_copied INTEGER NOT NULL,
    added_at      INTEGER NOT NULL,
    used_at       INTEGER,
    removed_at    INTEGER
) STRICT;
CREATE INDEX passkey_of_person ON passkey (person_id, added_at) WHERE removed_at IS NULL;
