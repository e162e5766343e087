-- Tokens of people and services for the API. SHA-256 without salt or repetition: a token is 256 random
-- bits, which nobody tries through. One that was revoked stays, and opens nothing any more.
CREATE TABLE api_token (
    id         TEXT NOT NULL PRIMARY KEY,
    -- Whose role decides what it opens.
    person_id  TEXT NOT NULL REFERENCES person (id),
    name       TEXT NOT NULL,
    -- 1: a service acts with it, in its own name.
    service    INTEGER NOT NULL,
    token_hash TEXT NOT NULL UNIQUE,
    -- JSON: lists of texts.
    scopes     TEXT NOT NULL,
    networks   TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    -- To the minute.
    used_at    INTEGER,
    used_from  TEXT,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_token_of_person ON api_token (person_id, created_at) WHERE revoked_at IS NULL;
