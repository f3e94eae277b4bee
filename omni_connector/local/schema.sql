-- Everything the embedded manager keeps. Moments are microseconds since 1970, JSON is text with sorted keys.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    is_admin INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE sources (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    source_type TEXT NOT NULL,
    integration_type TEXT NOT NULL,
    config TEXT NOT NULL,
    is_active INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    scope TEXT NOT NULL,
    user_filter_mode TEXT NOT NULL,
    user_whitelist TEXT,
    user_blacklist TEXT,
    connector_state TEXT,  -- SQL NULL is "none"; the JSON value null is the text 'null'.
    checkpoint TEXT,       -- likewise
    sync_interval_seconds INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    created_by TEXT NOT NULL REFERENCES users (id)
);

CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    source_id TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    user_id TEXT REFERENCES users (id),  -- NULL is the org-wide row.
    provider TEXT NOT NULL,
    auth_type TEXT NOT NULL,
    principal_email TEXT,
    credentials TEXT NOT NULL,
    config TEXT NOT NULL,
    expires_at INTEGER,
    last_validated_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX credentials_of_owner ON credentials (source_id, coalesce(user_id, ''));

CREATE TABLE connector_configs (
    provider TEXT PRIMARY KEY,
    config TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    source_id TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    sync_type TEXT NOT NULL,
    slot_class TEXT NOT NULL,
    status TEXT NOT NULL,
    trigger_type TEXT NOT NULL,
    documents_scanned INTEGER NOT NULL DEFAULT 0,
    documents_processed INTEGER NOT NULL DEFAULT 0,
    documents_updated INTEGER NOT NULL DEFAULT 0,
    error_message TEXT,
    checkpoint TEXT,
    started_at INTEGER,
    completed_at INTEGER,
    last_activity_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX runs_slot ON runs (source_id, slot_class) WHERE status = 'running';
CREATE INDEX runs_of_source ON runs (source_id, id);

CREATE TABLE contents (
    id TEXT PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    orphaned_at INTEGER  -- When the sweep found that nothing refers to it.
);

CREATE TABLE queue (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,  -- Order of arrival.
    id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL,
    source_id TEXT NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
    event_type TEXT NOT NULL,
    payload TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    created_at INTEGER NOT NULL
);
CREATE INDEX queue_of_run ON queue (run_id, seq);
CREATE INDEX queue_of_source ON queue (source_id);

CREATE TABLE documents (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    source_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    title TEXT NOT NULL,
    url TEXT,
    content_id TEXT NOT NULL REFERENCES contents (id),
    content_type TEXT,
    file_size INTEGER,
    metadata TEXT NOT NULL,
    permissions TEXT NOT NULL,
    attributes TEXT NOT NULL,
    created_run_id TEXT NOT NULL,
    updated_run_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (source_id, external_id)
);
CREATE INDEX documents_of_content ON documents (content_id);

-- The full-text index keeps no copy of the texts; it reads them through this view.
CREATE VIEW searchable AS
    SELECT d.number, d.title, c.content FROM documents d JOIN contents c ON c.id = d.content_id;
CREATE VIRTUAL TABLE search_index USING fts5 (
    title, content,
    content = 'searchable', content_rowid = 'number', tokenize = 'unicode61 remove_diacritics 2'
);
-- Terms of a whole batch are gathered before they are written; with the default of 1 MB it takes twice as long.
INSERT INTO search_index (search_index, rank) VALUES ('hashsize', 8388608);

CREATE TABLE member_groups (
    source_id TEXT NOT NULL,
    email TEXT NOT NULL,
    name TEXT,
    members TEXT NOT NULL,  -- JSON list of addresses
    PRIMARY KEY (source_id, email)
) WITHOUT ROWID;

CREATE TABLE people (
    email TEXT NOT NULL,
    source_id TEXT NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (email, source_id)
) WITHOUT ROWID;
