-- Whose password alone does not sign in.
CREATE TABLE second_factor (
    person_id TEXT NOT NULL PRIMARY KEY REFERENCES person (id),
    since     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- What stands in for a passkey there, once: a code that was used is deleted. SHA-256 without salt or
-- repetition: a code is 96 random bits, which nobody tries through.
CREATE TABLE recovery_code (
    person_id TEXT NOT NULL REFERENCES second_factor (person_id),
    hash      TEXT NOT NULL,
    PRIMARY KEY (person_id, hash)
) STRICT, WITHOUT ROWID;
