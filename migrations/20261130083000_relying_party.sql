-- The server that a passkey was made for: it works nowhere else. The entry that added it says which;
-- nothing is the name of no server.
ALTER TABLE passkey ADD COLUMN relying_party TEXT NOT NULL DEFAULT '';
UPDATE passkey SET relying_party = coalesce((
    SELECT added.detail ->> '$.relying_party' FROM audit AS added
    WHERE added.kind = 'passkey.added'
        AND CASE WHEN json_valid(added.detail) THEN added.detail ->> '$.id' END = passkey.id), '');
