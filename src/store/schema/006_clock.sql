-- What the clock said at the last heartbeat that believed it, and at a later one that did not: a
-- clock that jumped must not end anything.
CREATE TABLE clock (
    believed INTEGER PRIMARY KEY CHECK (believed IN (0, 1)),
    at       INTEGER NOT NULL,
    -- The kernel's name for that start of the machine, and the seconds since then.
    boot_id  TEXT,
    boot_at  INTEGER
) STRICT;
