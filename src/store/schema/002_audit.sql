-- What was done on this hub and by whom: one row for each call that changed something or showed a
-- key, or was refused. Never a secret.
CREATE TABLE audit (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    uid      INTEGER NOT NULL,
    user     TEXT NOT NULL,
    via      TEXT,
    action   TEXT NOT NULL,
    location TEXT,
    org      TEXT,
    ending   TEXT NOT NULL CHECK (ending IN ('done', 'denied'))
) STRICT;
