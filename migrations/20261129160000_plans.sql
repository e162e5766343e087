-- Several requests under one heading, in an order. Each step is a request of its own.
CREATE TABLE plan (
    id              TEXT NOT NULL PRIMARY KEY,
    agent_id        TEXT NOT NULL REFERENCES agent (id),
    agent_name      TEXT NOT NULL,
    heading         TEXT NOT NULL,
    reason          TEXT NOT NULL,
    on_failure      TEXT NOT NULL CHECK (on_failure IN ('stop', 'continue')),
    digest          TEXT NOT NULL,
    -- Equal for plans that ask for the same in the same order, in whatever words.
    ask_digest      TEXT NOT NULL,
    idempotency_key TEXT,
    asked_at        INTEGER NOT NULL,
    -- How long a step may be used once its turn has come, in microseconds.
    use_within      INTEGER NOT NULL CHECK (use_within > 0)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX plan_by_key ON plan (agent_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX plan_by_ask ON plan (agent_id, ask_digest);
-- The plan is stored after its steps: its digest is over theirs.
ALTER TABLE request ADD COLUMN plan_id TEXT REFERENCES plan (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE request ADD COLUMN plan_step INTEGER CHECK (plan_step BETWEEN 1 AND 10);
CREATE UNIQUE INDEX request_by_plan ON request (plan_id, plan_step) WHERE plan_id IS NOT NULL;
