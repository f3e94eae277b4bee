"""Adds a source to a data directory."""

import contextlib
from pathlib import Path
from typing import Any

from attrs import frozen

from omni_connector.cli.data import prepare_data_dir
from omni_connector.cli.errors import CommandError, ManagerRefusedError
from omni_connector.cli.inputs import SourceInputs
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.source import stable_source_id
from omni_connector.cli.stored import chosen
from omni_connector.local import LocalManager, SourceRow, open_store, running_manager
from omni_connector.local.store import DATABASE_NAME
from omni_connector.masking import SecretScope, secrets_in, secrets_in_settings


@frozen
class NewSource:
    """A source as it was typed; ``source_type`` is needed only where there is none of this name yet."""

    name: str
    source_type: str | None
    inputs: SourceInputs
    sync_interval_seconds: int | None

    def request(self, former: SourceRow | None) -> dict[str, Any]:
        """Return the body of ``POST /local/sources``: what was not typed is as it was.

        Raises:
            CommandError: its type is missing.
        """
        source_type = self.source_type or (None if former is None else former.source_type)
        if source_type is None:
            raise CommandError(
                f"{one_line(self.name)} is a new source: say what it is with --source-type TYPE."
            )
        every = self.sync_interval_seconds or (None if former is None else former.sync_interval_seconds)
        return {
            "name": self.name,
            "source_type": source_type,
            "source_id": stable_source_id("", self.name) if former is None else former.id,
            "config": self.inputs.config or (former.config if former is not None else {}),
            "credentials": self.inputs.credentials if former is not None else self.inputs.credentials or {},
            "sync_interval_seconds": every,
        }


def add_source(output: Output, data_dir: Path, source: NewSource) -> None:
    """Add a source, or change the one of its name; through the manager that uses the directory, if one does.

    Raises:
        CommandError: it cannot be added.
    """
    secrets = secrets_in(source.inputs.credentials) | secrets_in_settings(source.inputs.config)
    with SecretScope(secrets):
        former = _former(data_dir, source.name)
        request = source.request(former)
        url = running_manager(data_dir)
        if url is None:
            with contextlib.closing(LocalManager(prepare_data_dir(data_dir), schedule=False)) as manager:
                manager.add_source(**request)
        else:
            try:
                ManagerCalls(url).add_source(request)
            except ManagerRefusedError as error:
                raise CommandError(f"{one_line(source.name)} cannot be added: {error.reason}") from error
        if output.as_json:
            output.json(
                {
                    "id": request["source_id"],
                    "name": request["name"],
                    "source_type": request["source_type"],
                    "is_new": former is None,
                }
            )
        else:
            done = "added" if former is None else "changed"
            output.text(
                f"{one_line(source.name)} ({one_line(request['source_type'])}) is {done}: {request['source_id']}"
            )


def _former(data_dir: Path, name: str) -> SourceRow | None:
    if not (data_dir / DATABASE_NAME).is_file():
        return None
    sources = [each for each in open_store(data_dir).sources() if name in {each.name, each.id}]
    return chosen(sources, name, "NAME") if sources else None
