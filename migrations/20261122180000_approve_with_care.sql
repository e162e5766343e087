-- The kill switch gets extents and its two keys, people are on call, agents have scopes, a vote may
-- break the glass and is reviewed afterwards, asks are recognised whatever their words.

ALTER TABLE person ADD COLUMN on_call INTEGER NOT NULL DEFAULT 0 CHECK (on_call IN (0, 1));
ALTER TABLE person ADD COLUMN mail TEXT;

-- JSON: the names of the actions that it may ask for.
ALTER TABLE agent ADD COLUMN scopes TEXT NOT NULL DEFAULT '["block_ip","disable_account"]';
ALTER TABLE agent ADD COLUMN issued_at INTEGER NOT NULL DEFAULT 0;
UPDATE agent SET issued_at = created_at;

ALTER TABLE vote ADD COLUMN break_glass INTEGER NOT NULL DEFAULT 0 CHECK (break_glass IN (0, 1));

ALTER TABLE request ADD COLUMN ask_digest TEXT;
ALTER TABLE request ADD COLUMN review_due_at INTEGER;
ALTER TABLE request ADD COLUMN reviewed_at INTEGER;
ALTER TABLE request ADD COLUMN reviewed_by TEXT;
ALTER TABLE request ADD COLUMN review_finding TEXT;
CREATE INDEX request_by_review ON request (review_due_at)
    WHERE review_due_at IS NOT NULL AND reviewed_at IS NULL;
CREATE INDEX audit_by_time ON audit (kind, at);

CREATE TABLE kill_switch_now (
    extent            TEXT NOT NULL CHECK (extent IN ('everything', 'manager', 'action', 'agent')),
    name              TEXT NOT NULL,
    frozen_at         INTEGER NOT NULL,
    frozen_by         TEXT NOT NULL,
    reason            TEXT NOT NULL,
    -- The first of the two who let it go on: a person's id, or none for the command line.
    release_by        TEXT REFERENCES person (id),
    release_name      TEXT,
    release_reason    TEXT,
    release_at        INTEGER,
    PRIMARY KEY (extent, name),
    CHECK ((extent = 'everything') = (name = '')),
    CHECK ((release_at IS NULL) = (release_name IS NULL)),
    CHECK ((release_at IS NULL) = (release_reason IS NULL))
) STRICT;
INSERT INTO kill_switch_now (extent, name, frozen_at, frozen_by, reason)
SELECT 'everything', '', frozen_at, frozen_by, reason FROM kill_switch;
DROP TABLE kill_switch;
ALTER TABLE kill_switch_now RENAME TO kill_switch;
