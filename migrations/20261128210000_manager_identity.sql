-- Which installation each name of a manager stood for, and since when it is another one than before.

CREATE TABLE manager_identity (
    name TEXT PRIMARY KEY,
    identity TEXT NOT NULL,
    changed_at INTEGER
) STRICT;
