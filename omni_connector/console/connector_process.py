"""The process of the connector under ``omni-connector dev``, as the console sees it."""

import enum
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from attrs import frozen


class ConnectorPhase(enum.StrEnum):
    """What the process does."""

    STARTING = "starting"
    """It is loaded."""
    SERVING = "serving"
    """It is registered, and answers."""
    FAILED = "failed"
    """It cannot be loaded, or the manager refuses it."""
    ENDED = "ended"
    """It has ended by itself."""


@frozen(kw_only=True)
class Failure:
    """Why the connector is not served.

    Attributes:
        problems: one sentence each, remedy included.
        file: where in the author's code; empty where that is not known.
        line: in that file, from 1; 0 where it is not known.
        code: that line.
        traceback: of the author's code, or the last lines that the process has written; masked.
    """

    problems: list[str]
    file: str = ""
    line: int = 0
    code: str = ""
    traceback: str = ""

    @property
    def place(self) -> str:
        """``file, line 7``; empty where it is not known."""
        return f"{self.file}, line {self.line}" if self.line else self.file


@frozen(kw_only=True)
class ConnectorState:
    """What is known of the process.

    Attributes:
        target: names the connector, as it was typed.
        phase: what the process does.
        since: when that began.
        name: of the connector; empty until it has been loaded once.
        failure: why it is not served, in the phases ``failed`` and ``ended``.
        starts: how often the process was started.
    """

    target: str
    phase: ConnectorPhase
    since: datetime
    name: str = ""
    failure: Failure | None = None
    starts: int = 0


class ConnectorProcess(Protocol):
    """Knows the state, and can start the process again; both from any thread."""

    state: ConnectorState

    @property
    def restart(self) -> Callable[[], None]:
        """Start the process again soon."""
        ...
