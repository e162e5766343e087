-- How far a response reaches, and whether people put an end to it: asked for each request, over all
-- agents. One range of an index each, so that nothing grows with history.

DROP INDEX request_by_target;
CREATE INDEX request_by_target ON request (action, argument, state, ended_at);
CREATE INDEX request_endpoint_since ON request_endpoint (since) WHERE since IS NOT NULL;
CREATE INDEX attempt_by_start ON attempt (started_at);
CREATE INDEX vote_by_retraction ON vote (retracted_at) WHERE retracted_at IS NOT NULL;
