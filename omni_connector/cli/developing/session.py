"""The command's own process: the embedded manager with the console, and the connector beside it."""

import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from omni_connector.cli.data import prepare_data_dir
from omni_connector.cli.developing.lines import ConnectorLines
from omni_connector.cli.developing.messages import Order, Started
from omni_connector.cli.developing.supervisor import Changed, Ended, Supervisor
from omni_connector.cli.inputs import SourceInputs
from omni_connector.cli.local_manager import checked_host, start_manager
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.signals import StopSignals
from omni_connector.cli.source import SourceOptions, known_source, put_source, replacement_note
from omni_connector.console import Console, install
from omni_connector.console.connector_process import Failure
from omni_connector.console.run_logs import ENDED, RunLog, RunLogs
from omni_connector.exceptions import ConfigurationError
from omni_connector.local import LocalManager, LocalManagerError, LocalSettings, SourceRow
from omni_connector.masking import SecretScope, secrets_in, secrets_in_settings
from omni_connector.target import require_file
from omni_connector.typed.values import MISSING

LOOK_SECONDS = 0.2
"""Between two looks whether a file has changed."""


@frozen(kw_only=True)
class DevOptions:
    """What is wanted.

    Attributes:
        target: names the connector.
        host: address to listen on.
        port: port to listen on.
        data_dir: where the embedded manager keeps its data.
        inputs: the source, as it was typed.
        source_name: the connector's name if None.
        source_type: the connector's first if None.
        allowed_hosts: further names by which browsers may ask.
        watched: further files.
        opens_browser: show the console.
        is_verbose: show the whole log.
    """

    target: str
    host: str
    port: int
    data_dir: Path
    inputs: SourceInputs
    source_name: str | None
    source_type: str | None
    allowed_hosts: Sequence[str] = ()
    watched: Sequence[Path] = ()
    opens_browser: bool = False
    is_verbose: bool = False

    @property
    def describes_source(self) -> bool:
        """Whether the command line says anything about the source's settings."""
        return bool(self.inputs.config or self.inputs.credentials or self.inputs.replaces_config)


