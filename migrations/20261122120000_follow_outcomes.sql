-- What is learnt after a call: traces of the endpoints, the end of a response, what took it back.

ALTER TABLE request ADD COLUMN undoes TEXT REFERENCES request (id);
ALTER TABLE request ADD COLUMN asker_id TEXT REFERENCES person (id);
ALTER TABLE request ADD COLUMN asker_name TEXT;
ALTER TABLE request ADD COLUMN asker_role TEXT;
CREATE INDEX request_by_undone ON request (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX request_waiting ON request (manager, asked_at) WHERE state IN ('approved', 'dispatching');

-- SQLite changes no CHECK in place.
CREATE TABLE request_endpoint_now (
    request_id      TEXT NOT NULL REFERENCES request (id),
    endpoint_id     TEXT NOT NULL,
    name            TEXT NOT NULL,
    date_added      TEXT NOT NULL,
    platform        TEXT NOT NULL,
    endpoint_groups TEXT NOT NULL,
    address         TEXT,
    criticality     INTEGER CHECK (criticality BETWEEN 1 AND 5),
    command         TEXT,
    skip_code       TEXT,
    skip_detail     TEXT,
    attempt_id      TEXT,
    outcome         TEXT CHECK (outcome IN ('sent', 'refused', 'not_sent', 'unknown', 'confirmed',
                        'unconfirmed', 'ended', 'reverted')),
    outcome_code    INTEGER,
    outcome_detail  TEXT,
    outcome_at      INTEGER,
    evidence        TEXT,
    reverted_by     TEXT REFERENCES request (id),
    since           INTEGER,
    doubt           TEXT,
    watch_until     INTEGER,
    PRIMARY KEY (request_id, endpoint_id),
    CHECK ((command IS NULL) = (skip_code IS NOT NULL)),
    CHECK (skip_code IS NULL OR outcome IS NULL),
    CHECK ((outcome IS NULL) = (outcome_at IS NULL)),
    CHECK ((reverted_by IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'reverted'))
) STRICT;
INSERT INTO request_endpoint_now (request_id, endpoint_id, name, date_added, platform,
    endpoint_groups, address, criticality, command, skip_code, skip_detail, attempt_id, outcome,
    outcome_code, outcome_detail, outcome_at, since)
SELECT request_id, endpoint_id, name, date_added, platform, endpoint_groups, address, criticality,
    command, skip_code, skip_detail, attempt_id, outcome, outcome_code, outcome_detail, outcome_at,
    CASE WHEN outcome IN ('sent', 'unknown') THEN outcome_at END
FROM request_endpoint;
DROP TABLE request_endpoint;
ALTER TABLE request_endpoint_now RENAME TO request_endpoint;
CREATE INDEX request_endpoint_by_endpoint ON request_endpoint (endpoint_id);
CREATE INDEX request_endpoint_by_outcome ON request_endpoint (outcome, outcome_at);
CREATE INDEX request_endpoint_watched ON request_endpoint (watch_until)
    WHERE watch_until IS NOT NULL;
