-- What lets a large hub do little: it saves time only, and losing it loses nothing.

-- The conf as it was when it was last read or written whole, and found to be what the store wants.
CREATE TABLE conf_seen (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    -- The very file: its place on the disk, its size, its times.
    mark    TEXT NOT NULL,
    -- What its [Interface] was compared with.
    purpose TEXT NOT NULL,
    -- Changes of the store since then.
    behind  INTEGER NOT NULL DEFAULT 0,
    -- Networks that peers of the conf hold which the store does not know, with commas between.
    claimed TEXT NOT NULL,
    -- The keys of these peers, 32 bytes each.
    foreign_keys BLOB NOT NULL CHECK (length(foreign_keys) % 32 = 0),
    -- Another file beside the conf that is the same up to the last changes, if there is one.
    spare   TEXT
) STRICT;

-- The few locations with an end, found without looking at the others.
CREATE INDEX location_that_expires ON location (expires_at) WHERE expires_at IS NOT NULL;
