-- Entries of the catalogue that were ever active, so that what was asked for with one stays readable.
CREATE TABLE action_entry (
    hash TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    source TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- The entry that a request was asked with; none where it is built in.
ALTER TABLE request ADD COLUMN action_entry TEXT REFERENCES action_entry (hash);
