"""Says whether a connector is right: behind ``omni-connector check`` and ``ConnectorStandardTests`` (``docs/how-to/checking.md``).

Each check is a module with a function that yields findings; ``engine`` lists them. ``bench`` runs the connector's syncs,
``subject`` is what is known about it.
"""

from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.engine import CHECKS, Check, run_checks
from omni_connector.testing.checks.finding import CheckResult, Finding
from omni_connector.testing.checks.subject import Subject

__all__ = ["CHECKS", "Bench", "Check", "CheckResult", "Finding", "Subject", "run_checks"]
