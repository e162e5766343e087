-- Who is told next of a request that nobody decides is told once.
DROP INDEX notice_once;
CREATE UNIQUE INDEX notice_once ON notice (request_id, kind)
    WHERE kind IN ('request.deadline_near', 'request.escalated', 'review.due', 'review.overdue');
-- Since when a request waits, and of which tier it was then.
CREATE INDEX notice_of_waiting ON notice (request_id, at) WHERE kind = 'request.waiting';
