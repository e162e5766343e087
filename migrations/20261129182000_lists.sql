-- Who looks after what waits for people, who wants to see it later, and the views that people keep.
CREATE TABLE request_assignee (
    request_id TEXT NOT NULL PRIMARY KEY REFERENCES request (id),
    person_id  TEXT NOT NULL REFERENCES person (id),
    at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE request_snooze (
    person_id  TEXT NOT NULL REFERENCES person (id),
    request_id TEXT NOT NULL REFERENCES request (id),
    until      INTEGER NOT NULL,
    PRIMARY KEY (person_id, request_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE saved_view (
    person_id TEXT NOT NULL REFERENCES person (id),
    name      TEXT NOT NULL,
    -- The address of the list, with its filter.
    address   TEXT NOT NULL,
    saved_at  INTEGER NOT NULL,
    PRIMARY KEY (person_id, name)
) STRICT, WITHOUT ROWID;
