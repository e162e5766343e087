-- The number of the look that last had the request's turn: looks take turns where more wait than one
-- takes in.
ALTER TABLE request ADD COLUMN last_look INTEGER;
CREATE INDEX request_by_last_look ON request (last_look) WHERE last_look IS NOT NULL;
