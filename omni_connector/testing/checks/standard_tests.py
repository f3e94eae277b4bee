"""The checks as pytest tests of an author's connector."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from omni_connector.connector_base import ConnectorBase
from omni_connector.models.json_values import JsonValue
from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.engine import CHECKS
from omni_connector.testing.checks.subject import Subject

_BY_NAME = {check.name: check for check in CHECKS}


class ConnectorStandardTests:
    """Subclass it in a test file, name the subclass ``Test...``, and give it fixtures: each check is then a test.

        class TestNotes(ConnectorStandardTests):
            @pytest.fixture
            def connector(self):
                return Notes

            @pytest.fixture
            def config(self, tmp_path):
                (tmp_path / "todo.md").write_text("milk")
                return {"folder": str(tmp_path)}

            @pytest.fixture
            def remove_document(self, tmp_path):
                def remove():
                    (tmp_path / "todo.md").unlink()
                    return "todo.md"
                return remove

    A check that does not apply is skipped with the reason. To take one out, override its method and skip or mark it. The fixture
    ``bench``, which all of them take, holds connector and source.

    Attributes:
        is_public: the source is open to everybody, so that its documents may be public.
        known_groups: groups that documents may name although this connector does not emit their members.
        source_type: the connector's first, if None.
        timeout_seconds: how long one sync may take.
    """

    is_public: bool = False
    known_groups: Iterable[str] = ()
    source_type: str | None = None
    timeout_seconds: float = 60.0

    @pytest.fixture
    def connector(self) -> ConnectorBase | Callable[[], ConnectorBase]:
        """Return the connector's class, or a function that makes one; an instance is used for all syncs of a test."""
        raise NotImplementedError(
            f"give {type(self).__name__} a fixture connector that returns the connector's class"
        )

    @pytest.fixture
    def config(self) -> JsonValue:
        """Return the settings of a small source that stands still, a dict or an instance of the connector's class; none by default."""
        return {}

    @pytest.fixture
    def credentials(self) -> JsonValue:
        """Return its secrets, likewise; none by default."""
        return {}

    @pytest.fixture
    def remove_document(self) -> Callable[[], str | None] | None:
        """Return a function that removes one document at the source and returns its id; None if it cannot be done."""
        return None

    @pytest.fixture
    def large_config(self) -> JsonValue:
        """Return the settings of a source with at least 8 MiB of texts; None takes ``config``."""
        return None

    @pytest.fixture
    def bench(  # noqa: PLR0917 - fixtures are asked for by name.
        self,
        connector: ConnectorBase | Callable[[], ConnectorBase],
        config: JsonValue,
        credentials: JsonValue,
        remove_document: Callable[[], str | None] | None,
        large_config: JsonValue,
        tmp_path: Path,
    ) -> Iterator[Bench]:
        """Make what the checks work with."""
        subject = Subject(
            make=(lambda: connector) if isinstance(connector, ConnectorBase) else connector,
            config=config,
            credentials=credentials,
            source_type=self.source_type,
            is_public=self.is_public,
            known_groups=frozenset(self.known_groups),
            remove_document=remove_document,
            large_config=large_config,
            timeout_seconds=self.timeout_seconds,
        )
        with Bench(subject, tmp_path / "omni-bench") as bench:
            yield bench

    def test_manifest(self, bench: Bench) -> None:
        """A manager accepts the manifest and its schemas."""
        _require("manifest", bench)

    def test_connection(self, bench: Bench) -> None:
        """``check_connection`` accepts the settings."""
        _require("connection", bench)

    def test_sync(self, bench: Bench) -> None:
        """A full sync completes without errors."""
        _require("sync", bench)

    def test_repeatable(self, bench: Bench) -> None:
        """The same sync twice gives the same documents."""
        _require("repeatable", bench)

    def test_order(self, bench: Bench) -> None:
        """Ids are unique and come in the same order."""
        _require("order", bench)

    def test_incremental(self, bench: Bench) -> None:
        """An incremental sync sends nothing when nothing changed."""
        _require("incremental", bench)

    def test_resume(self, bench: Bench) -> None:
        """Interrupted at a saved state and resumed, a run brings the same."""
        _require("resume", bench)

    def test_state(self, bench: Bench) -> None:
        """The state is never ahead of the documents."""
        _require("state", bench)

    def test_cancel(self, bench: Bench) -> None:
        """A cancelled run ends within 2 s, and nothing follows."""
        _require("cancel", bench)

    def test_permissions(self, bench: Bench) -> None:
        """Nothing is public by accident, groups and addresses are known."""
        _require("permissions", bench)

    def test_dates(self, bench: Bench) -> None:
        """Dates have zones and are the same everywhere."""
        _require("dates", bench)

    def test_manager(self, bench: Bench) -> None:
        """A slow, failing or absent manager costs no document."""
        _require("manager", bench)

    def test_refused(self, bench: Bench) -> None:
        """A document that the manager rejects once is sent again."""
        _require("refused", bench)

    def test_memory(self, bench: Bench) -> None:
        """A large source is not held in memory."""
        _require("memory", bench)

    def test_secrets(self, bench: Bench) -> None:
        """Secrets appear in no output."""
        _require("secrets", bench)

    def test_deletions(self, bench: Bench) -> None:
        """A document that is removed at the source is deleted."""
        _require("deletions", bench)


def _require(name: str, bench: Bench) -> None:
    """Fail the test with the findings of a check, or skip it with the reason why it does not apply."""
    result = _BY_NAME[name].run(bench)
    if result.reason:
        pytest.skip(result.reason)
    if result.outcome == "failed":
        pytest.fail("\n\n".join(map(str, result.findings)), pytrace=False)
    for finding in result.findings:
        print(finding)  # noqa: T201 - shown with pytest -rP; a warning would fail suites in which warnings are errors.
