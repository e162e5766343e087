-- Whether a command counts as run on the endpoint: its start or its end was seen there, or the
-- manager took it and nobody looks for more. Only then does it end or lift what others decided.

ALTER TABLE request_endpoint ADD COLUMN started INTEGER NOT NULL DEFAULT 0;
UPDATE request_endpoint SET started = 1
WHERE outcome = 'confirmed' OR (outcome = 'ended' AND evidence IS NOT NULL)
   OR (outcome = 'sent' AND (watch_until IS NULL OR watch_until = ends_at));
