-- The moment of an entry as the broker counts, which does not follow a clock that jumps: asks are
-- counted by it. It is no part of the entry; `at` is what the machine's clock showed.

ALTER TABLE audit ADD COLUMN steady_at INTEGER;
DROP INDEX audit_by_time;
CREATE INDEX audit_by_moment ON audit (kind, steady_at);
