-- What is active is found by its endpoint or by its target, without a walk along all that is active.

CREATE INDEX request_endpoint_active_there
    ON request_endpoint (endpoint_id, ifnull(ends_at, 9223372036854775807))
    WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed');
CREATE INDEX request_endpoint_reverted_there
    ON request_endpoint (endpoint_id, ifnull(ends_at, 9223372036854775807))
    WHERE outcome = 'reverted' AND evidence IS NULL;
CREATE INDEX rule_response_by_target ON rule_response (action, argument);
CREATE INDEX rule_response_by_endpoint ON rule_response (endpoint_id);

-- A process that was ended stays ended: nothing of it is active.
UPDATE request_endpoint SET ends_at = since
WHERE since IS NOT NULL AND request_id IN (SELECT id FROM request WHERE action = 'kill_process');
