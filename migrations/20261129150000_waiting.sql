-- Requests wait for endpoints that are away. A new state is allowed where states are checked: the rows
-- stay as they are, so that only the text of the table changes
-- (https://sqlite.org/lang_altertable.html, "Making Other Kinds Of Table Schema Changes").
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = replace(replace(replace(sql,
    '''dispatching'', ''settled''', '''dispatching'', ''waiting'', ''settled'''),
    '(state IN (''approved'', ''dispatching'')) = (use_by',
    '(state IN (''approved'', ''dispatching'', ''waiting'')) = (use_by'),
    '(state IN (''pending'', ''approved'', ''dispatching'')) = (ended_at',
    '(state IN (''pending'', ''approved'', ''dispatching'', ''waiting'')) = (ended_at')
WHERE type = 'table' AND name = 'request';
PRAGMA writable_schema = RESET;

-- For how long after it was asked endpoints that are away are waited for; null where they are not.
ALTER TABLE request ADD COLUMN wait_seconds INTEGER CHECK (wait_seconds > 0);
-- Of a child, which waits for one endpoint: the request that people approved it with.
ALTER TABLE request ADD COLUMN parent TEXT REFERENCES request (id);
ALTER TABLE request ADD COLUMN parent_digest TEXT;
-- Whether the endpoint was away when it was asked for.
ALTER TABLE request_endpoint ADD COLUMN away INTEGER NOT NULL DEFAULT 0;
CREATE INDEX request_by_parent ON request (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX request_that_waits ON request (manager, use_by, id) WHERE state = 'waiting';
CREATE INDEX request_asked_that_waits ON request (agent_id, ask_digest) WHERE state = 'waiting';
