-- The names of a person's teams: a JSON list.
ALTER TABLE person ADD COLUMN teams TEXT NOT NULL DEFAULT '[]';

-- Where endpoints of requests are: the manager, and the groups that they are in, a JSON list in the order
-- of their names.
CREATE TABLE site (
    manager         TEXT NOT NULL,
    endpoint_groups TEXT NOT NULL,
    PRIMARY KEY (manager, endpoint_groups)
) STRICT, WITHOUT ROWID;

-- Where the endpoints of each request are. A request has one site at least.
CREATE TABLE request_site (
    request_id      TEXT NOT NULL REFERENCES request (id),
    manager         TEXT NOT NULL,
    endpoint_groups TEXT NOT NULL,
    PRIMARY KEY (request_id, manager, endpoint_groups)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER site_is_known AFTER INSERT ON request_site BEGIN
    INSERT OR IGNORE INTO site VALUES (NEW.manager, NEW.endpoint_groups);
END;

INSERT OR IGNORE INTO request_site
SELECT request.id, request.manager, (
    SELECT json_group_array(value) FROM (
        SELECT DISTINCT value FROM json_each(iif(json_valid(endpoint_groups), endpoint_groups, '[]'))
        WHERE type = 'text' ORDER BY value))
FROM request JOIN (SELECT DISTINCT request_id, endpoint_groups FROM request_endpoint)
    ON request_id = request.id;
INSERT INTO request_site
SELECT id, manager, '[]' FROM request
WHERE NOT EXISTS (SELECT 1 FROM request_site WHERE request_id = request.id);
