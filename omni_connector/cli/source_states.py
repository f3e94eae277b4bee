"""The two states of sources: shown, and reset."""

import contextlib
import json
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from omni_connector.cli.errors import CommandError, ManagerRefusedError
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.stored import chosen, only_one
from omni_connector.local import LocalManager, SourceRow, StoreReader, open_store, running_manager
from omni_connector.masking import SecretScope, secrets_in, secrets_in_settings
from omni_connector.models.json_values import JsonValue
from omni_connector.runstore.inventory_lookup import knows_what_was_sent, without_checkpoint

SHOWN_CHARACTERS = 600


def show_states(output: Output, data_dir: Path, name: str | None) -> None:
    """Show the states of all sources, or of one."""
    store = open_store(data_dir)
    sources = _sources(store)
    shown = sources if name is None else [chosen(sources, name)]
    with _masked(store, shown):
        if output.as_json:
            output.json({"sources": [_as_json(store, each) for each in shown]})
            return
        if not shown:
            output.text(f"There is no source in {data_dir}.")
        for source in shown:
            output.text(Text(f"{one_line(source.name)} ({one_line(source.source_type)})", "bold"))
            output.rows(_rows(data_dir, store, source))


def reset_state(
    output: Output, data_dir: Path, name: str | None, *, with_connector_state: bool, is_confirmed: bool
) -> None:
    """Forget the checkpoint of a source, once that is confirmed.

    Raises:
        CommandError: there is no such source, or a sync of it is in progress.
    """
    store = open_store(data_dir)
    sources = _sources(store)
    source = only_one(sources) if name is None else chosen(sources, name)
    former = source
    forgotten = "checkpoint and the connector state" if with_connector_state else "checkpoint"
    if not is_confirmed:
        question = f"Forget the {forgotten} of {one_line(source.name)}? The next sync is given none."
        try:
            click.confirm(question, abort=True, err=True)
        except click.Abort:
            click.echo(err=True)  # The cursor stands behind the question.
            raise CommandError("Nothing was changed. Without a terminal, give --yes.") from None
    url = running_manager(data_dir)
    if url is None:
        with contextlib.closing(LocalManager(data_dir, schedule=False)) as manager:
            manager.reset_source(source.id, connector_state=with_connector_state, abandon_runs=True)
    else:
        try:
            ManagerCalls(url).reset_source(source.id, connector_state=with_connector_state)
        except ManagerRefusedError as error:
            raise CommandError(f"{one_line(source.name)} cannot be reset: {error.reason}.") from error
    source = chosen(_sources(store), source.id)
    if output.as_json:
        with _masked(store, [source]):
            output.json({"sources": [_as_json(store, source)]})
    else:
        output.text(f"{one_line(source.name)}: {_forgotten(data_dir, former, source)}")


def _forgotten(data_dir: Path, former: SourceRow, source: SourceRow) -> str:
    """Return what a reset has done."""
    states = [("checkpoint", former.has_checkpoint)]
    if source.connector_state is None:
        states.append(("connector state", former.connector_state is not None))
    lost = " and the ".join(name for name, was_there in states if was_there)
    said = f"the {lost} is forgotten" if lost else "there was nothing to forget"
    if former.has_checkpoint or not knows_what_was_sent(data_dir, source.id):
        return f"{said}; the next sync is given no checkpoint."
    return (
        f"{said}. What was sent is in the inventory, which a reset keeps: the next incremental sync sends only what is "
        "new or changed. To send everything again, run with --mode full."
    )


def _sources(store: StoreReader) -> list[SourceRow]:
    return [each for each in store.sources() if not each.is_deleted]


def _rows(data_dir: Path, store: StoreReader, source: SourceRow) -> list[tuple[str, Text]]:
    running = _running(store, source)
    checkpoint = (
        _shown(source.checkpoint) if source.has_checkpoint else without_checkpoint(data_dir, source.id)
    )
    rows = [("Checkpoint", Text(checkpoint)), ("Connector", Text(_shown(source.connector_state)))]
    return rows if running is None else [*rows, ("Sync", Text(f"{running} is in progress"))]


def _as_json(store: StoreReader, source: SourceRow) -> dict[str, Any]:
    return {
        "id": source.id,
        "name": source.name,
        "source_type": source.source_type,
        "has_checkpoint": source.has_checkpoint,
        "checkpoint": source.checkpoint,
        "connector_state": source.connector_state,
        "running_sync_run_id": _running(store, source),
    }


def _running(store: StoreReader, source: SourceRow) -> str | None:
    return next((run.id for run in store.runs(source.id) if run.is_running), None)


def _shown(value: JsonValue) -> str:
    return (
        "none" if value is None else one_line(json.dumps(value, ensure_ascii=False), longest=SHOWN_CHARACTERS)
    )


def _masked(store: StoreReader, sources: list[SourceRow]) -> SecretScope:
    """Mask the credentials of the sources, and what has the name of a secret in their states."""
    secrets: set[str] = set()
    for source in sources:
        secrets |= secrets_in(store.credentials(source.id))
        secrets |= secrets_in_settings([source.checkpoint, source.connector_state])
    return SecretScope(frozenset(secrets))
