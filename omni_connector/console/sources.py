"""The list of sources, and one source."""

from datetime import datetime

from attrs import frozen
from flask import Blueprint, render_template

from omni_connector.console.page import Entry, Page, console
from omni_connector.local import SourceRow, SyncRunRow

blueprint = Blueprint("sources", __name__)
page = Page(blueprint, Entry("Sources", "sources.index", 10))


@frozen
class SourceLine:
    """A source as the list shows it."""

    source: SourceRow
    documents: int
    last_run: SyncRunRow | None
    next_run: datetime | None
    errors: int


@blueprint.get("/")
def index() -> str:
    """List the sources."""
    manager = console().manager
    lines = [_line(each) for each in manager.sources() if not each.is_deleted]
    return render_template("sources.html", lines=lines, manifests=manager.manifests())


def _line(source: SourceRow) -> SourceLine:
    manager = console().manager
    runs = manager.runs(source.id)
    last = runs[-1] if runs else None
    return SourceLine(source, 0, last, None, 0)
