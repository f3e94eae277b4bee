"""Singer taps as connectors: programs from PyPI, each run as a process in an environment of its own."""

import dataclasses
import datetime as dt
import json
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, cast

import attrs
from attrs import define, field, frozen

from omni_connector.bridges.reading import read
from omni_connector.bridges.singer_about import problems_of_config
from omni_connector.bridges.singer_catalog import (
    Catalog,
    Selection,
    Streams,
    narrowed,
    replication_methods,
    selected,
)
from omni_connector.bridges.singer_config import TapConfig
from omni_connector.bridges.singer_run import TapRun
from omni_connector.bridges.singer_schema import Stream, default_document
from omni_connector.bridges.singer_tap import (
    CONFIG,
    TapCommand,
    TapError,
    TapFolder,
    TapProcess,
    said_by,
    shown,
)
from omni_connector.connector import Connector
from omni_connector.connector_base.base import Config, Credentials
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.document import Document, DocumentPermissions
from omni_connector.models.json_values import plain_json
from omni_connector.sync.context import SyncContext
from omni_connector.sync.source_run import RunOfSource

__all__ = ["SingerConnector", "Stream", "TapError", "TapSettings", "default_document"]


CHECK_SECONDS = 20.0
"""How long a tap may take when the connection is checked; an action has 28 s."""


@define(kw_only=True)
class TapSettings:
    """Settings of a source that is read by a tap; a base for a connector's own, so that its schema shows them.

    Attributes:
        select: streams and fields that are read, such as "issues", "users.name" or "!issues.body"; all if it is empty.
    """

    select: list[str] = field(factory=list)


class SingerConnector(Connector[Config, Credentials]):
    """Reads a Singer tap. A subclass has a ``name``, a ``version`` and a ``tap``, and usually a ``document``.

        class Issues(SingerConnector):
            name = "issues"
            version = "1.0.0"
            tap = "/opt/tap-github/bin/tap-github"
            streams = ["issues"]

            def document(self, record, stream):
                return Document(external_id=stream.key(record), title=record["title"], content=record["body"] or "")

    The tap's ``STATE`` is kept in the checkpoint. Records that the source no longer has are found where the tap reads a whole
    stream: in full runs, with ``ACTIVATE_VERSION``, and in streams of the replication method ``FULL_TABLE``.

    The setting ``select`` of a source narrows what is read, in the notation of Meltano: a list of ``stream``, ``stream.field``, both with
    ``*``, and the same with ``!`` for what is left out. A name that the tap does not have is an error.

    Attributes:
        tap: the program: a path, a name on ``PATH``, or a list with its first arguments.
        streams: names of the streams that are read; a dict also gives each its replication key, or None to read the whole
            table each time. None reads all.
        discovers: the tap is asked for its catalogue first; False for one that has none.
        append_only: streams whose documents stay when their records are gone.
        tap_environment: variables of the tap. It is given none of this process's except for ``PATH``, the language, the
            certificates and the proxies.
        reconcile_every: how often the tap is started without a state, to find what is gone; a day.
        idle_minutes: a tap that writes nothing for so long is ended, and the run fails.
    """

    sync_modes = ["full", "incremental"]
    reconcile_every: dt.timedelta | None = dt.timedelta(days=1)
    tap: str | Sequence[str] = ()
    streams: Streams = None
    discovers = True
    append_only: list[str] = []
    tap_environment: Mapping[str, str] = {}
    idle_minutes: float = 15

    def tap_config(self, config: Config, credentials: Credentials) -> Mapping[str, Any]:
        """Return what the tap is given as its config; by default the settings, without ``select``, and the credentials.

        Args:
            config: the source's settings.
            credentials: the source's secrets.
        """
        settings = _as_dict(config)
        settings.pop("select", None)
        return {**settings, **_as_dict(credentials)}

    def document(
        self, record: dict[str, Any], stream: Stream, *_args: Any, **_kwargs: Any
    ) -> Document | Iterable[Document] | None:
        """Return what is indexed of a record: a document, several, or None. Ids are unique over all streams.

        By default one with the key of the record as its id and all its values as text, see ``default_document``. An override may also
        take ``config``, the settings of the source; so may one of ``permissions``.

        Args:
            record: as the tap has sent it.
            stream: to which it belongs: its name, key and schema.
        """
        return default_document(record, stream)

    def permissions(
        self, record: dict[str, Any], stream: Stream, *_args: Any, **_kwargs: Any
    ) -> DocumentPermissions | None:
        """Return who finds the documents of a record that have no permissions of their own; None keeps them private.

        Args:
            record: as for ``document``.
            stream: as for ``document``.
        """
        del record, stream
        return None

    def check_connection(self, config: Config, credentials: Credentials, /) -> str | None:
        """Ask the tap for its catalogue, and where it describes its settings (``--about``), compare those with its config."""
        command = TapCommand.of(self.tap, self.tap_environment, idle_seconds=CHECK_SECONDS)
        given = dict(self.tap_config(config, credentials))
        with TapFolder() as folder:
            if problems := problems_of_config(command, folder, given):
                return "; ".join(problems)
            if not self.discovers:
                return None
            arguments = ["--config", folder.write(CONFIG, given), "--discover"]
            found = catalog_of(command.name, said_by(command, folder, arguments))
        try:
            narrowed(selected(found, self.streams), _selection(config))
        except ConfigurationError as error:
            return "; ".join(error.problems)
        return None

    def sync(self, source_config: Config, credentials: Credentials, state: Any, ctx: SyncContext, /) -> None:
        """Run the tap from ``state`` on, and find out what is gone."""
        command = TapCommand.of(self.tap, self.tap_environment, idle_seconds=self.idle_minutes * 60)
        selection = _selection(source_config)
        run = TapRun(self, ctx, command.name, state or {}, source_config)
        tokens = RunOfSource(ctx._run, ctx._colour).shared.kept_tokens(ctx.source_id)  # noqa: SLF001 - as ``ctx.http`` does.
        declared = plain_json(dict(self.tap_config(source_config, credentials)), path="tap_config")
        config = TapConfig(tokens, cast("dict[str, Any]", declared), ctx.add_secret)
        with TapFolder() as folder:
            tap = Tap(ctx, command, folder, config)
            try:
                arguments = ["--config", config.write(folder)]
                if self.discovers:
                    catalog = narrowed(selected(tap.discovered(arguments), self.streams), selection)
                    run.methods = replication_methods(catalog)
                    arguments += ["--catalog", folder.write("catalog.json", catalog)]
                if run.tap_state:
                    arguments += ["--state", folder.write("state.json", run.tap_state)]
                with closing(tap.lines(arguments)) as lines:
                    for line in lines:
                        run.take(line)
            finally:
                config.keep()
        run.finish()


