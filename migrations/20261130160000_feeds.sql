-- How far each feed has come: the place of the last audit entry that its receiver has.
CREATE TABLE feed (
    name TEXT NOT NULL PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
