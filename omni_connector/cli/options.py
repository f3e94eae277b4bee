"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from omni_connector.cli.completions import PLACE, SOURCE
from omni_connector.cli.errors import JSON_WANTED, VERBOSE

DEFAULT_DATA_DIR = ".omni"
MANAGER_PORT = 8090
"""The real manager's (PROTOCOL, section 1)."""

_Function = TypeVar("_Function", bound=Callable[..., Any])


def target_argument(function: _Function) -> _Function:
    """Add ``TARGET``."""
    return click.argument("target", type=PLACE)(function)


def data_option(function: _Function) -> _Function:
    """Add ``--data``."""
    return click.option(
        "--data",
        "data_dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_DATA_DIR,
        show_default=True,
        help="Directory of the embedded manager's data.",
    )(function)


def address_options(function: _Function) -> _Function:
    """Add ``--host``, ``--port`` and ``--allow-host``: where the embedded manager listens."""
    for option in reversed(_ADDRESS_OPTIONS):
        function = option(function)
    return function


def source_options(function: _Function) -> _Function:
    """Add ``--config``, ``--set``, ``--credentials``, ``--secret`` and ``--source-type``: the source of a connector."""
    for option in reversed(_SOURCE_OPTIONS):
        function = option(function)
    return function


def source_name_option(function: _Function) -> _Function:
    """Add ``--source``: which source of a connector."""
    return click.option(
        "--source",
        "source_name",
        metavar="NAME",
        type=SOURCE,
        help="Name of the source, to keep several of one connector apart. Default: the connector's name.",
    )(function)


def stored_source_option(function: _Function) -> _Function:
    """Add ``--source``: one of the data directory."""
    return click.option(
        "--source", "source_name", metavar="NAME", type=SOURCE, help="Only this source, by name or id."
    )(function)


def as_person_option(function: _Function) -> _Function:
    """Add ``--as``: what one person finds."""
    return click.option(
        "--as",
        "person",
        metavar="EMAIL",
        callback=_address,
        help="Show only what this person would find in Omni. Without it permissions are ignored.",
    )(function)


def page_options(function: _Function) -> _Function:
    """Add ``--limit`` and ``--after``: which part of a list."""
    function = click.option(
        "--after", metavar="NEXT", help="Go on where a list ended: what it says, or next of its --json."
    )(function)
    return click.option(
        "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Entries at most."
    )(function)


def seconds_option(name: str, variable: str, **more: Any) -> Callable[[_Function], _Function]:
    """Return what adds an option for a time."""
    return click.option(
        name, variable, metavar="SECONDS", type=click.FloatRange(min=0, min_open=True), **more
    )


def key_value_option(name: str, variable: str, **more: Any) -> Callable[[_Function], _Function]:
    """Return what adds an option like ``--set``, which gives pairs of texts."""
    return click.option(name, variable, metavar="KEY=VALUE", multiple=True, callback=_assignments, **more)


def json_option(function: _Function) -> _Function:
    """Add ``--json``."""
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        is_eager=True,
        callback=_remember(JSON_WANTED),
        help="Print one JSON object on standard output and nothing else there.",
    )(function)


def events_option(text: str) -> Callable[[_Function], _Function]:
    """Return what adds a ``--json`` of events, one a line."""
    return click.option(
        "--json", "as_json", is_flag=True, is_eager=True, callback=_remember(JSON_WANTED), help=text
    )


def verbose_option(function: _Function) -> _Function:
    """Add ``-v``."""
    return _verbose_option(is_given=True)(function)


def verbose_errors_option(function: _Function) -> _Function:
    """Add ``-v`` to a command that shows no log: only errors look at it."""
    return _verbose_option(is_given=False)(function)


def _verbose_option(*, is_given: bool) -> Callable[[_Function], _Function]:
    return click.option(
        "-v",
        "--verbose",
        is_flag=True,
        is_eager=True,
        callback=_remember(VERBOSE),
        expose_value=is_given,
        help="Show the whole log, and tracebacks.",
    )


def _remember(key: str) -> Callable[[click.Context, click.Parameter, bool], bool]:
    """Return a callback that stores the flag for the group, which reports errors."""

    def note(context: click.Context, parameter: click.Parameter, value: bool) -> bool:  # noqa: FBT001 - click's call.
        del parameter
        context.meta[key] = value
        return value

    return note


def _address(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return an address as the manager keeps it."""
    if value is not None and "@" not in value:
        raise click.BadParameter(f"{value!r} is no e-mail address.", context, parameter)
    return None if value is None else value.strip().lower()


def _assignments(
    context: click.Context, parameter: click.Parameter, values: tuple[str, ...]
) -> list[tuple[str, str]]:
    """Split ``key=value``."""
    pairs = []
    for value in values:
        key, equals, text = value.partition("=")
        if not equals or not all(key.split(".")):
            shown = f"{key!r} is not a key" if equals else "there is no ="
            raise click.BadParameter(f"write KEY=VALUE: {shown}.", context, parameter)
        pairs.append((key, text))
    return pairs


_ADDRESS_OPTIONS = (
    click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on."),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=MANAGER_PORT,
        show_default=True,
        help="Port; 0 takes a free one.",
    ),
    click.option(
        "--allow-host",
        "allowed_hosts",
        metavar="NAME",
        multiple=True,
        help="A name by which the manager may be called, such as that of its container. Without it only localhost, IP"
        " addresses and the name given as --host are answered. Can be repeated.",
    ),
)

_SOURCE_OPTIONS = (
    click.option(
        "--config",
        metavar="FILE|JSON",
        type=PLACE,
        help="The source's configuration: a JSON or TOML file, env:NAME (a variable that holds such), - (standard input),"
        " or JSON text that starts with {.",
    ),
    key_value_option(
        "--set",
        "assignments",
        help="One value of the configuration, on top of --config. JSON where it is JSON (5, true, [1, 2]), else text;"
        " a.b=1 makes nested objects. Can be repeated.",
    ),
    click.option(
        "--credentials",
        metavar="FILE",
        type=PLACE,
        help="The source's secrets: a JSON or TOML file, env:NAME or - (standard input). Never printed.",
    ),
    click.option(
        "--secret",
        "secrets",
        metavar="KEY=@FILE|env:NAME|-",
        multiple=True,
        callback=_assignments,
        help="One secret, on top of --credentials: the text in a file, in a variable, or on standard input. Can be"
        " repeated.",
    ),
    click.option(
        "--source-type", metavar="TYPE", help="Type of the source. Default: the first of the connector's."
    ),
)
