"""What ``omni-connector check`` says: a line a check, what it has found below, and a sum at the end."""

import attrs
from rich.text import Text

from omni_connector.cli.output import LABEL_WIDTH, Output, counted
from omni_connector.testing.checks import CheckResult, Finding

_STYLES = {"passed": "green", "warned": "yellow", "failed": "red", "not applicable": "dim"}


class CheckReport:
    """Shows results as they come; as one JSON object at the end where that is wanted.

    Args:
        name: of the connector.
        version: of the connector.
        output: where to.

    Attributes:
        results: so far.
    """

    def __init__(self, name: str, version: str, output: Output) -> None:
        self.results: list[CheckResult] = []
        self._name = name
        self._version = version
        self._output = output
        if not output.as_json:
            output.text(f"Checking {name} {version}")

    @property
    def has_failed(self) -> bool:
        """Whether a check has found more than warnings."""
        return any(result.outcome == "failed" for result in self.results)

    def add(self, result: CheckResult) -> None:
        """Show what came of a check."""
        self.results.append(result)
        if self._output.as_json:
            return
        outcome = result.outcome
        line = Text(f"{result.name:<{LABEL_WIDTH}}").append(outcome, _STYLES[outcome])
        about = f"{result.title}; {result.remark}" if result.remark else result.title
        self._output.text(line.append(f": {result.reason}" if result.reason else f" ({about})"))
        for finding in result.findings:
            for label, text in _lines(finding):
                self._output.indented(Text(f"{label:<7}{text}"), 4)

    def close(self) -> None:
        """Show the sum."""
        if self._output.as_json:
            self._output.json(self.to_json())
            return
        outcomes = [result.outcome for result in self.results]
        parts = [f"{outcomes.count(outcome)} {outcome}" for outcome in _STYLES if outcome in outcomes]
        found = sum(len(result.findings) for result in self.results)
        self._output.text(
            f"{counted(len(outcomes), 'check')}: {', '.join(parts)}. {counted(found, 'finding')}."
        )

    def to_json(self) -> dict[str, object]:
        """Return all of it."""
        return {
            "connector": self._name,
            "version": self._version,
            "passed": not self.has_failed,
            "checks": [
                {"outcome": result.outcome, **attrs.asdict(result), "seconds": round(result.seconds, 3)}
                for result in self.results
            ],
        }


def _lines(finding: Finding) -> list[tuple[str, str]]:
    return [
        ("note" if finding.is_warning else "fault", finding.what),
        ("where", finding.where),
        ("why", finding.why),
        ("fix", finding.remedy),
    ]
