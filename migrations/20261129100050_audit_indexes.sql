-- What the filters of the audit and the lists of requests look for.
CREATE INDEX audit_by_actor_id ON audit (actor_id) WHERE actor_id IS NOT NULL;
DROP INDEX request_endpoint_by_endpoint;
CREATE INDEX request_endpoint_by_endpoint ON request_endpoint (endpoint_id, request_id);

-- Where an hour begins in the audit. A clock that went back makes an hour begin again.
CREATE TABLE audit_hour (
    first INTEGER PRIMARY KEY,
    hour  INTEGER NOT NULL
) STRICT;
INSERT INTO audit_hour (first, hour)
    SELECT seq, at / 3600000000 FROM (
        SELECT seq, at, lag(at) OVER (ORDER BY seq) AS before FROM audit)
    WHERE before IS NULL OR at / 3600000000 <> before / 3600000000;
CREATE TRIGGER audit_hour_begins AFTER INSERT ON audit
WHEN new.at / 3600000000 IS NOT (SELECT hour FROM audit_hour ORDER BY first DESC LIMIT 1)
BEGIN
    INSERT INTO audit_hour (first, hour) VALUES (new.seq, new.at / 3600000000);
END;
