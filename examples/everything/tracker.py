"""The source: an issue tracker in a folder of JSON files, in place of one behind an API.

    apollo/project.json             name, group, token, people, is_archived
    apollo/about.html               what the project is about
    apollo/issues/AP-1.json         an issue
    apollo/files/AP-1/plan.html     a file that is attached to it

Whatever is saved gets the project's next revision, so that "what has changed since?" has an answer; what was deleted
stays, marked, so that it is one of the answers.
"""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

NAME = re.compile(r"[a-z][a-z0-9-]*")
ISSUE_ID = re.compile(r"[A-Z]+-[0-9]+")


class TrackerError(Exception):
    """There is no such project or issue, or the token does not open it."""


@dataclass(frozen=True)
class Person:
    """Somebody who works on a project, or has."""

    id: str
    name: str
    email: str
    job_title: str | None = None
    boss: str | None = None
    has_left: bool = False


@dataclass(frozen=True)
class Issue:
    """One issue. ``created`` and ``revision`` are the project's revisions when it was made and saved last."""

    id: str
    title: str
    text: str
    created: int
    revision: int
    updated_at: str
    status: str = "open"
    assignee: str | None = None
    due: str | None = None
    is_private: bool = False
    is_deleted: bool = False
    files: list[str] = field(default_factory=list)


class Project:
    """A project that a token has opened."""

    def __init__(self, root: Path, name: str, token: str) -> None:
        self.name = name
        self._folder = root / name
        known = bool(NAME.fullmatch(name)) and self._folder.is_dir()
        self._facts: dict[str, Any] = read_json(self._folder / "project.json") if known else {}
        if not known or token != self._facts["token"]:
            raise TrackerError(f"There is no project {name!r}, or the token does not open it.")

    @property
    def title(self) -> str:
        """Its name for people."""
        return str(self._facts["title"])

    @property
    def group(self) -> str:
        """The address of everybody who works on it."""
        return str(self._facts["group"])

    @property
    def is_archived(self) -> bool:
        """Whether nothing changes in it any more."""
        return bool(self._facts["is_archived"])

    @property
    def people(self) -> list[Person]:
        """Everybody, those who have left included."""
        return [Person(**each) for each in self._facts["people"]]

    @property
    def about(self) -> Path:
        """The file that describes it."""
        return self._folder / "about.html"

    def changes(self, since: int = 0) -> list[Issue]:
        """Return the issues that were saved after a revision, in that order, deleted ones included."""
        issues = [Issue(**read_json(path)) for path in (self._folder / "issues").glob("*.json")]
        return sorted((each for each in issues if each.revision > since), key=lambda each: each.revision)

    def issue(self, issue_id: str) -> Issue:
        """Return an issue.

        Raises:
            TrackerError: there is none.
        """
        path = self._folder / "issues" / f"{issue_id}.json"
        if not ISSUE_ID.fullmatch(issue_id) or not path.is_file():
            raise TrackerError(f"{self.title} has no issue {issue_id!r}.")
        return Issue(**read_json(path))

    def save(self, issue_id: str, **changes: Any) -> Issue:
        """Change an issue, or make one."""
        revision = max((each.revision for each in self.changes()), default=0) + 1
        path = self._folder / "issues" / f"{issue_id}.json"
        before = asdict(self.issue(issue_id)) if path.is_file() else {"id": issue_id, "created": revision}
        issue = Issue(**{**before, **changes, "revision": revision})
        write_json(path, asdict(issue))
        return issue

    def file(self, issue: Issue, name: str) -> Path:
        """Return where a file of an issue is.

        Raises:
            TrackerError: it has none of that name.
        """
        if name not in issue.files:
            raise TrackerError(f"{issue.id} has no file {name!r}.")
        return self._folder / "files" / issue.id / name

    def subscribe(self, subscriber: str) -> str:
        """Send changes to a webhook from now on; return the id of the subscription."""
        write_json(self._folder / "webhook.json", {"subscriber": subscriber})
        return f"{self.name}-1"


def read_json(path: Path) -> Any:
    """Return what a file holds."""
    return json.loads(path.read_text())


def write_json(path: Path, value: Any) -> None:
    """Replace a file at once: others may be reading it."""
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(value, indent=2) + "\n")
    unfinished.replace(path)
