-- The files of the active policy set. A start goes on with them, whatever the folder holds by then.

CREATE TABLE active_policy_file (
    -- Below the folder, such as tests/run.json.
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT;
