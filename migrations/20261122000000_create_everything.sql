-- Times are microseconds since the Unix epoch, UTC. Digests and hashes are 64 hexadecimal digits.

CREATE TABLE person (
    id                   TEXT PRIMARY KEY,
    name                 TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 32),
    role                 TEXT NOT NULL CHECK (role IN ('analyst', 'senior', 'lead', 'auditor', 'admin')),
    password_hash        TEXT NOT NULL,
    must_change_password INTEGER NOT NULL CHECK (must_change_password IN (0, 1)),
    disabled_at          INTEGER,
    created_at           INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    token_hash       TEXT PRIMARY KEY,
    person_id        TEXT NOT NULL REFERENCES person (id),
    created_at       INTEGER NOT NULL,
    seen_at          INTEGER NOT NULL,
    authenticated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sign_in_failure (
    name TEXT NOT NULL,
    at   INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_failure_by_name ON sign_in_failure (name, at);

CREATE TABLE agent (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 32),
    owner_id   TEXT NOT NULL REFERENCES person (id),
    issuer_id  TEXT REFERENCES person (id),
    token_hash TEXT NOT NULL UNIQUE,
    revoked_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE request (
    id               TEXT PRIMARY KEY,
    version          INTEGER NOT NULL CHECK (version >= 1),
    agent_id         TEXT NOT NULL REFERENCES agent (id),
    agent_name       TEXT NOT NULL,
    owner_id         TEXT NOT NULL REFERENCES person (id),
    issuer_id        TEXT REFERENCES person (id),
    action           TEXT NOT NULL,
    argument         TEXT NOT NULL,
    term_seconds     INTEGER CHECK (term_seconds > 0),
    reason           TEXT NOT NULL,
    alert_id         TEXT,
    confidence       INTEGER CHECK (confidence BETWEEN 0 AND 100),
    fleet_wide       INTEGER NOT NULL CHECK (fleet_wide IN (0, 1)),
    manager          TEXT NOT NULL,
    alert            TEXT NOT NULL,
    digest           TEXT NOT NULL,
    proposal_digest  TEXT NOT NULL,
    idempotency_key  TEXT,
    asked_at         INTEGER NOT NULL,
    deadline         INTEGER NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'dispatching', 'settled',
                         'denied', 'rejected', 'cancelled', 'expired', 'withdrawn')),
    use_by           INTEGER,
    ended_at         INTEGER,
    ended_by         TEXT,
    ended_reason     TEXT,
    decision         TEXT NOT NULL,
    held_because     TEXT,
    CHECK ((state IN ('approved', 'dispatching')) = (use_by IS NOT NULL)),
    CHECK ((state IN ('pending', 'approved', 'dispatching')) = (ended_at IS NULL))
) STRICT;
CREATE UNIQUE INDEX request_by_key ON request (agent_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX request_open ON request (state, asked_at)
    WHERE state IN ('pending', 'approved', 'dispatching');
CREATE INDEX request_by_agent ON request (agent_id, asked_at);
CREATE INDEX request_by_target ON request (action, argument);

CREATE TABLE request_endpoint (
    request_id     TEXT NOT NULL REFERENCES request (id),
    endpoint_id    TEXT NOT NULL,
    name           TEXT NOT NULL,
    date_added     TEXT NOT NULL,
    platform       TEXT NOT NULL,
    endpoint_groups TEXT NOT NULL,
    address        TEXT,
    criticality    INTEGER CHECK (criticality BETWEEN 1 AND 5),
    command        TEXT,
    skip_code      TEXT,
    skip_detail    TEXT,
    attempt_id     TEXT,
    outcome        TEXT CHECK (outcome IN ('sent', 'refused', 'not_sent', 'unknown')),
    outcome_code   INTEGER,
    outcome_detail TEXT,
    outcome_at     INTEGER,
    PRIMARY KEY (request_id, endpoint_id),
    CHECK ((command IS NULL) = (skip_code IS NOT NULL)),
    CHECK (skip_code IS NULL OR outcome IS NULL),
    CHECK ((outcome IS NULL) = (outcome_at IS NULL))
) STRICT;
CREATE INDEX request_endpoint_by_endpoint ON request_endpoint (endpoint_id);
CREATE INDEX request_endpoint_by_outcome ON request_endpoint (outcome, outcome_at);

CREATE TABLE vote (
    request_id   TEXT NOT NULL REFERENCES request (id),
    person_id    TEXT NOT NULL REFERENCES person (id),
    digest       TEXT NOT NULL,
    role         TEXT NOT NULL,
    comment      TEXT NOT NULL,
    at           INTEGER NOT NULL,
    retracted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX vote_that_stands ON vote (request_id, person_id) WHERE retracted_at IS NULL;

CREATE TABLE attempt (
    id          TEXT PRIMARY KEY,
    request_id  TEXT NOT NULL REFERENCES request (id),
    number      INTEGER NOT NULL,
    body_hash   TEXT NOT NULL,
    started_at  INTEGER NOT NULL,
    answered_at INTEGER,
    answer      TEXT,
    UNIQUE (request_id, number)
) STRICT;

CREATE TABLE decision_policy (
    request_id TEXT NOT NULL REFERENCES request (id),
    policy_id  TEXT NOT NULL,
    PRIMARY KEY (policy_id, request_id)
) STRICT;

CREATE TABLE policy_set (
    hash         TEXT PRIMARY KEY,
    source       TEXT NOT NULL,
    activated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE kill_switch (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    frozen_at INTEGER NOT NULL,
    frozen_by TEXT NOT NULL,
    reason    TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    kind       TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id   TEXT,
    actor_name TEXT NOT NULL,
    request_id TEXT,
    action     TEXT,
    target     TEXT,
    detail     TEXT NOT NULL,
    previous   TEXT NOT NULL,
    hash       TEXT NOT NULL UNIQUE
) STRICT;
CREATE INDEX audit_by_request ON audit (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX audit_by_kind ON audit (kind, seq);
CREATE INDEX audit_by_actor ON audit (actor_name, seq);
CREATE INDEX audit_by_target ON audit (target, seq) WHERE target IS NOT NULL;

-- The audit only grows. Whoever can drop these triggers is found by the chain.
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit only grows');
END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit only grows');
END;
