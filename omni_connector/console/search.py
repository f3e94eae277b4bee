"""Searching, as a person or regardless of permissions."""

from typing import Final

from flask import Blueprint, render_template

from omni_connector.console.lists import text_argument
from omni_connector.console.page import Entry, Page, console
from omni_connector.local import BroadSearchError, SearchHit, browse
from omni_connector.local.search_operators import SearchOperators

blueprint = Blueprint("search", __name__, url_prefix="/console/search")
page = Page(blueprint, Entry("Search", "search.index", 35))

_HITS: Final = 30


@blueprint.get("")
def index() -> str:
    """Ask for words, or show the best hits."""
    query, person = text_argument("q"), text_argument("person")
    manager = console().manager
    hits: list[SearchHit] = []
    elsewhere, too_broad = False, ""
    try:
        if query is not None:
            hits = manager.search(query[:1000], limit=_HITS, person=person)
            elsewhere = person is not None and not hits and bool(manager.search(query[:1000], limit=1))
    except BroadSearchError as error:
        too_broad = error.message
    with browse.reading(manager.data_dir) as db:
        operators = SearchOperators.known(db)
        return render_template(
            "search.html",
            operators=operators,
            unknown=[] if query is None or hits else operators.unknown(query),
            query=query,
            person=person,
            hits=hits,
            elsewhere=elsewhere,
            too_broad=too_broad,
            most=_HITS,
            names={each.id: each.name for each in browse.source_names(db)},
            addresses=browse.known_addresses(db),
        )
