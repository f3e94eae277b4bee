"""Adds a source to a data directory."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from attrs import frozen

from omni_connector.cli.data import prepare_data_dir
from omni_connector.cli.errors import CommandError, ManagerRefusedError
from omni_connector.cli.inputs import SourceInputs
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.source import known_source, stable_source_id
from omni_connector.local import LocalManager, SourceRow, open_store, running_manager
from omni_connector.local.store import DATABASE_NAME
from omni_connector.masking import SecretScope, secrets_in, secrets_in_settings
from omni_connector.models.json_values import JsonValue


@frozen
class NewSource:
    """A source as it was typed; ``source_type`` is needed only where there is none of this name yet."""

    name: str
    source_type: str | None
    inputs: SourceInputs
    sync_interval_seconds: int | None

    def request(self) -> dict[str, Any]:
        """Return the body of ``POST /local/sources``.

        Raises:
            CommandError: its type is missing.
        """
        if self.source_type is None:
            raise CommandError(
                f"{one_line(self.name)} is a new source: say what it is with --source-type TYPE."
            )
        return {
            "name": self.name,
            "source_type": self.source_type,
            "source_id": stable_source_id("", self.name),
            "config": self.inputs.config,
            "credentials": self.inputs.credentials or {},
            "sync_interval_seconds": self.sync_interval_seconds,
        }

    def changes(self, former: SourceRow, credentials: JsonValue) -> dict[str, Any]:
        """Return the body of ``PATCH /local/sources/{id}``: what was typed, on top of what is stored."""
        inputs = self.inputs.over(former.config, credentials)
        typed = {
            "source_type": self.source_type,
            "config": inputs.config,
            "credentials": inputs.credentials if self.inputs.credentials is not None else None,
            "sync_interval_seconds": self.sync_interval_seconds,
            "is_active": True,
        }
        return {key: value for key, value in typed.items() if value is not None}


def add_source(output: Output, data_dir: Path, source: NewSource) -> None:
    """Add a source, or change the one of its name; through the manager that uses the directory, if one does.

    Raises:
        CommandError: it cannot be added.
    """
    inputs = source.inputs
    with SecretScope(secrets_in(inputs.credentials) | secrets_in_settings(inputs.config)):
        former, stored = _former(data_dir, source)
        try:
            with _manager(data_dir) as manager:
                if former is None:
                    row = manager.add_source(source.request())
                else:
                    row = manager.change_source(former.id, source.changes(former, stored))
        except ManagerRefusedError as error:
            done = "added" if former is None else "changed"
            raise CommandError(f"{one_line(source.name)} cannot be {done}: {error.reason}") from error
    if output.as_json:
        shown = {name: row[name] for name in ("id", "name", "source_type")}
        output.json({**shown, "is_new": former is None})
    else:
        done = "added" if former is None else "changed"
        output.text(f"{one_line(row['name'])} ({one_line(row['source_type'])}) is {done}: {row['id']}")


@contextlib.contextmanager
def _manager(data_dir: Path) -> Iterator[ManagerCalls]:
    """Reach the manager that uses the directory, or one that does for the length of this block."""
    url = running_manager(data_dir)
    if url is not None:
        yield ManagerCalls(url)
        return
    with LocalManager(prepare_data_dir(data_dir), schedule=False) as manager:
        yield ManagerCalls(manager.url)


def _former(data_dir: Path, source: NewSource) -> tuple[SourceRow | None, JsonValue]:
    """Return the source of this name and its credentials; one of the type that was typed, if there is such a one."""
    if not (data_dir / DATABASE_NAME).is_file():
        return None, None
    store = open_store(data_dir)
    of_type = None if source.source_type is None else [source.source_type]
    found = known_source(store.sources(), source.name, of_type)
    if found is None:
        found = known_source(store.sources(), source.name, None)
    return found, None if found is None else store.credentials(found.id)
