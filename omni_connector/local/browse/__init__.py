"""Looking through a data directory: what the console's pages and the commands show.

Every function takes a connection that ``reading(directory)`` opens, also while another process writes the directory. Lists come
in pages, each found by an index, so that a page takes the same time at ten and at 100,000 documents; numbers that would mean
counting all of them stop at ``COUNT_LIMIT``.
"""

from omni_connector.local.access import Access, Key
from omni_connector.local.browse.document_filter import DocumentFilter
from omni_connector.local.browse.documents import (
    Document,
    DocumentItem,
    count_documents,
    document_text,
    find_by_own_id,
    find_document,
    find_document_ids,
    find_documents,
    find_item,
    list_documents,
    list_withheld,
)
from omni_connector.local.browse.events import EventItem, later_word, list_errors, list_history
from omni_connector.local.browse.explanation import Reader, Verdict, explain, judge, readers_of, why_in
from omni_connector.local.browse.pages import COUNT_LIMIT, Count, Page
from omni_connector.local.browse.people import (
    GroupItem,
    PersonItem,
    find_group,
    find_person,
    known_addresses,
    list_groups,
    list_people,
)
from omni_connector.local.browse.runs import (
    RunCounts,
    RunSummary,
    completed_since,
    find_run,
    find_run_ids,
    list_runs,
    run_before,
)
from omni_connector.local.browse.sources import (
    SourceName,
    SourceSummary,
    find_source,
    list_sources,
    shown_checkpoint,
    source_names,
)
from omni_connector.local.store import reading

__all__ = [
    "COUNT_LIMIT",
    "Access",
    "Count",
    "Document",
    "DocumentFilter",
    "DocumentItem",
    "EventItem",
    "GroupItem",
    "Key",
    "Page",
    "PersonItem",
    "Reader",
    "RunCounts",
    "RunSummary",
    "SourceName",
    "SourceSummary",
    "Verdict",
    "completed_since",
    "count_documents",
    "document_text",
    "explain",
    "find_by_own_id",
    "find_document",
    "find_document_ids",
    "find_documents",
    "find_group",
    "find_item",
    "find_person",
    "find_run",
    "find_run_ids",
    "find_source",
    "judge",
    "known_addresses",
    "later_word",
    "list_documents",
    "list_errors",
    "list_groups",
    "list_history",
    "list_people",
    "list_runs",
    "list_sources",
    "list_withheld",
    "readers_of",
    "reading",
    "run_before",
    "shown_checkpoint",
    "source_names",
    "why_in",
]