def catalog_of(tap: str, text: bytes) -> Catalog:
    """Return the catalogue that a tap has written.

    Raises:
        TapError: it is none.
    """
    try:
        catalog: Catalog = json.loads(text)
        if isinstance(catalog["streams"], list):
            return catalog
    except (ValueError, TypeError, KeyError):
        pass
    raise TapError(tap, f"--discover wrote no catalogue, but {shown(text)!r}")


def _selection(config: Any) -> Selection:
    given = _as_dict(config).get("select") or ()
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, Sequence) or not all(isinstance(each, str) for each in patterns):
        raise ConfigurationError(
            'select: give a list of streams and fields, such as ["issues", "users.name"]'
        )
    return tuple(patterns)


def _as_dict(value: Any) -> dict[str, Any]:
    """Return settings as a dict, also those of a class that the connector declares."""
    if attrs.has(type(value)):
        return attrs.asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    return dataclasses.asdict(value)


@frozen
class Tap:
    """A tap as one run starts it."""

    _ctx: SyncContext
    _command: TapCommand
    folder: TapFolder
    _config: TapConfig

    def discovered(self, arguments: Sequence[str]) -> Catalog:
        """Ask it for its catalogue.

        Raises:
            TapError: it does not give one.
        """
        with closing(self.lines([*arguments, "--discover"])) as lines:
            return catalog_of(self._command.name, b"\n".join(lines))

    def lines(self, arguments: Sequence[str]) -> Generator[bytes, None, None]:
        """Run it, and yield the lines of its output; close the generator. The process ends with it, and with the run."""
        with TapProcess(self._command, self.folder, tuple(arguments), self._config.look) as process:
            forget = self._ctx.on_stop(process.ask_to_end)
            try:
                with closing(read(self._ctx, f"tap {self._command.name}", process.batches)) as batches:
                    for batch in batches:
                        self._ctx.raise_if_cancelled()  # Also a tap that only writes to its log is alive.
                        yield from batch
            finally:
                forget()
