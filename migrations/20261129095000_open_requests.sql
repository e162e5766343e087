-- What is asked at each ask, each step of the worker and each page reads only what is open, or its
-- own page.
CREATE INDEX request_open_by_agent ON request (agent_id, ask_digest, asked_at)
    WHERE state IN ('pending', 'approved', 'dispatching');
CREATE INDEX request_by_agent_and_id ON request (agent_id, id);
CREATE INDEX request_by_state ON request (state, id);
CREATE INDEX request_by_argument ON request (argument, id);
CREATE INDEX request_endpoint_by_undo ON request_endpoint (reverted_by) WHERE reverted_by IS NOT NULL;
CREATE INDEX notice_by_spread ON notice (spread_at) WHERE spread_at IS NOT NULL;
