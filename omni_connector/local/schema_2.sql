-- What version 2 adds: what each event did to its document, who may read which document, and what is not yet in
-- the search index. Applied to a new file after schema.sql, and to a file of version 1.

ALTER TABLE queue ADD COLUMN document_id TEXT;
-- 'new', 'changed', 'unchanged', 'deleted', 'absent' (deleted, but not there), 'replaced' (by a later event of the same
-- batch), 'refused' (status 'dead_letter') or 'applied' (groups and people).
ALTER TABLE queue ADD COLUMN outcome TEXT;

-- Of entries that are there already, the outcome is what the order of events says.
UPDATE queue SET document_id = json_extract(payload, '$.document_id');
WITH
    entries AS (
        SELECT seq, source_id, document_id, event_type = 'document_deleted' AS is_deletion,
            json_remove(payload, '$.type', '$.sync_run_id') AS said
        FROM queue WHERE document_id IS NOT NULL AND status = 'processed'
    ),
    with_predecessor AS (
        SELECT seq, is_deletion, said,
            lag(is_deletion, 1, 1) OVER document AS was_absent, lag(said) OVER document AS said_before
        FROM entries WINDOW document AS (PARTITION BY source_id, document_id ORDER BY seq)
    )
UPDATE queue SET outcome = CASE
    WHEN p.is_deletion THEN iif(p.was_absent, 'absent', 'deleted')
    WHEN p.was_absent THEN 'new'
    WHEN p.said = p.said_before THEN 'unchanged'
    ELSE 'changed'
END FROM with_predecessor p WHERE p.seq = queue.seq;
UPDATE queue SET outcome = iif(status = 'dead_letter', 'refused', 'applied') WHERE outcome IS NULL;

DROP INDEX queue_of_source;
CREATE INDEX queue_of_document ON queue (source_id, document_id, seq);
CREATE INDEX queue_outcomes ON queue (run_id, outcome, seq);
CREATE INDEX queue_refusals ON queue (source_id, document_id) WHERE status = 'dead_letter';

CREATE INDEX documents_of_source ON documents (source_id, number);
CREATE INDEX documents_by_title ON documents (source_id, title COLLATE NOCASE);
CREATE INDEX documents_of_run ON documents (updated_run_id);

-- Who is named in the permissions of which document: what one person finds is asked for without reading them all.
CREATE TABLE document_readers (
    kind TEXT NOT NULL,  -- 'public' (its name is empty), 'user' or 'group'
    name TEXT NOT NULL,
    number INTEGER NOT NULL REFERENCES documents (number) ON DELETE CASCADE,
    PRIMARY KEY (name, kind, number)
) WITHOUT ROWID;
CREATE INDEX document_readers_of_document ON document_readers (number);

INSERT OR IGNORE INTO document_readers (kind, name, number)
    SELECT 'public', '', number FROM documents WHERE json_extract(permissions, '$.public')
    UNION ALL
    SELECT 'user', value, number FROM documents, json_each(permissions, '$.users')
    UNION ALL
    SELECT 'group', value, number FROM documents, json_each(permissions, '$.groups');

-- Documents whose entry in the search index is out of date, and what the index has of them: NULL for nothing.
CREATE TABLE search_queue (
    number INTEGER PRIMARY KEY,
    title TEXT,
    content_id TEXT
);
