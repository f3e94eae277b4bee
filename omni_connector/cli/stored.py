"""What a data directory holds, found by what was typed for it."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Protocol, TypeVar

from omni_connector.cli.command_name import command_name
from omni_connector.cli.errors import CommandError
from omni_connector.cli.output import one_line

NAMES_SHOWN = 12


class Named(Protocol):
    """A source, whatever is known of it."""

    @property
    def id(self) -> str:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...


_Named = TypeVar("_Named", bound=Named)


def chosen(sources: Sequence[_Named], typed: str, option: str = "--source") -> _Named:
    """Return the source with this name or id.

    Raises:
        CommandError: there is none, or several have the name.
    """
    found = [each for each in sources if typed in {each.id, each.name}]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each.id for each in found)
        raise CommandError(f"{option} {one_line(typed)}: several sources have this name. Give an id: {ids}.")
    raise unknown(
        f"{option} {one_line(typed)}: there is no such source", typed, [each.name for each in sources]
    )


def only_one(sources: Sequence[_Named]) -> _Named:
    """Return the source of a data directory that has one; raises CommandError where it has none, or several."""
    if len(sources) == 1:
        return sources[0]
    if not sources:
        raise CommandError(f"There is no source yet. {command_name()} run TARGET makes one.")
    names = ", ".join(one_line(each.name) for each in sources[:NAMES_SHOWN])
    raise CommandError(f"Say which source: --source NAME. There are: {names}.")


def unknown(problem: str, typed: str, names: Sequence[str]) -> CommandError:
    """Return the error about something that is not there, with what may be meant, or what there is."""
    close = get_close_matches(typed, names, n=1)
    if close:
        return CommandError(f"{problem}; did you mean {one_line(close[0])}?")
    if not names:
        return CommandError(f"{problem}; there is none at all.")
    shown = ", ".join(one_line(each) for each in names[:NAMES_SHOWN])
    more = f", and {len(names) - NAMES_SHOWN:,} more" if len(names) > NAMES_SHOWN else ""
    return CommandError(f"{problem}. There is: {shown}{more}.")
