"""Approvals of many deletions: asked for by a run, given by an operator, used once.

An approval has a code, such as ``137-a1b2c3``: the number of documents, and letters that make it the approval of this one
request. It is given as a setting of the source, or by the action ``approve_deletions``, which any process may execute.
"""

import secrets
import time
from functools import partial
from typing import Any

from omni_connector.exceptions import ConfigurationError
from omni_connector.inventory.standing import RunFacts
from omni_connector.inventory.storage import VERSION, InventoryStorage, Note

APPROVE_DELETIONS = "approve_deletions"
"""Key of the source's settings, and name of the action."""


def approve(storage: InventoryStorage, code: str) -> int:
    """Approve the deletions that a run has asked for; return how many there are at most.

    Raises:
        ConfigurationError: no run has asked for it, or the approval was used.
        RunStoreError: the storage cannot be used now.
    """
    count = storage.update(_name(code), _approve) if code == code.strip() and code else None
    if count is None:
        raise ConfigurationError(
            f"{code!r} is not a code that a sync has asked for and that is still open. Copy it from the latest "
            f'warning of the source, such as {APPROVE_DELETIONS}="137-a1b2c3".'
        )
    return count


def is_approved(storage: InventoryStorage, facts: RunFacts, scope: str, count: int) -> bool:
    """Say whether so many deletions in a scope are approved, and let the approval be that of this run alone."""
    code = _asked(storage, facts, scope)
    if not code:
        return False
    given = code in _codes(facts.config)
    return storage.update(
        _name(code), partial(_use, run_id=facts.sync_run_id, count=count, is_given_by_setting=given)
    )


def ask(storage: InventoryStorage, facts: RunFacts, scope: str, count: int) -> str:
    """Return the code by which so many deletions in a scope can be approved."""
    code = _asked(storage, facts, scope)
    if code:
        note = storage.note(_name(code))
        if note and not note["used_by"] and note["count"] == count:
            return code
    code = f"{count}-{secrets.token_hex(3)}"
    storage.update(_name(code), partial(_open, source=facts.source, scope=scope, count=count))
    storage.update(facts.source, partial(_remember, scope=scope, code=code))
    return code


def _asked(storage: InventoryStorage, facts: RunFacts, scope: str) -> str:
    return str(storage.note(facts.source).get("asked", {}).get(scope, ""))


def _codes(config: Any) -> set[str]:
    given = config.get(APPROVE_DELETIONS) if isinstance(config, dict) else None
    texts = given if isinstance(given, list) else [given]
    return {code for text in texts if isinstance(text, str) for code in text.replace(",", " ").split()}


def _name(code: str) -> str:
    return f"approval/{code}"


def _open(note: Note, *, source: str, scope: str, count: int) -> None:
    note.update(
        v=VERSION, used=time.time(), source=source, scope=scope, count=count, approved=False, used_by=""
    )


def _remember(note: Note, *, scope: str, code: str) -> None:
    note.setdefault("asked", {})[scope] = code


def _approve(note: Note) -> int | None:
    if not note or note["used_by"]:
        return None
    note["approved"] = True
    return int(note["count"])


def _use(note: Note, *, run_id: str, count: int, is_given_by_setting: bool) -> bool:
    is_usable = (
        bool(note)
        and (note["approved"] or is_given_by_setting)
        and note["used_by"] in {"", run_id}
        and count <= note["count"]
    )
    if is_usable:
        note["used_by"] = run_id
    return is_usable
