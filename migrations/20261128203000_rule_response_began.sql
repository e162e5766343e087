-- When a response that is not ours began. It may be told to start again while it stands: that says
-- nothing new to those who knew of it.

ALTER TABLE rule_response ADD COLUMN began INTEGER NOT NULL DEFAULT 0;
UPDATE rule_response SET began = since;
