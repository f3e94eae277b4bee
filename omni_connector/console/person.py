"""As a person: what somebody finds and why, and what not and why not."""

from typing import Final

from flask import Blueprint, render_template, request

from omni_connector.console.lists import Position, chosen, text_argument
from omni_connector.console.page import Entry, Page, console
from omni_connector.local import browse

blueprint = Blueprint("person", __name__, url_prefix="/console/person")
page = Page(blueprint, Entry("As a person", "person.index", 40))

_SHOWN: Final = {"found": "Finds", "withheld": "Does not find"}


@blueprint.get("")
def index() -> str:
    """Ask for an address, or show what it finds."""
    email, source_id = text_argument("email"), text_argument("source")
    shown = chosen("show", _SHOWN) or "found"
    position = Position.of_request()
    with browse.reading(console().manager.data_dir) as db:
        suggested = {"addresses": browse.known_addresses(db), "sources": browse.source_names(db)}
        if email is None or "@" not in email:
            return render_template("person.html", email=email, access=None, **suggested)
        access = browse.Access.of(db, email)
        wanted = browse.DocumentFilter(access=access, source_id=source_id)
        if shown == "found":
            documents = browse.list_documents(db, wanted, after=position.after)
        else:
            documents = browse.list_withheld(db, access, source_id, after=position.after)
        return render_template(
            "person.html",
            email=email,
            access=access,
            count=browse.count_documents(db, wanted),
            person=browse.find_person(db, access.person),
            shown=shown,
            tabs=_SHOWN,
            verdicts=[(item, browse.judge(db, access, item)) for item in documents.items],
            pages=position.neighbours(documents),
            **suggested,
        )


@blueprint.get("/addresses")
def addresses() -> str:
    """Return suggestions for an address that is being typed."""
    typed = next((value for value in request.args.values() if value), "")
    with browse.reading(console().manager.data_dir) as db:
        return render_template("addresses.html", addresses=browse.known_addresses(db, typed[:200]))
