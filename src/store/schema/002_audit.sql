-- What was done on this hub and by whom: one row for each call that changed something or showed a
-- key, or was refused. Never a secret.
CREATE TABLE audit (
    -- From 1 without a gap.
    seq      INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    uid      INTEGER NOT NULL,
    user     TEXT NOT NULL,
    via      TEXT,
    action   TEXT NOT NULL,
    location TEXT,
    org      TEXT,
    ending   TEXT NOT NULL CHECK (ending IN ('done', 'denied')),
    -- SHA-256 over the hash of the row before and over this row.
    hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- Where the chain ends, so that rows missing at its end are missed.
CREATE TABLE audit_end (
    one  INTEGER PRIMARY KEY CHECK (one = 1),
    seq  INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
INSERT INTO audit_end (one, seq, hash) VALUES (1, 0, zeroblob(32));
