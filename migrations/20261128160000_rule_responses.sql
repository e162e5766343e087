-- What endpoints did without a request of ours: responses of the manager's own rules. A day of them.

CREATE TABLE rule_response (
    manager TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    argument TEXT NOT NULL,
    script TEXT NOT NULL,
    since INTEGER NOT NULL,
    ended_at INTEGER,
    -- The newest alert about it, by the manager's clock: it is not counted twice.
    manager_time INTEGER NOT NULL,
    PRIMARY KEY (manager, endpoint_id, action, argument, script)
) STRICT;

-- Up to where the alerts of a manager were read.
CREATE TABLE rule_responses_read (
    manager TEXT PRIMARY KEY NOT NULL,
    until INTEGER NOT NULL
) STRICT;
