-- What became of requests, for the pages of an agent, a person, an endpoint and a target, and for the
-- overview: each reads the days that it shows, from indexes alone.

-- When people decided: the last approval that it took, or the rejection. Null where nobody did. Of what
-- ended otherwise in earlier versions it is known only where the end says that it was approved.
ALTER TABLE request ADD COLUMN decided_at INTEGER;
UPDATE request SET decided_at = CASE state WHEN 'rejected' THEN ended_at ELSE (
    SELECT max(at) FROM vote WHERE request_id = request.id AND retracted_at IS NULL) END
WHERE state IN ('approved', 'dispatching', 'waiting', 'settled', 'rejected')
   OR (state = 'expired' AND ended_reason GLOB 'it was approved*');
-- How much it asks of people: low, medium, high. Null in what was asked with earlier versions.
ALTER TABLE request ADD COLUMN tier TEXT;

CREATE INDEX request_facts ON request (id, asked_at, state, decided_at, automatic, agent_id, manager,
    argument, asker_id, parent, undoes);
CREATE INDEX request_by_decision ON request (decided_at, state, asked_at, parent, asker_id)
    WHERE decided_at IS NOT NULL;
CREATE INDEX request_by_rejecter ON request (ended_by, ended_at, id) WHERE state = 'rejected';
CREATE INDEX request_by_asker ON request (asker_id, id) WHERE asker_id IS NOT NULL;
CREATE INDEX request_pending ON request (tier, asked_at) WHERE state = 'pending';
CREATE INDEX vote_by_person ON vote (person_id, at, request_id) WHERE retracted_at IS NULL;
