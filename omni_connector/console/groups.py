"""Groups with their members, and people with their groups."""

from typing import Final

from flask import Blueprint, abort, render_template, request

from omni_connector.console.lists import same_page, text_argument
from omni_connector.console.page import Entry, Page, console
from omni_connector.local import browse

blueprint = Blueprint("groups", __name__, url_prefix="/console/groups")
page = Page(blueprint, Entry("Groups and people", "groups.index", 45))

_MEMBERS_SHOWN: Final = 500


@blueprint.get("")
def index() -> str:
    """List groups."""
    after = (request.args.get("after", ""), request.args.get("after_source", ""))
    with browse.reading(console().manager.data_dir) as db:
        groups = browse.list_groups(db, text_argument("q"), after=after)
    following = None
    if groups.next is not None:
        following = same_page(after=groups.next[0], after_source=groups.next[1])
    first = same_page(after=None, after_source=None) if any(after) else None
    return render_template("groups.html", groups=groups.items, pages=(first, following))


@blueprint.get("/one")
def group() -> str:
    """Show one group with its members."""
    with browse.reading(console().manager.data_dir) as db:
        found = browse.find_group(db, request.args.get("source", ""), request.args.get("email", ""))
        if found is None:
            abort(404, "No source has sent a group with this address.")
        item, members = found
        return render_template("group.html", group=item, members=members[:_MEMBERS_SHOWN], total=len(members))


@blueprint.get("/people")
def people() -> str:
    """List people."""
    after = request.args.get("after", "")
    with browse.reading(console().manager.data_dir) as db:
        found = browse.list_people(db, text_argument("q"), after=after)
    following = None if found.next is None else same_page(after=found.next)
    return render_template(
        "people.html", people=found.items, pages=(same_page(after=None) if after else None, following)
    )
