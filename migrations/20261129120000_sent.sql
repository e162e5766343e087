-- When a request was first and last sent, and whether that was without people: policy counts both for
-- each request. Which managers requests were for. None of it must cost more with each request that was
-- ever made, or that is active.
ALTER TABLE request ADD COLUMN first_sent_at INTEGER;
ALTER TABLE request ADD COLUMN last_sent_at INTEGER;
ALTER TABLE request ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0;

UPDATE request SET
    first_sent_at = (SELECT min(started_at) FROM attempt WHERE request_id = request.id),
    last_sent_at = (SELECT max(started_at) FROM attempt WHERE request_id = request.id)
WHERE id IN (SELECT request_id FROM attempt);

UPDATE request SET automatic = 1
WHERE first_sent_at IS NOT NULL AND asker_id IS NULL
  AND NOT EXISTS (SELECT 1 FROM vote WHERE vote.request_id = request.id AND retracted_at IS NULL);

CREATE INDEX request_sent_by_agent ON request (agent_id, last_sent_at) WHERE last_sent_at IS NOT NULL;
CREATE INDEX request_automatic ON request (last_sent_at, first_sent_at, id) WHERE automatic = 1;
DROP INDEX attempt_by_start;
DROP INDEX request_endpoint_since;
CREATE INDEX request_by_manager ON request (manager);
