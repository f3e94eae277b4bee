-- The inventories of one machine. A document belongs to a shelf: one scope of one source, as a number that
-- is made of their names. `sent` and `seen` are numbers of runs.

CREATE TABLE IF NOT EXISTS notes (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS documents (
    shelf INTEGER NOT NULL,
    id TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    sent INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (shelf, id)
) WITHOUT ROWID;
