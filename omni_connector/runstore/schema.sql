-- The run store of one machine. Moments are on the monotonic clock of the machine, which all its processes share and which
-- begins anew with it. `seconds` is what was granted, so that a moment from before a restart is recognised: it would be
-- further away than that.

CREATE TABLE IF NOT EXISTS leases (
    name TEXT PRIMARY KEY,
    token TEXT NOT NULL,
    value BLOB NOT NULL,
    seconds REAL NOT NULL,
    expires REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS notes (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL,
    seconds REAL NOT NULL,
    expires REAL NOT NULL
);

CREATE INDEX IF NOT EXISTS notes_by_end ON notes (expires);

CREATE TABLE IF NOT EXISTS budgets (
    name TEXT PRIMARY KEY,
    paid_until REAL NOT NULL
) WITHOUT ROWID;
