-- The outbox: what people are told, written with what caused it, and what became of each delivery.

CREATE TABLE notice (
    -- Never used again, though old rows are deleted: the names of deliveries are made from it.
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    at          INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    request_id  TEXT REFERENCES request (id),
    -- JSON: class of action, tier, state; or the extent of the kill switch.
    facts       TEXT NOT NULL,
    -- When it got its deliveries.
    spread_at   INTEGER
) STRICT;
CREATE INDEX notice_to_spread ON notice (id) WHERE spread_at IS NULL;
-- What time causes is noted once for a request.
CREATE UNIQUE INDEX notice_once ON notice (request_id, kind)
    WHERE kind IN ('request.deadline_near', 'review.due', 'review.overdue');

CREATE TABLE delivery (
    notice_id     INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    -- `webhook.` and its name, or `mail`.
    channel       TEXT NOT NULL,
    -- A person's id; empty for a webhook.
    receiver      TEXT NOT NULL,
    tries         INTEGER NOT NULL DEFAULT 0,
    next_try_at   INTEGER NOT NULL,
    delivered_at  INTEGER,
    given_up_at   INTEGER,
    problem       TEXT,
    PRIMARY KEY (notice_id, channel, receiver),
    CHECK (delivered_at IS NULL OR given_up_at IS NULL)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_to_try ON delivery (channel, next_try_at)
    WHERE delivered_at IS NULL AND given_up_at IS NULL;