class DevSession:
    """Runs until a signal comes.

    Args:
        options: what is wanted.
        output: the terminal.
    """

    def __init__(self, options: DevOptions, output: Output) -> None:
        self._options = options
        self._output = output
        self._logs = RunLogs()
        self._has_source = False
        self._manager: LocalManager
        self._console: Console
        self._supervisor: Supervisor

    def run(self) -> None:
        """Serve the console and the connector.

        Raises:
            ConfigurationError: the target is no file, or the address cannot be used.
            StoreError: the data directory cannot be used.
        """
        options = self._options
        require_file(options.target)  # One that is there later would be another than was meant.
        secrets = secrets_in(options.inputs.credentials) | secrets_in_settings(options.inputs.config)
        with SecretScope(secrets), StopSignals() as signals:
            self._manager = LocalManager(
                prepare_data_dir(options.data_dir),
                settings=LocalSettings(allowed_hosts=tuple(options.allowed_hosts)),
                host=checked_host(options.host),
                port=options.port,
            )
            try:
                self._console = Console(manager=self._manager, logs=self._logs)
                install(self._console)
                start_manager(self._manager, options.host, options.port)
                self._supervise(signals)
                left = self._in_progress()
            finally:
                self._manager.close()
        self._output.event("stopped", {})
        self._output.say(" ".join(["Stopped.", *left]))

    def _supervise(self, signals: StopSignals) -> None:
        options = self._options
        lines = ConnectorLines(
            self._output,
            self._logs,
            data_dir=options.data_dir,
            is_verbose=options.is_verbose,
            on_run=self._run_moved,
            name_of=self._name_of,
        )
        self._supervisor = Supervisor(self._order(), lines, [str(each.resolve()) for each in options.watched])
        self._console.connector = self._supervisor
        signals.defer()
        url = self._manager.url
        self._output.event("listening", {"url": url, "data_dir": str(options.data_dir)})
        if not self._output.as_json:
            self._output.text(f"Console  {url}")
        self._output.say(f"Data in {options.data_dir}. Stop with Ctrl-C.", "dim")
        self._supervisor.start()
        try:
            if options.opens_browser:
                webbrowser.open(self._manager.url)
            while not signals.wait(LOOK_SECONDS):
                self._act_on(self._supervisor.look())
                self._console.rates.look()
        finally:
            self._supervisor.close()  # Before the manager, which takes what runs have still to deliver.

    def _order(self) -> Order:
        options = self._options
        return Order(
            target=options.target,
            manager_url=self._manager.url,
            data_dir=str(options.data_dir.resolve()),
            config=options.inputs.config,
            assignments=[[key, text] for key, text in options.inputs.assignments],
            credentials=options.inputs.credentials,
            source_name=options.source_name,
            replaces_config=options.inputs.replaces_config,
            replaces_credentials=options.inputs.replaces_credentials,
        )

    def _act_on(self, event: Started | Failure | Ended | Changed | None) -> None:
        if isinstance(event, Started):
            self._started(event)
        elif isinstance(event, Changed):
            names = ", ".join(_short(each) for each in event.files)
            self._output.say(
                f"{names} changed; the connector starts again." if names else "The connector starts again."
            )
            self._output.event("restarting", {"files": event.files})
            self._supervisor.start()
        elif isinstance(event, Failure):
            self._failed(event)
        elif isinstance(event, Ended):
            self._failed(event.as_failure())

    def _started(self, started: Started) -> None:
        """Give the connector its source, the first time, and the runs in progress that it has lost."""
        self._console.declared = dict.fromkeys(started.source_types, started.schemas)
        for note in started.notes:
            self._output.say(f"Note: {note}", "yellow")
        said = "" if self._has_source else self._put_source(started)
        self._output.event(
            "started",
            {
                "connector": started.name,
                "source_types": started.source_types,
                "source_ids": [
                    each.id for each in self._manager.sources() if each.source_type in started.source_types
                ],
                "problems": started.problems,
                "notes": started.notes,
            },
        )
        self._output.say(f"{started.name} is running.", "green")
        if said:
            self._output.say(said, "yellow" if started.problems else "")
        self._resume(started.source_types)

    def _put_source(self, started: Started) -> str:
        """Give the connector its source; return what there is to say about it."""
        try:
            source = self._source_of(started)
        except ConfigurationError as error:
            return "\n".join(error.problems)
        self._has_source = True
        if source is None:
            return ""
        where = f"{self._manager.url}/console/sources/{source.id}"
        problems = "\n".join(f"  - {each}" for each in started.problems)
        if self._is_refused(started):
            return (
                f"What was typed for the source is refused, and nothing of it is stored:\n{problems}\n"
                f"Start again with other options, or change the settings at {where}"
            )
        if problems:
            return f"The source needs settings:\n{problems}\nGive them here, or at {where}"
        return f"Sync it at {where}"

    def _source_of(self, started: Started) -> SourceRow | None:
        """Return the source, made or changed as the command line says; None where one is there and nothing was said."""
        options = self._options
        if not started.source_types:
            raise ConfigurationError(
                f"{started.name} has no source_types, so it has no source: give it some."
            )
        name = options.source_name or started.name
        known = [each for each in self._manager.sources() if not each.is_deleted]
        former = known_source(known, name, started.source_types, started.name)
        if former is not None and (self._is_refused(started) or not options.describes_source):
            return former
        is_wanted = options.describes_source or options.source_name is not None
        if not is_wanted and any(each.source_type in started.source_types for each in known):
            return None
        is_refused = self._is_refused(started)
        wanted = SourceOptions(
            name=name,
            source_type=options.source_type,
            config={} if is_refused else started.config,
            credentials=None if is_refused else started.credentials,
        )
        source, changes = put_source(self._manager, started.name, started.source_types, wanted)
        if former is not None and changes and options.inputs.replaces_config:
            self._output.say(replacement_note(source.name), "yellow")
        return source

    def _is_refused(self, started: Started) -> bool:
        """Say whether the connector's settings refuse what was typed; what is only missing can still be given."""
        is_whole = started.is_known and self._options.inputs.replaces_config
        return self._options.describes_source and any(
            is_whole or MISSING not in each for each in started.problems
        )

    def _resume(self, source_types: Sequence[str]) -> None:
        """Have the runs in progress sent to the new process, which continues from their last checkpoint."""
        for source in self._manager.sources():
            if source.source_type not in source_types:
                continue
            for run in self._manager.runs(source.id):
                if not run.is_running:
                    continue
                self._output.say(
                    f"The {run.sync_type} sync of {source.name} goes on from its last checkpoint."
                )
                try:
                    self._manager.probe(run.id)
                    self._manager.probe(
                        run.id
                    )  # It runs: the manager forgets that it was lost, however often that happens.
                except LocalManagerError as error:
                    self._output.say(str(error), "yellow")

    def _in_progress(self) -> list[str]:
        """Return a sentence for each run that the next ``dev`` resumes."""
        return [
            f"The {run.sync_type} sync of {one_line(source.name)} goes on from its last checkpoint at the next start."
            for source in self._manager.sources()
            for run in self._manager.runs(source.id)
            if run.is_running
        ]

    def _run_moved(self, record: Mapping[str, Any], log: RunLog) -> None:
        """Tell programs that a run was started, or has ended: as ``run --json`` says it, as far as it is known here."""
        if not self._output.as_json:
            return
        source_id = str(record.get("source_id"))
        facts: dict[str, Any] = {
            "sync_run_id": record.get("sync_run_id"),
            "source": {"id": source_id, "name": self._name_of(source_id)},
            "sync_mode": record.get("sync_mode"),
        }
        if record.get("event") != ENDED:
            self._output.event("run_started", facts)
            return
        names = ("scanned", "emitted", "deleted", "seconds", "documents_per_second")
        failed = [line for line in log.lines if line.level == "ERROR" and not line.document_id]
        text = "\n".join(filter(None, (failed[-1].text, failed[-1].traceback))) if failed else ""
        reason, _, traceback = text.partition("\nTraceback ")
        facts |= {"status": log.outcome, **{name: record.get(name) for name in names}, **log.report()}
        facts |= {
            "reason": reason or None if log.outcome == "failed" else None,
            "traceback": f"Traceback {traceback}" if traceback and log.outcome == "failed" else None,
        }
        self._output.event("run_ended", facts)

    def _name_of(self, source_id: str) -> str | None:
        return next((each.name for each in self._manager.sources() if each.id == source_id), None)

    def _failed(self, failure: Failure) -> None:
        self._output.event(
            "error",
            {
                "error": "\n".join(failure.problems),
                "file": failure.file,
                "line": failure.line,
                "code": failure.code,
                "traceback": failure.traceback,
            },
        )
        if failure.place:
            self._output.say(f"{failure.place}:", "red")
            if failure.code:
                self._output.say(f"    {failure.code}", "red")
        for problem in failure.problems:
            self._output.say(f"Error: {problem}", "red")
        if failure.traceback and self._options.is_verbose:
            self._output.say(failure.traceback, "dim")
        self._output.say(
            f"The connector starts again when a file of it changes. More at {self._manager.url}", "yellow"
        )


def _short(path: str) -> str:
    """Return a path as it is seen from here, where it is below."""
    found = Path(path)
    return str(found.relative_to(Path.cwd())) if found.is_relative_to(Path.cwd()) else path
