-- The store of one hub. Times are Unix seconds, VPN addresses are IPv4 addresses as integers,
-- keys are 32 raw bytes.

-- The hub itself; one row.
CREATE TABLE hub (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    public_key  BLOB NOT NULL CHECK (length(public_key) = 32),
    -- The hub's private key sealed with age, so that a lost conf can be written again.
    sealed_key  BLOB,
    created_at  INTEGER NOT NULL
) STRICT;

-- A site with one router.
CREATE TABLE location (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63 AND name NOT GLOB '*[^a-z0-9._-]*'),
    org         TEXT CHECK (length(org) > 0),
    description TEXT,
    -- Unique: no address can be handed out twice, whatever a program above believes.
    vpn_ip      INTEGER UNIQUE CHECK (vpn_ip BETWEEN 0 AND 4294967295),
    key_mode    TEXT NOT NULL CHECK (key_mode IN ('stored', 'once', 'router')),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE tag (
    location_id INTEGER NOT NULL REFERENCES location (id) ON DELETE CASCADE,
    key         TEXT NOT NULL CHECK (length(key) > 0),
    value       TEXT NOT NULL,
    PRIMARY KEY (location_id, key)
) STRICT, WITHOUT ROWID;

-- The WireGuard identity of a location's router; no row while unprovisioned.
CREATE TABLE peer (
    location_id    INTEGER PRIMARY KEY REFERENCES location (id) ON DELETE CASCADE,
    public_key     BLOB NOT NULL UNIQUE CHECK (length(public_key) = 32),
    -- The private key sealed with age; only in key mode 'stored'.
    sealed_key     BLOB,
    enabled        INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    -- What an adopted peer may speak for besides its own address: networks in CIDR notation with
    -- commas between; NULL for every peer that was made here.
    wider_allowed  TEXT CHECK (length(wider_allowed) > 0),
    provisioned_at INTEGER NOT NULL
) STRICT;

-- A peer needs an address, and the hub's own key is nobody else's.
CREATE TRIGGER peer_has_an_address BEFORE INSERT ON peer
WHEN (SELECT vpn_ip FROM location WHERE id = NEW.location_id) IS NULL
BEGIN SELECT RAISE(ABORT, 'a peer needs an address'); END;

CREATE TRIGGER peer_is_not_the_hub BEFORE INSERT ON peer
WHEN NEW.public_key = (SELECT public_key FROM hub)
BEGIN SELECT RAISE(ABORT, 'the hub cannot be its own peer'); END;

-- Keys that were peers once: taken off interface and conf wherever they still stand.
CREATE TABLE retired_key (
    public_key BLOB PRIMARY KEY CHECK (length(public_key) = 32),
    retired_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Addresses of removed locations; the smallest number was freed first and returns first.
CREATE TABLE freed_address (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    vpn_ip INTEGER NOT NULL UNIQUE
) STRICT;

-- Where the search for a never-used address goes on, for one definition of the pool:
-- everything below was used once. It only saves time; losing it loses nothing.
CREATE TABLE allocation (
    pool    TEXT PRIMARY KEY,
    next_ip INTEGER NOT NULL
) STRICT;

-- The last heartbeat; at most one row, and a row for each peer that it saw.
CREATE TABLE heartbeat (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    at  INTEGER NOT NULL
) STRICT;

CREATE TABLE reading (
    location_id    INTEGER PRIMARY KEY REFERENCES peer (location_id) ON DELETE CASCADE,
    last_handshake INTEGER,
    endpoint       TEXT,
    rx_bytes       INTEGER NOT NULL,
    tx_bytes       INTEGER NOT NULL,
    is_online      INTEGER NOT NULL CHECK (is_online IN (0, 1))
) STRICT;
