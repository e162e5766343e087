-- The key that signs what a browser is given when somebody signed in with it.

CREATE TABLE browser_key (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    -- 64 hexadecimal digits
    key TEXT NOT NULL
) STRICT;
