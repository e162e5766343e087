-- When the last proof was given in a session, for any act: the password or a passkey. Sessions from before
-- have none but the one they began with.
ALTER TABLE session ADD COLUMN proved_at INTEGER NOT NULL DEFAULT 0;
UPDATE session SET proved_at = authenticated_at;
