"""How many sessions with MCP servers a connector keeps."""

from attrs import frozen


@frozen(kw_only=True)
class SessionLimits:
    """How many sessions are kept, and for how long.

    Attributes:
        most: at once, of one connector; each may be a process. Calls with other credentials wait for a free one.
        idle_seconds: after which an unused one is closed.
    """

    most: int = 8
    idle_seconds: float = 120.0
