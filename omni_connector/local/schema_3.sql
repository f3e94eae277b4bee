-- What version 3 adds: the search operators that manifests have declared. They outlast the registration, because a search
-- needs no connector.

CREATE TABLE search_operators (
    connector_id TEXT NOT NULL,
    name TEXT NOT NULL,  -- in lower case
    attribute_key TEXT NOT NULL,
    value_type TEXT NOT NULL,
    PRIMARY KEY (connector_id, name, attribute_key)
) WITHOUT ROWID;
