-- What a companion script verified is among what is confirmed; its evidence has the version of the
-- script. It is counted by itself.

DROP TRIGGER outcome_counted;
DROP TRIGGER outcome_recounted;

CREATE TRIGGER outcome_counted AFTER INSERT ON request_endpoint WHEN NEW.outcome IS NOT NULL BEGIN
    INSERT INTO counter VALUES ('request_endpoint',
            CASE WHEN NEW.outcome = 'confirmed' AND NEW.evidence ->> '$.version' IS NOT NULL
                THEN 'verified' ELSE NEW.outcome END, 1)
        ON CONFLICT (what, name) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER outcome_recounted AFTER UPDATE OF outcome, evidence ON request_endpoint
    WHEN OLD.outcome IS NOT NEW.outcome OR OLD.evidence IS NOT NEW.evidence BEGIN
    UPDATE counter SET number = number - 1 WHERE what = 'request_endpoint'
        AND name = CASE WHEN OLD.outcome = 'confirmed' AND OLD.evidence ->> '$.version' IS NOT NULL
            THEN 'verified' ELSE OLD.outcome END;
    INSERT INTO counter SELECT 'request_endpoint',
            CASE WHEN NEW.outcome = 'confirmed' AND NEW.evidence ->> '$.version' IS NOT NULL
                THEN 'verified' ELSE NEW.outcome END, 1
        WHERE NEW.outcome IS NOT NULL
        ON CONFLICT (what, name) DO UPDATE SET number = number + 1;
END;

INSERT INTO counter SELECT 'request_endpoint', 'verified', count(*) FROM request_endpoint
    WHERE outcome = 'confirmed' AND evidence ->> '$.version' IS NOT NULL
    ON CONFLICT (what, name) DO UPDATE SET number = excluded.number;
UPDATE counter SET number = number - (SELECT number FROM counter AS verified
        WHERE verified.what = 'request_endpoint' AND verified.name = 'verified')
    WHERE what = 'request_endpoint' AND name = 'confirmed';
