"""What every connector for a real system has to do, as one suite: its tests give it a system with some documents."""

from __future__ import annotations

import itertools
import logging
import threading
from typing import Any, ClassVar, Protocol

import pytest

from omni_connector import SyncContext
from omni_connector.models.events import UPSERTS
from omni_connector.sync.inventory import Inventory
from omni_connector.testing import serve_connector
from omni_connector.testing.checks import Bench, Subject, run_checks


class System(Protocol):
    """A source on a server that was started for the test.

    Attributes:
        config: settings of the source.
        credentials: credentials of the source.
        wrong_credentials: the server refuses these.
        secrets: texts that must not be seen anywhere.
        documents: ids of all documents, by a word that occurs in no other.
        finds: persons and the words that they find.
    """

    config: dict[str, Any]
    credentials: dict[str, Any]
    wrong_credentials: dict[str, Any]
    secrets: list[str]
    documents: dict[str, str]
    finds: dict[str, set[str]]

    def change(self, word: str) -> str:
        """Change one document, so that ``word`` is in it; return its id."""

    def delete(self) -> str:
        """Delete one document; return its id."""


class RealSystemTests:
    """Tests of one connector; a subclass has a fixture ``system``.

    Attributes:
        connector: its class.
        known_groups: groups whose members the source does not name.
        left: so many of the four documents are looked at when the run is resumed that was stopped at the third.
    """

    connector: type
    left = 4
    known_groups: ClassVar[frozenset[str]] = frozenset()

    def test_only_what_changed_is_sent_and_what_is_gone_is_deleted(self, run_sync, system):
        source = {"config": system.config, "credentials": system.credentials}
        first = run_sync(self.connector(), **source)
        assert (first.outcome, first.errors, first.error) == ("completed", [], None)
        assert set(first.documents) == set(system.documents.values())

        nothing = run_sync(self.connector(), mode="incremental")
        assert (nothing.outcome, nothing.documents, nothing.deletions) == ("completed", {}, [])

        changed = system.change("wolverine")
        second = run_sync(self.connector(), mode="incremental")
        assert (second.outcome, second.error) == ("completed", None)
        assert "wolverine" in second.documents[changed].content
        assert len(second.documents) == 1

        deleted = system.delete()
        third = run_sync(self.connector(), mode="incremental")
        assert (third.outcome, third.documents, third.deletions) == ("completed", {}, [deleted])
        assert set(third.index) == {*system.documents.values(), changed} - {deleted}

    def test_people_find_what_the_system_lets_them_read(self, run_sync, omni_manager, system):
        run_sync(self.connector(), config=system.config, credentials=system.credentials)
        found = {
            person: {word for word in system.documents if omni_manager.search(word, person=person)}
            for person in system.finds
        }
        assert found == system.finds

    def test_an_interrupted_run_resumes(self, omni_manager, system, monkeypatch):
        """It is stopped at its third document, like a process that is ended, and goes on in another one."""
        stop = StopAt(3)
        monkeypatch.setattr(SyncContext, "emit", stop.emit)
        save = SyncContext.save_state
        monkeypatch.setattr(SyncContext, "save_state", lambda ctx, state, **_: save(ctx, state))
        looked_at = LookedAt(monkeypatch)
        with serve_connector(self.connector(), omni_manager) as served:
            source_id = served.put_source(config=system.config, credentials=system.credentials)
            run_id = omni_manager.trigger(source_id)
            assert stop.reached.wait(60)
        assert omni_manager.run(run_id).status == "running"

        looked_at.names.clear()
        with serve_connector(self.connector(), omni_manager):
            omni_manager.tick()
            run = omni_manager.wait_for_run(run_id, 60)

        assert (run.status, run.error_message) == ("completed", None)
        sent = [
            event.payload["document_id"] for event in omni_manager.events(run_id) if event.type in UPSERTS
        ]
        assert sorted(sent) == sorted(system.documents.values()), "each document, once"
        assert len(looked_at.names) == self.left

    def test_secrets_are_seen_nowhere(self, run_sync, omni_manager, system, caplog):
        with caplog.at_level(logging.DEBUG):
            failed = run_sync(self.connector(), config=system.config, credentials=system.wrong_credentials)
            assert failed.status == "failed"
            run = run_sync(self.connector(), credentials=system.credentials)
        assert run.status == "completed", run.error
        seen = [caplog.text, str(failed.error), str(run.state), *(str(event) for event in run.events)]
        wrong = set(system.wrong_credentials.values()) - set(system.credentials.values())
        secrets = [*system.secrets, *wrong]
        assert [secret for secret in secrets if any(secret in text for text in seen)] == []

    @pytest.mark.slow
    def test_it_passes_the_checks_of_every_connector(self, system, tmp_path):
        subject = Subject(
            make=self.connector,
            config=system.config,
            credentials=system.credentials,
            known_groups=self.known_groups,
            remove_document=system.delete,
        )
        with Bench(subject, tmp_path / "bench") as bench:
            findings = [str(finding) for result in run_checks(bench) for finding in result.findings]
        assert not findings, "\n".join(findings)


class LookedAt:
    """Notes the documents of which an inventory is asked."""

    def __init__(self, monkeypatch) -> None:
        self.names: list[str] = []
        original = Inventory.changed

        def changed(inventory, name, fingerprint):
            self.names.append(name)
            return original(inventory, name, fingerprint)

        monkeypatch.setattr(Inventory, "changed", changed)


class StopAt:
    """Stands in for ``SyncContext.emit``: at its n-th call the run waits until it is asked to stop, and stops at once."""

    def __init__(self, number: int) -> None:
        self.reached = threading.Event()
        original, numbers = SyncContext.emit, itertools.count(1)

        def emit(ctx, document):
            if next(numbers) == number:
                self.reached.set()
                ctx._run.state.stopped.wait(60)
                ctx.raise_if_cancelled()
            return original(ctx, document)

        self.emit = emit
