-- People who sign in at an identity provider (OpenID Connect), by what it calls them for ever.
CREATE TABLE identity (
    person_id    TEXT NOT NULL PRIMARY KEY REFERENCES person (id),
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    -- The name that people are called by; may be empty.
    display_name TEXT NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;
