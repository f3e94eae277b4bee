"""The process of the connector under ``omni-connector dev``: serves it until the command's process says so, or has ended.

Started as ``python -m omni_connector.cli.developing.child NUMBER``, where the number is that of an inherited socket.
"""

import io
import logging
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

from attrs import frozen

from omni_connector.cli import exit_codes
from omni_connector.cli.developing.messages import Files, Order, Started, received, send
from omni_connector.code_location import is_of_author
from omni_connector.config import LogSettings, Settings
from omni_connector.connector_base import ConnectorBase
from omni_connector.connector_base.source_types import note_on_source_types
from omni_connector.console.connector_process import Failure
from omni_connector.exceptions import ConfigurationError, SdkClientError
from omni_connector.local import LocalManager
from omni_connector.local_service import LocalService
from omni_connector.masking import (
    SecretScope,
    error_text,
    mask,
    protect_process,
    secrets_in,
    secrets_in_settings,
)
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.watch import WatchTimes
from omni_connector.target import load_connector
from omni_connector.telemetry.log_context import RunContextFilter
from omni_connector.telemetry.logs import JsonLines

LOOK_SECONDS = 2.0
"""Between two looks whether further files were imported."""

RUN_LOOK_SECONDS = 0.5
"""Between two looks at the runs."""

STOPPING_SECONDS = 4.0
"""How long the process may take to end; what runs have buffered is delivered meanwhile."""


def main() -> None:
    """Serve the connector that the first message names."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    os.set_inheritable(connection.fileno(), False)  # noqa: FBT003 - the function's own signature.
    protect_process()
    _log_every_line()
    sys.stdout, sys.stderr = MaskedOutput(sys.stdout), MaskedOutput(sys.stderr)
    messages = received(connection)
    order = next(messages)
    if not isinstance(order, Order):
        raise TypeError(f"the first message is no order: {type(order).__name__}")
    end = EndOfCommand(messages)
    status = ServedConnector(order, connection, end).serve()
    sys.stdout.flush()
    sys.stderr.flush()
    if (
        status != exit_codes.OK
    ):  # Threads that the import of the connector has started must not keep the process.
        os._exit(status)


def _log_every_line() -> None:
    """Log as JSON before the connector can configure anything. Lines that are repeated are counted by the reader."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(RunContextFilter())
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(LogSettings.from_environ().level)


class EndOfCommand(threading.Thread):
    """Waits for the end of the command's process, or for its wish that this one ends.

    Attributes:
        has_come: set then.
        is_serving: set while there is something to bring to an end in order.
    """

    def __init__(self, messages: Iterator[object]) -> None:
        super().__init__(name="end-of-command", daemon=True)
        self.has_come = threading.Event()
        self.is_serving = threading.Event()
        self._messages = messages
        self._never = threading.Event()
        self.start()

    def run(self) -> None:
        """Life of the thread."""
        for _ in self._messages:
            pass
        self.has_come.set()
        if self.is_serving.is_set():
            self._never.wait(STOPPING_SECONDS)
        # With everything that the connector has started, as far as it is in this process group.
        os.killpg(os.getpgrp(), signal.SIGKILL)


@frozen
class ManagerOfCommand:
    """What ``LocalService`` needs of the embedded manager, which is in the command's process."""

    url: str
    data_dir: Path
    takes_registrations: bool = True

    def configure_connector(self, source_type: str, url: str) -> None:
        """Do nothing: connectors register there."""


class ServedConnector:
    """Loads, registers and serves the connector, and reports how that went."""

    def __init__(self, order: Order, connection: socket.socket, end: EndOfCommand) -> None:
        self._order = order
        self._connection = connection
        self._end = end
        self._reported: list[str] = []
        self._secrets = SecretScope(secrets_in(order.credentials) | secrets_in_settings(order.config))

    def serve(self) -> int:
        """Serve until the end; return the exit status."""
        with self._secrets:
            try:
                connector = load_connector(self._order.target)
                started = described(connector, self._order)
                manager = ManagerOfCommand(self._order.manager_url, Path(self._order.data_dir))
                served = LocalService(
                    connector, cast("LocalManager", manager), options=_options(), from_environ=True
                )
            except BaseException as error:  # noqa: BLE001 - whatever keeps it from starting is shown, and the process ends.
                self._report_files(error)
                send(self._connection, failure(error))
                return exit_codes.CONFIGURATION
            with served:
                self._end.is_serving.set()
                self._report_files()
                send(self._connection, started)
                while not self._end.has_come.wait(LOOK_SECONDS):
                    self._report_files()
        return exit_codes.OK

    def _report_files(self, error: BaseException | None = None) -> None:
        """Say what the connector consists of, where that is news; after an error also the files in which it was raised."""
        files = {getattr(module, "__file__", None) or "" for module in list(sys.modules.values())}
        files |= set(_files_of(error))
        target = self._order.target
        where = target if target.endswith(".py") else target.rpartition(":")[0]
        files |= {where} if where.endswith(".py") else set()
        own = sorted(str(Path(each).resolve()) for each in files if each and is_of_author(each))
        if own != self._reported:
            self._reported = own
            send(self._connection, Files(files=own))


