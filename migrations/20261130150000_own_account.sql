-- Where a session began; nothing of one from before. Quiet hours of a person, in minutes of the day.
ALTER TABLE session ADD COLUMN source TEXT;
ALTER TABLE session ADD COLUMN device TEXT;
CREATE INDEX session_of_person ON session (person_id);
ALTER TABLE person ADD COLUMN quiet_from INTEGER;
ALTER TABLE person ADD COLUMN quiet_until INTEGER;
