"""One sync on this machine: the connector and the embedded manager in this process, with real HTTP between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from omni_connector.cli.data import prepare_data_dir
from omni_connector.cli.errors import ManagerRefusedError
from omni_connector.cli.follow import RunFollower
from omni_connector.cli.logs import LastSourceWarning
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.progress import progress_view
from omni_connector.cli.session import Session
from omni_connector.cli.source import SourceOptions, put_source, replacement_note
from omni_connector.cli.summary import RunSummary
from omni_connector.cli.typed_inputs import missing_remedy
from omni_connector.connector_base.source_types import note_on_source_types
from omni_connector.exceptions import ConfigurationError, SdkClientError
from omni_connector.local import LocalManager, LocalSettings, SourceRow, open_store
from omni_connector.local_service import LocalService
from omni_connector.models import SyncMode
from omni_connector.models.json_values import JsonValue
from omni_connector.runtime.run import RunReport

UNLIMITED = 10_000
"""Runs at a time: one that a killed process left behind must not keep this one from starting."""


@frozen(kw_only=True)
class RunOptions:
    """What is to be run.

    Attributes:
        source: the source.
        mode: how; incremental where the connector can, if None.
        data_dir: where the embedded manager keeps its data.
        timeout_seconds: after which the run is cancelled, or None.
    """

    source: SourceOptions
    mode: str | None
    data_dir: Path
    timeout_seconds: float | None = None


class LocalRun:
    """Runs one sync of a connector, with everything around it.

    Args:
        session: the connector, where progress and notes are shown, and what says when to stop.
        options: what is to be run.
    """

    def __init__(self, session: Session, options: RunOptions) -> None:
        self._connector = session.connector
        self._options = options
        self._replaces_config = session.inputs.replaces_config
        self._output = session.output
        self._signals = session.signals

    def run(self) -> RunSummary:
        """Sync once and return what came of it.

        Raises:
            ConfigurationError: the connector or the data directory cannot be used.
            ManagerRefusedError: the sync could not be started.
        """
        with self._manager() as manager, LastSourceWarning() as warned:
            with self._served(manager) as served:
                manifest = served.service.manifest()
                mode = self._mode(_texts(manifest["sync_modes"]))
                source = self._source(manager, _texts(manifest["source_types"]))
                self._signals.defer()  # From here on a signal cancels the run instead of ending everything.
                run_id, is_resumed = self._start(manager, served, source, mode)
                follower, figures = self._follow(manager, served, run_id)
            # The service is closed: its figures are final, also for a connector that was slow to stop.
            report = served.service.report(run_id) or figures
            stored = open_store(self._options.data_dir)
            return RunSummary(
                connector_name=self._connector.name,
                connector_version=self._connector.version,
                source=manager.source(source.id),
                requested_mode=mode,
                resumed=is_resumed,
                run=manager.run(run_id),
                report=report,
                dead_letters=stored.events(run_id, status="dead_letter"),
                documents_in_index=stored.count_documents(source.id),
                data_dir=self._options.data_dir,
                timeout_seconds=self._options.timeout_seconds if follower.timed_out else None,
                last_warning=warned.text,
                signal=self._signals.received,
                seconds=follower.elapsed_seconds() if follower.stopped else report.seconds,
            )

    @contextmanager
    def _manager(self) -> Iterator[LocalManager]:
        """Run the embedded manager. It starts nothing by itself, except the realtime run that was asked for."""
        data_dir = prepare_data_dir(self._options.data_dir)
        settings = LocalSettings(max_concurrent_syncs=UNLIMITED, max_concurrent_syncs_per_type=UNLIMITED)
        is_realtime = self._options.mode == SyncMode.REALTIME
        with LocalManager(data_dir, settings=settings, schedule=is_realtime) as manager:
            yield manager

    @contextmanager
    def _served(self, manager: LocalManager) -> Iterator[LocalService]:
        """Serve the connector and register it."""
        name = self._connector.name
        try:
            served = LocalService(self._connector, manager, from_environ=True)
        except SdkClientError as error:
            raise ConfigurationError(f"{name}: the manager refuses its manifest. {error}") from error
        with served:
            yield served

    def _source(self, manager: LocalManager, source_types: list[str]) -> SourceRow:
        source, changes = put_source(manager, self._connector.name, source_types, self._options.source)
        note = note_on_source_types(source_types)
        if note is not None:
            self._output.say(f"Note: {note}", "yellow")
        if changes and self._replaces_config:
            self._output.say(replacement_note(source.name), "yellow")
        if changes and source.has_checkpoint:
            self._output.say(
                f"Note: the configuration differs from the last run's ({', '.join(changes)}), whose checkpoint is "
                "still used. --source NAME makes another source of it, --mode full reads everything again.",
                "yellow",
            )
        return source

    def _mode(self, listed: list[str]) -> str:
        """Return the mode to ask for; by default the one that the manager's scheduler chooses (PROTOCOL, section 4)."""
        asked_for = self._options.mode
        if asked_for is None:
            return SyncMode.INCREMENTAL if SyncMode.INCREMENTAL in listed else SyncMode.FULL
        if asked_for not in listed and asked_for != SyncMode.FULL:
            raise ConfigurationError(
                f"--mode {asked_for}: {self._connector.name} does not list this mode. Its sync_modes: "
                f"{', '.join(listed) or 'none'}."
            )
        return asked_for

    def _start(
        self, manager: LocalManager, served: LocalService, source: SourceRow, mode: str
    ) -> tuple[str, bool]:
        """Return the run to follow: one that a killed process left behind, or a new one; and which of the two."""
        calls = ManagerCalls(manager.url)
        for run in manager.runs(source.id):
            if not run.is_running or run.slot_class != SyncMode(mode).slot:
                continue
            if run.sync_type == mode or self._options.mode != SyncMode.FULL:
                manager.probe(run.id)  # No process runs it: the manager sends it to the connector again.
                if served.service.report(run.id) is not None:
                    self._output.say("Resuming an interrupted run from its checkpoint.", "yellow")
                    return run.id, True
            calls.cancel(run.id)
        try:
            return calls.start_sync(source.id, mode), False
        except ManagerRefusedError as error:
            said = "\n".join(missing_remedy(line) for line in str(error).splitlines())
            raise ManagerRefusedError(said, status=error.status) from error

    def _follow(
        self, manager: LocalManager, served: LocalService, run_id: str
    ) -> tuple[RunFollower, RunReport]:
        view = progress_view(self._output)
        self._signals.before_end = view.abandon
        follower = RunFollower(run_id, served=served, view=view, signals=self._signals)
        try:
            label = f"{manager.run(run_id).sync_type} sync"
            return follower, follower.until_ended(label, self._options.timeout_seconds)
        finally:
            view.close()


def _texts(value: JsonValue) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
