"""Inventories of sources that are not synced any more are removed: the manager does not say when it deletes a source."""

from functools import partial

from omni_connector.inventory.storage import InventoryStorage, Note, Shelf

UNUSED_SECONDS = 180 * 86_400
"""So long after its last run the inventory of a source goes. If the source is synced again, it is sent as a whole."""

LOOK_SECONDS = 86_400

LOOKED = "unused"
"""Name of the note that says when a process last looked."""


def remove_unused(storage: InventoryStorage, now: float) -> list[str]:
    """Remove what was not used for long; once a day one of all processes does. Return the notes that are gone."""
    if not _is_due(storage.note(LOOKED), now) or not storage.update(LOOKED, partial(_take_turn, now=now)):
        return []
    gone = []
    for name in storage.names():
        note = storage.note(name)
        if note.get("used", now) < now - UNUSED_SECONDS:
            storage.remove(name, [Shelf(name, scope) for scope in note.get("scopes", ())])
            gone.append(name)
    return gone


def _is_due(note: Note, now: float) -> bool:
    return not 0 <= now - note.get("at", 0.0) < LOOK_SECONDS


def _take_turn(note: Note, now: float) -> bool:
    is_due = _is_due(note, now)
    if is_due:
        note["at"] = now
    return is_due
