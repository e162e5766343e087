-- Addresses that are spared, or not blocked without people: what a name was ever looked up to, the
-- gateways and resolvers of the machine, and the endpoints.

CREATE TABLE known_address (
    -- host, neighbour, endpoint
    owner TEXT NOT NULL,
    -- Of a host its name, of an endpoint its manager's; else empty.
    name TEXT NOT NULL,
    address TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    PRIMARY KEY (owner, name, address)
) STRICT;
