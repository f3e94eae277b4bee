"""The connector's own check of its settings and credentials says that all is well."""

from collections.abc import Iterator

from omni_connector.event_loop import EventLoop
from omni_connector.runtime.connection import connection_problem, offers_connection_check
from omni_connector.runtime.hooks import HookCaller
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.finding import Finding, NotApplicableError


def find(bench: Bench) -> Iterator[Finding]:
    """Call ``check_connection``."""
    if not offers_connection_check(bench.connector):
        raise NotApplicableError("the connector has no check_connection(config, credentials)")
    loop = EventLoop("omni-check-connection")
    try:
        hooks = HookCaller(bench.connector, loop)
        problem = connection_problem(hooks, bench.subject.config, bench.subject.credentials)
    finally:
        loop.close()
    if problem is not None:
        yield Finding(
            what=f"check_connection says: {problem}",
            where="check_connection",
            why="Syncs will fail in the same way.",
            remedy="Correct the settings or credentials that were given; if they are right, fix check_connection.",
        )
