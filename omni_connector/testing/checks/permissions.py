"""Who finds a document: nothing is public by accident, every group is known, addresses are written in lower case."""

import re
from collections.abc import Iterator
from typing import Any

from omni_connector.models.events import CREATED, UPDATED
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.comparing import counted, named
from omni_connector.testing.checks.finding import Finding, NotApplicableError

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


def find(bench: Bench) -> Iterator[Finding]:
    """Look at the permissions of everything that a full sync brings."""
    result = bench.first
    permissions = {
        event["document_id"]: event.get("permissions") or {}
        for event in result.events
        if event["type"] in {CREATED, UPDATED}
    }
    if not permissions:
        raise NotApplicableError("a full sync of this source brings no document")
    public = [name for name, found in permissions.items() if found.get("public")]
    if public and not bench.subject.is_public:
        yield Finding(
            what=f"{counted(public)} of {len(permissions)} can be found by everybody.",
            where=named(public),
            why="Whoever may use the search reads them, whatever the source itself allows.",
            remedy="Give users and groups in DocumentPermissions. If the source is open to everybody, say so: --public, or "
            "is_public = True in the class of standard tests.",
        )
    alone = [
        name
        for name, found in permissions.items()
        if not any(found.get(key) for key in ("public", "users", "groups"))
    ]
    if alone:
        yield Finding(
            what=f"{counted(alone)} of {len(permissions)} can be found by no user.",
            where=named(alone),
            why="They are indexed, and no search shows them.",
            remedy="Give permissions=DocumentPermissions(...) with public, users or groups.",
        )
    yield from _addresses(permissions)
    yield from _groups(bench, permissions, set(result.groups))


def _addresses(permissions: dict[str, Any]) -> Iterator[Finding]:
    for name, found in permissions.items():
        for address in [*found.get("users", ()), *(each for each in found.get("groups", ()) if "@" in each)]:
            if address != address.lower():
                yield Finding(
                    what=f"The address {address} is not in lower case.",
                    where=f"document {name!r}",
                    why="The manager compares addresses as they are written, so that this user does not find it.",
                    remedy="Give addresses to DocumentPermissions(...), which writes them in lower case, and do not change "
                    "the lists afterwards.",
                )
                return
    for name, found in permissions.items():
        for address in found.get("users", ()):
            if not _ADDRESS.fullmatch(address):
                yield Finding(
                    what=f"The user {address!r} is no e-mail address.",
                    where=f"document {name!r}",
                    why="Omni knows users by their e-mail address: by any other name, the permission matches no user.",
                    remedy="Look the address of the account up at the source.",
                )
                return


def _groups(bench: Bench, permissions: dict[str, Any], emitted: set[str]) -> Iterator[Finding]:
    known = emitted | bench.subject.known_groups
    by_group: dict[str, str] = {}
    for name, found in permissions.items():
        for group in found.get("groups", ()):
            if group not in known and not _DOMAIN.fullmatch(group):
                by_group.setdefault(group, name)
    for group, name in by_group.items():
        yield Finding(
            what=f"No sync says who is in the group {group!r}.",
            where=f"document {name!r}",
            why="The members of the group do not find the document.",
            remedy="Call emit_group_membership for it, with the same name. If another connector does, say so: --known-group, or "
            "known_groups in the class of standard tests.",
        )
