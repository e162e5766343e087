-- The identity provider names no role for this person since then; their next sign-in ends it.
ALTER TABLE person ADD COLUMN suspended_at INTEGER;
