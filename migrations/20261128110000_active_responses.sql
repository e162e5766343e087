-- When an endpoint ends what was sent to it, as the endpoint counts: other commands for the same
-- target move it. Null where nothing ends it; of an undo, the moment when it was sent.

ALTER TABLE request_endpoint ADD COLUMN ends_at INTEGER;
UPDATE request_endpoint SET ends_at = (
    SELECT CASE WHEN action IN ('unblock_ip', 'enable_account') THEN since
                ELSE since + term_seconds * 1000000 END
    FROM request WHERE request.id = request_id
) WHERE since IS NOT NULL;
-- What does not end has the latest of all ends here, so that one range finds what is active.
CREATE INDEX request_endpoint_active ON request_endpoint (ifnull(ends_at, 9223372036854775807))
    WHERE outcome IN ('sent', 'unknown', 'confirmed', 'unconfirmed');
