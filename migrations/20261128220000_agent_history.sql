-- What an agent did before it asked, as JSON, frozen with the request. Null in rows of earlier
-- versions: theirs is counted as of the moment when they were asked.
ALTER TABLE request ADD COLUMN agent_history TEXT;

-- When the request was refused in a way that counts against its agent: a person rejected it, or
-- policy denied what was asked. Null where a limit on the agent itself, a failed evaluation or
-- Countersign denied it, and where a person asked.
ALTER TABLE request ADD COLUMN refused_at INTEGER;
UPDATE request SET refused_at = ended_at
WHERE asker_id IS NULL AND (state = 'rejected' OR (
    state = 'denied' AND json_array_length(decision, '$.errors') = 0
    AND NOT EXISTS (
        SELECT 1 FROM decision_policy WHERE request_id = request.id AND (policy_id GLOB 'broker.*'
            OR policy_id IN ('ask.too-many-refusals', 'ask.rejected-lately'))
    )
));
CREATE INDEX request_by_refusal ON request (agent_id, refused_at) WHERE refused_at IS NOT NULL;

-- Refusals up to this moment no longer count against the agent: a person said so.
ALTER TABLE agent ADD COLUMN refusals_lifted_at INTEGER;
