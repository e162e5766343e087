-- How many requests are in each state, and how many endpoints have each outcome: counted with every
-- change, whoever makes it, so that nobody has to read the history for it.

CREATE TABLE counter (
    -- request, request_endpoint
    what   TEXT NOT NULL,
    -- The state, or the outcome.
    name   TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (what, name)
) STRICT;

INSERT INTO counter SELECT 'request', state, count(*) FROM request GROUP BY state;
INSERT INTO counter SELECT 'request_endpoint', outcome, count(*) FROM request_endpoint
    WHERE outcome IS NOT NULL GROUP BY outcome;

CREATE TRIGGER request_counted AFTER INSERT ON request BEGIN
    INSERT INTO counter VALUES ('request', NEW.state, 1)
        ON CONFLICT (what, name) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER request_recounted AFTER UPDATE OF state ON request WHEN OLD.state <> NEW.state BEGIN
    UPDATE counter SET number = number - 1 WHERE what = 'request' AND name = OLD.state;
    INSERT INTO counter VALUES ('request', NEW.state, 1)
        ON CONFLICT (what, name) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER outcome_counted AFTER INSERT ON request_endpoint WHEN NEW.outcome IS NOT NULL BEGIN
    INSERT INTO counter VALUES ('request_endpoint', NEW.outcome, 1)
        ON CONFLICT (what, name) DO UPDATE SET number = number + 1;
END;

CREATE TRIGGER outcome_recounted AFTER UPDATE OF outcome ON request_endpoint
    WHEN OLD.outcome IS NOT NEW.outcome BEGIN
    UPDATE counter SET number = number - 1 WHERE what = 'request_endpoint' AND name = OLD.outcome;
    INSERT INTO counter SELECT 'request_endpoint', NEW.outcome, 1 WHERE NEW.outcome IS NOT NULL
        ON CONFLICT (what, name) DO UPDATE SET number = number + 1;
END;
