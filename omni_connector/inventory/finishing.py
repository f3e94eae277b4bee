"""The end of a listing: what it has not found is deleted, unless there is a reason not to."""

from collections.abc import Callable

from omni_connector.inventory.approvals import APPROVE_DELETIONS, ask, is_approved
from omni_connector.inventory.listing import Listing
from omni_connector.inventory.of_run import RunInventories
from omni_connector.inventory.standing import RunFacts

FEW = 10_000
"""Documents that are gone whose ids are kept between counting and deleting them."""


def finish(inventories: RunInventories, listing: Listing, delete: Callable[[list[str]], None]) -> str:
    """Delete what was not seen in a listing that is complete; return why nothing was deleted, if so.

    Args:
        inventories: of the run.
        listing: the scope.
        delete: is given ids, page by page; those that no other scope has are to be deleted.
    """
    facts, terms = inventories.facts, inventories.terms
    standing = inventories.scopes.open(listing)
    inventories.commit()
    place = _place(facts, listing.scope)
    if not (standing.is_whole or listing.is_whole):
        return (
            f"Nothing was deleted{place and f' in {place}'}: the inventory does not know the checkpoint that this run was given, so "
            "this run may not have listed everything. The next run that lists everything deletes what is gone."
        )
    found = 0
    few: list[list[str]] | None = []
    for page in inventories.unseen(listing):
        with inventories.releasing(listing, page) as going:
            found += len(going)
        if few is not None:  # They are not listed twice.
            few = [*few, page] if found <= FEW else None
    # A run that begins again may miss documents that it has sent itself.
    known = max(listing.known or 0, found)
    if terms.limits.needs_approval(
        deleted=found, known=known, is_empty=not listing.has_listed
    ) and not is_approved(terms.storage, facts, listing.scope, found):
        code = ask(terms.storage, facts, listing.scope, found)
        action = (
            f', or run the action {APPROVE_DELETIONS} with {{"approval": "{code}"}}'
            if terms.has_action
            else ""
        )
        return (
            f"{found} of {_documents(known)}{place and f' of {place}'} {'was' if found == 1 else 'were'} not found any more. "
            f"So many are deleted only with approval: nothing was deleted. If they are gone on purpose, set {APPROVE_DELETIONS} to {code!r} in the source's settings{action}. "
            f"It counts once, for at most {_documents(found)}."
        )
    for page in inventories.unseen(listing) if few is None else few:
        delete(page)
    listing.is_reconciled = not listing.unread
    return ""


def _place(facts: RunFacts, scope: str) -> str:
    """Return which part of a source was listed; empty for all of it. Whatever shows the text names the source."""
    scopes = [f"scope {scope!r}"] if scope else []
    if facts.partition_of:
        scopes.append(f"partition {facts.source.removeprefix(f'{facts.partition_of}/')!r}")
    return " of ".join(scopes)


def _documents(number: int) -> str:
    return f"{number} document" if number == 1 else f"{number} documents"
