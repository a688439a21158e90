-- Addresses that are held by others than the locations that they are the own addresses of.

-- The hub's own address, and those that it had before: routers may still know it by them, so they
-- stay held until an administrator releases them.
CREATE TABLE hub_address (
    ip     INTEGER PRIMARY KEY CHECK (ip BETWEEN 0 AND 4294967295),
    prefix INTEGER NOT NULL CHECK (prefix BETWEEN 0 AND 32),
    former INTEGER NOT NULL CHECK (former IN (0, 1))
) STRICT;
CREATE UNIQUE INDEX hub_address_now ON hub_address (former) WHERE former = 0;

-- What adopted peers may speak for besides their own addresses: each network of peer.wider_allowed,
-- with its parts as numbers where it is an IPv4 network. WireGuard gives a network to one peer
-- alone, and so does the key.
CREATE TABLE wider_range (
    net         TEXT PRIMARY KEY,
    location_id INTEGER NOT NULL REFERENCES peer (location_id) ON DELETE CASCADE,
    prefix      INTEGER,
    first       INTEGER,
    last        INTEGER,
    CHECK ((prefix IS NULL) = (first IS NULL) AND (prefix IS NULL) = (last IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX wider_range_first ON wider_range (prefix, first) WHERE prefix IS NOT NULL;
CREATE INDEX wider_range_of ON wider_range (location_id);

-- Networks that an older version let two locations have, and the location that lost its share of it.
CREATE TABLE contested_range (
    location_id INTEGER NOT NULL REFERENCES location (id) ON DELETE CASCADE,
    net         TEXT NOT NULL,
    holder      TEXT NOT NULL,
    PRIMARY KEY (location_id, net)
) STRICT, WITHOUT ROWID;

-- A range that is free again is below the place where the search for a free address goes on; the
-- router of a single address may still have it, so it returns last.
CREATE TRIGGER range_is_free_again AFTER DELETE ON wider_range
BEGIN
    DELETE FROM allocation;
    INSERT OR REPLACE INTO freed_address (vpn_ip) SELECT OLD.first WHERE OLD.prefix = 32;
END;

-- No address is two's: one statement for each way that leads to one.
CREATE TRIGGER address_is_held_by_nobody_else BEFORE INSERT ON location
WHEN EXISTS (SELECT 1 FROM hub_address WHERE ip = NEW.vpn_ip)
    OR EXISTS (SELECT 1 FROM wider_range WHERE prefix = 32 AND first = NEW.vpn_ip)
BEGIN SELECT RAISE(ABORT, 'location.vpn_ip is another''s'); END;

CREATE TRIGGER changed_address_is_held_by_nobody_else BEFORE UPDATE OF vpn_ip ON location
WHEN NEW.vpn_ip IS NOT OLD.vpn_ip AND (
    EXISTS (SELECT 1 FROM hub_address WHERE ip = NEW.vpn_ip)
    OR EXISTS (SELECT 1 FROM wider_range WHERE prefix = 32 AND first = NEW.vpn_ip AND location_id <> NEW.id))
BEGIN SELECT RAISE(ABORT, 'location.vpn_ip is another''s'); END;

CREATE TRIGGER pending_address_is_held_by_nobody_else BEFORE INSERT ON pending_address
WHEN EXISTS (SELECT 1 FROM hub_address WHERE ip = NEW.vpn_ip)
    OR EXISTS (SELECT 1 FROM wider_range
                WHERE prefix = 32 AND first = NEW.vpn_ip AND location_id <> NEW.location_id)
BEGIN SELECT RAISE(ABORT, 'pending_address.vpn_ip is another''s'); END;

CREATE TRIGGER range_is_nobody_elses_address BEFORE INSERT ON wider_range
WHEN NEW.prefix = 32 AND (
    EXISTS (SELECT 1 FROM location WHERE vpn_ip = NEW.first AND id <> NEW.location_id)
    OR EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = NEW.first AND location_id <> NEW.location_id)
    OR EXISTS (SELECT 1 FROM hub_address WHERE ip = NEW.first))
BEGIN SELECT RAISE(ABORT, 'wider_range.net is another''s address'); END;

CREATE TRIGGER hub_address_is_no_routers BEFORE INSERT ON hub_address
WHEN EXISTS (SELECT 1 FROM location WHERE vpn_ip = NEW.ip)
    OR EXISTS (SELECT 1 FROM pending_address WHERE vpn_ip = NEW.ip)
    OR EXISTS (SELECT 1 FROM wider_range WHERE prefix = 32 AND first = NEW.ip)
BEGIN SELECT RAISE(ABORT, 'hub_address.ip is another''s'); END;

-- What is known of the conf does not say yet which addresses its [Interface] has.
DELETE FROM conf_seen;
ALTER TABLE conf_seen ADD COLUMN addresses TEXT NOT NULL DEFAULT '';
