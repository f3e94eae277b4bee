"""The connector's own check of its settings and credentials says that all is well."""

from collections.abc import Iterator

from omni_connector.event_loop import EventLoop
from omni_connector.runtime.hooks import HookCaller, reason_of
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.finding import Finding, NotApplicableError


def find(bench: Bench) -> Iterator[Finding]:
    """Call ``check_connection``."""
    hook = getattr(bench.connector, "check_connection", None)
    if hook is None:
        raise NotApplicableError("the connector has no check_connection(config, credentials)")
    loop = EventLoop("omni-check-connection")
    try:
        HookCaller(bench.connector, loop).value_of(hook(bench.subject.config, bench.subject.credentials))
    except Exception as error:  # noqa: BLE001 - an author's hook, whose error is the finding.
        yield Finding(
            what=f"check_connection says: {reason_of(error)}",
            where="check_connection",
            why="Syncs will fail in the same way.",
            remedy="Correct the settings or credentials that were given; if they are right, mend check_connection.",
        )
    finally:
        loop.close()
