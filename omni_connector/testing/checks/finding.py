"""What a check says about a connector."""

from attrs import field, frozen


@frozen(kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        what: what was observed.
        where: the document, setting, line or mode that it concerns.
        why: what happens in production because of it.
        remedy: what to change.
        is_warning: it may be on purpose; the connector passes.
    """

    what: str
    where: str
    why: str
    remedy: str
    is_warning: bool = False

    def __str__(self) -> str:
        kind = "Warning: " if self.is_warning else ""
        return f"{kind}{self.what}\n  where: {self.where}\n  why:   {self.why}\n  fix:   {self.remedy}"


class NotApplicableError(Exception):
    """The check says nothing about this connector; the message says why."""


class BrokenRunError(Exception):
    """A run that a check needs went wrong in itself.

    Attributes:
        finding: what is reported in place of what the check looks for.
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


@frozen(kw_only=True)
class CheckResult:
    """What came of one check.

    Attributes:
        name: of the check.
        title: what it looks for, in a few words.
        findings: what is wrong, the most important first.
        reason: why the check does not apply; empty where it does.
        remark: what it has left out.
        seconds: how long it took.
    """

    name: str
    title: str
    findings: list[Finding] = field(factory=list)
    reason: str = ""
    remark: str = ""
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        """``failed``, ``warned``, ``passed`` or ``not applicable``."""
        if self.reason:
            return "not applicable"
        if not self.findings:
            return "passed"
        return "warned" if all(finding.is_warning for finding in self.findings) else "failed"
