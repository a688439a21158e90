-- What became of each site over time: changes of state, not samples.
--
-- A state is 0 online, 1 offline, 2 never, 3 disabled, 4 unprovisioned, 5 unknown.

-- From `at` on, a location was in this state. Gone with its location. Its key is the order in which
-- a report reads it, so that a year of 10,000 sites is one scan.
CREATE TABLE transition (
    location_id INTEGER NOT NULL REFERENCES location (id) ON DELETE CASCADE,
    at          INTEGER NOT NULL,
    state       INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),
    PRIMARY KEY (location_id, at)
) STRICT, WITHOUT ROWID;

-- Times between two heartbeats that were too long to know what happened: the hub was off, or cron.
CREATE TABLE gap (
    began INTEGER PRIMARY KEY,
    ended INTEGER NOT NULL CHECK (ended > began)
) STRICT;

-- Beside the last reading: the newest transition, what was announced last and for how many
-- heartbeats it has been otherwise, and the bytes of all the interface's lives together.
ALTER TABLE reading ADD COLUMN state     INTEGER CHECK (state BETWEEN 0 AND 5);
ALTER TABLE reading ADD COLUMN since     INTEGER;
ALTER TABLE reading ADD COLUMN announced INTEGER CHECK (announced BETWEEN 0 AND 5);
ALTER TABLE reading ADD COLUMN pending   INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reading ADD COLUMN rx_total  INTEGER NOT NULL DEFAULT 0;
ALTER TABLE reading ADD COLUMN tx_total  INTEGER NOT NULL DEFAULT 0;

-- Those whose disabling the next heartbeat has to note, found without looking at the others.
CREATE INDEX peer_disabled ON peer (location_id) WHERE enabled = 0;

-- The totals as they were at the first heartbeat of a day; days are counted from 1970, UTC.
CREATE TABLE day (
    day INTEGER PRIMARY KEY
) STRICT;

-- By day and not by location, so that a day's rows are written one after the other.
CREATE TABLE traffic (
    day         INTEGER NOT NULL REFERENCES day (day),
    location_id INTEGER NOT NULL,
    rx_total    INTEGER NOT NULL,
    tx_total    INTEGER NOT NULL,
    PRIMARY KEY (day, location_id)
) STRICT, WITHOUT ROWID;

-- Instead of ON DELETE CASCADE, which would look at every row.
CREATE TRIGGER traffic_goes_with_its_location AFTER DELETE ON location
BEGIN DELETE FROM traffic WHERE day IN (SELECT day FROM day) AND location_id = OLD.id; END;

-- Changes that heartbeat.on_change has not taken yet.
CREATE TABLE announcement (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    org  TEXT,
    was  INTEGER NOT NULL,
    now  INTEGER NOT NULL,
    at   INTEGER NOT NULL
) STRICT;
