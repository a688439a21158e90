-- The life of a peer: what becomes of its key and address after it was provisioned.

-- When the location's peer is to be taken off by itself; NULL for never.
ALTER TABLE location ADD COLUMN expires_at INTEGER;

-- The name that the objects on the router carry, where the location was renamed since: scripts go
-- on naming them so. NULL while it is the location's own.
ALTER TABLE location ADD COLUMN router_tag TEXT
    CHECK (length(router_tag) BETWEEN 1 AND 63 AND router_tag NOT GLOB '*[^a-z0-9._-]*');

-- The preshared key sealed with age, whatever the key mode; NULL for a peer without one. The conf
-- holds it in clear, as it must; this copy is for a lost conf and for the router's script.
ALTER TABLE peer ADD COLUMN sealed_preshared BLOB;

-- Whether the key may never be a peer's again.
ALTER TABLE retired_key ADD COLUMN revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked IN (0, 1));

-- The next key of a peer, until it has shaken hands: on the interface and in the conf beside the
-- old one, without allowed IPs.
CREATE TABLE pending_key (
    location_id      INTEGER PRIMARY KEY REFERENCES peer (location_id) ON DELETE CASCADE,
    public_key       BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
    sealed_key       BLOB,
    sealed_preshared BLOB,
    key_mode         TEXT NOT NULL CHECK (key_mode IN ('stored', 'once', 'router')),
    since            INTEGER NOT NULL
) STRICT;

-- The next address of a peer, until it has answered there: allowed beside the old one.
CREATE TABLE pending_address (
    location_id INTEGER PRIMARY KEY REFERENCES peer (location_id) ON DELETE CASCADE,
    vpn_ip      INTEGER NOT NULL UNIQUE CHECK (vpn_ip BETWEEN 0 AND 4294967295),
    since       INTEGER NOT NULL
) STRICT;

-- One key belongs to one router, whether it is in use or still to come, and never to the hub.
CREATE TRIGGER peer_key_is_its_own BEFORE INSERT ON peer
WHEN EXISTS (SELECT 1 FROM pending_key WHERE public_key = NEW.public_key)
BEGIN SELECT RAISE(ABORT, 'peer.public_key is another''s next key'); END;

CREATE TRIGGER changed_key_is_its_own BEFORE UPDATE OF public_key ON peer
WHEN EXISTS (SELECT 1 FROM pending_key WHERE public_key = NEW.public_key)
    OR NEW.public_key = (SELECT public_key FROM hub)
BEGIN SELECT RAISE(ABORT, 'peer.public_key is another''s'); END;

CREATE TRIGGER pending_key_is_its_own BEFORE INSERT ON pending_key
WHEN EXISTS (SELECT 1 FROM peer WHERE public_key = NEW.public_key)
    OR NEW.public_key = (SELECT public_key FROM hub)
BEGIN SELECT RAISE(ABORT, 'peer.public_key is another''s'); END;

-- A revoked key comes back by no way.
CREATE TRIGGER peer_key_is_not_revoked BEFORE INSERT ON peer
WHEN EXISTS (SELECT 1 FROM retired_key WHERE public_key = NEW.public_key AND revoked)
BEGIN SELECT RAISE(ABORT, 'a revoked key cannot come back'); END;

CREATE TRIGGER pending_key_is_not_revoked BEFORE INSERT ON pending_key
WHEN EXISTS (SELECT 1 FROM retired_key WHERE public_key = NEW.public_key AND revoked)
BEGIN SELECT RAISE(ABORT, 'a revoked key cannot come back'); END;

-- An address that somebody moves to is handed out to nobody else.
CREATE TRIGGER address_is_its_own BEFORE INSERT ON location
WHEN EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = NEW.vpn_ip)
BEGIN SELECT RAISE(ABORT, 'location.vpn_ip is another''s next address'); END;

CREATE TRIGGER changed_address_is_its_own BEFORE UPDATE OF vpn_ip ON location
WHEN EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = NEW.vpn_ip)
BEGIN SELECT RAISE(ABORT, 'location.vpn_ip is another''s next address'); END;

CREATE TRIGGER pending_address_is_its_own BEFORE INSERT ON pending_address
WHEN EXISTS (SELECT 1 FROM location WHERE vpn_ip = NEW.vpn_ip)
BEGIN SELECT RAISE(ABORT, 'location.vpn_ip is another''s'); END;