def _options() -> RuntimeOptions:
    """Look at runs often: the console shows how far they are."""
    settings = Settings.beside_manager("", None)
    return RuntimeOptions(
        watch=WatchTimes(look_seconds=RUN_LOOK_SECONDS, stalled_seconds=settings.stalled_seconds)
    )


def described(connector: ConnectorBase, order: Order) -> Started:
    """Return what the command needs to know of a connector, the source's settings as it declares them included."""
    from omni_connector.cli.errors import UnclearOptionError  # noqa: PLC0415
    from omni_connector.cli.inputs import (  # noqa: PLC0415 - with a time of its own, and not for every start.
        SourceInputs,
        doubtful,
    )
    from omni_connector.cli.source import StoredSource  # noqa: PLC0415
    from omni_connector.cli.typed_inputs import secret_settings_placed, typed_inputs  # noqa: PLC0415

    assignments = [(key, text) for key, text in order.assignments]
    typed = SourceInputs(
        config=order.config,
        assignments=assignments,
        credentials=order.credentials,
        replaces_config=order.replaces_config,
        replaces_credentials=order.replaces_credentials,
    )
    stored = StoredSource(data_dir=Path(order.data_dir), name=order.source_name)
    known = stored.find(connector)
    problems: list[str] = []
    if known is not None:
        try:
            typed = typed.over(known.config, stored.credentials(known))
        except UnclearOptionError as error:
            problems = [error.format_message()]
    inputs = secret_settings_placed(connector.declared_types, (typed.config, typed.credentials))
    try:
        inputs = typed_inputs(connector, inputs, assignments)
    except ConfigurationError as error:
        problems += error.problems
    source_types = list(connector.source_types)
    notes = [note_on_source_types(source_types) or ""]
    if connector.declared_types.config is None:
        notes += doubtful(assignments)
    return Started(
        name=connector.name,
        source_types=source_types,
        config=inputs[0],
        credentials=inputs[1],
        is_known=known is not None,
        problems=problems,
        notes=[note for note in notes if note],
        schemas={name: dict(schema) for name, schema in connector.declared_types.schemas.items()},
    )


def failure(error: BaseException) -> Failure:
    """Return what keeps a connector from starting: the place in its code first."""
    cause = error.__cause__ if isinstance(error, ConfigurationError) and error.__cause__ else error
    problems = list(error.problems) if isinstance(error, ConfigurationError) else [error_text(error)]
    if isinstance(error, SdkClientError):
        problems = [f"The manager refuses the connector. {error}"]
    file, line, code = _place(cause)
    is_about_code = cause is not error or not isinstance(error, ConfigurationError | SdkClientError)
    return Failure(
        problems=[mask(each) for each in problems],
        file=file,
        line=line,
        code=mask(code),
        traceback=author_traceback(cause) if is_about_code else "",
    )


def author_traceback(error: BaseException) -> str:
    """Return a traceback without the frames of the SDK and of Python's import system; masked."""
    found = traceback.TracebackException.from_exception(error)
    each: traceback.TracebackException | None = found
    while each is not None:
        # What is left out before the author's first frame led there.
        first = next((at for at, frame in enumerate(each.stack) if is_of_author(frame.filename)), 0)
        frames = [frame for frame in each.stack[first:] if not frame.filename.startswith("<frozen ")]
        each.stack = traceback.StackSummary.from_list(frames)
        each = each.__cause__ or each.__context__
    return mask("".join(found.format()))


def _place(error: BaseException) -> tuple[str, int, str]:
    """Return file, line and code of the innermost line of the author's."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0, (error.text or "").strip()
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_of_author(frame.filename)]
    if not own:
        return "", 0, ""
    return own[-1].filename, own[-1].lineno or 0, own[-1].line or ""


def _files_of(error: BaseException | None) -> Iterator[str]:
    seen = 0
    while error is not None and seen < 10:  # noqa: PLR2004 - a chain may be a circle.
        seen += 1
        yield from (frame.filename for frame in traceback.extract_tb(error.__traceback__))
        if isinstance(error, SyntaxError) and error.filename:
            yield error.filename
        error = error.__cause__ or error.__context__


class MaskedOutput(io.TextIOBase):
    """What the connector prints, a whole line at a time and without secrets."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()  # Protects _begun.
        self._begun = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # A plain attribute in typeshed.
        """That of the real stream."""
        return self._stream.encoding

    def fileno(self) -> int:
        """Return that of the real stream, for processes that the connector starts."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Say yes."""
        return True

    def write(self, text: str) -> int:
        """Write the lines that are whole now."""
        with self._lock:
            whole, newline, self._begun = (self._begun + text).rpartition("\n")
            if newline:
                self._stream.write(mask(whole) + newline)
                self._stream.flush()
        return len(text)

    def flush(self) -> None:
        """Write the line that was begun, too."""
        with self._lock:
            begun, self._begun = self._begun, ""
            if begun:
                self._stream.write(mask(begun) + "\n")
            self._stream.flush()


if __name__ == "__main__":
    main()
