"""The list of documents with its filters, and one document."""

from typing import Final

from flask import Blueprint, Response, abort, render_template, request

from omni_connector.console.lists import Position, chosen, text_argument
from omni_connector.console.page import Entry, Page, console
from omni_connector.local import browse

blueprint = Blueprint("documents", __name__, url_prefix="/console/documents")
page = Page(blueprint, Entry("Documents", "documents.index", 30))

READERS_SHOWN: Final = 50

CHANGES: Final = {
    "new": "New",
    "changed": "Changed",
    "unchanged": "Unchanged",
    "deleted": "Deleted",
    "refused": "Refused",
}
WHO: Final = {"public": "Everyone", "private": "Not everyone"}


@blueprint.get("")
def index() -> str:
    """List documents."""
    run_id, source_id, person = text_argument("run"), text_argument("source"), text_argument("person")
    change, who = chosen("change", CHANGES), chosen("who", WHO)
    position = Position.of_request()
    with browse.reading(console().manager.data_dir) as db:
        wanted = browse.DocumentFilter(
            source_id=source_id,
            change=change,
            run_id=run_id,
            has_errors="errors" in request.args,
            public=None if who is None else who == "public",
            group=text_argument("group"),
            access=None if person is None else browse.Access.of(db, person),
        )
        documents = browse.list_documents(db, wanted, after=position.after)
        previous, following = position.neighbours(documents)
        return render_template(
            "documents.html",
            documents=documents.items,
            count=browse.count_documents(db, wanted),
            pages=(previous, following),
            sources=browse.source_names(db),
            run=None if run_id is None else browse.find_run(db, run_id),
            changes=CHANGES,
            who=WHO,
            is_filtered=wanted != browse.DocumentFilter(),
        )


@blueprint.get("/one")
def document() -> str:
    """Show one document; its source and its id are arguments, because ids may be any text."""
    source_id, external_id = _identity()
    position = Position.of_request()
    person = text_argument("person")
    with browse.reading(console().manager.data_dir) as db:
        item = browse.find_item(db, source_id, external_id)
        if item is None:
            abort(404, f"No event has named a document {external_id[:200]!r} of this source.")
        history = browse.list_history(db, source_id, external_id, before=position.after or None)
        return render_template(
            "document.html",
            item=item,
            document=browse.find_document(db, source_id, external_id),
            readers=browse.readers_of(db, item.permissions, limit=READERS_SHOWN),
            reader_count=_entries(item),
            history=history.items,
            pages=position.neighbours(history),
            person=person,
            verdict=None if person is None else browse.explain(db, source_id, external_id, person),
            addresses=browse.known_addresses(db),
        )


@blueprint.get("/one/text")
def text() -> Response:
    """Return the whole content as plain text, which no browser takes for anything else."""
    with browse.reading(console().manager.data_dir) as db:
        content = browse.document_text(db, *_identity())
    if content is None:
        abort(404, "There is no such document.")
    response = Response(content, content_type="text/plain; charset=utf-8")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def _identity() -> tuple[str, str]:
    return request.args.get("source", ""), request.args.get("id", "")


def _entries(item: browse.DocumentItem) -> int:
    permissions = item.permissions
    if permissions is None:
        return 0
    return len(permissions["users"]) + len(permissions["groups"]) + bool(permissions["public"])
