import asyncio
import threading

import pytest
from note_connectors import EVERYBODY, Notes, Untyped
from support.manager_dates import omni_manager, pytest_generate_tests, since

from omni_connector import (
    ActionDefinition,
    ConfigurationError,
    Document,
    ExtractionError,
    PersonRecord,
)
from omni_connector.local import LocalManagerError, Since
from omni_connector.testing import run_sync as run_sync_alone

__all__ = ["omni_manager", "pytest_generate_tests"]  # Every test here runs against managers of several days.

TWO = {"notes": {"todo": "milk, bread", "idea": "a boat"}}


def test_what_arrives_is_returned_with_its_content(run_sync):
    result = run_sync(Notes(), config=TWO)
    assert (result.status, result.error, result.mode) == ("completed", None, "full")
    todo = result.documents["todo"]
    assert (todo.title, todo.content, todo.url) == ("Todo", "milk, bread", "https://notes.example/todo")
    assert todo.permissions == {"public": True, "users": [], "groups": []}
    assert todo.attributes == {"kind": "note"}
    assert todo.metadata["url"] == todo.url
    assert set(result.documents) == {"todo", "idea"}


def test_state_counts_and_events_are_returned(run_sync):
    result = run_sync(Notes(), config=TWO)
    assert result.state == result.saved_state == {"seen": ["idea", "todo"]}
    assert (result.scanned, result.emitted, result.updated) == (2, 2, 2)
    assert [event["document_id"] for event in result.events] == ["idea", "todo"]
    assert {event["type"] for event in result.events} == {"document_created"}


def test_a_second_run_continues_the_source_of_the_first(run_sync):
    first = run_sync(Notes(), config=TWO, credentials={"token": "right"})
    second = run_sync(Notes(), config={"notes": {"todo": "bread"}}, mode="incremental")
    assert second.source_id == first.source_id
    assert second.mode == "incremental"
    assert second.deletions == ["idea"]
    assert {name: document.content for name, document in second.documents.items()} == {"todo": "bread"}


def test_config_and_credentials_stay_when_they_are_left_out(run_sync):
    run_sync(Notes(), config=TWO, credentials={"token": "wrong"})
    again = run_sync(Notes())
    assert (again.status, again.error) == ("failed", "PermissionError: the token is wrong")
    assert run_sync(Notes(), credentials={"token": "right"}).emitted == 2


def test_the_index_also_holds_what_earlier_runs_brought(run_sync):
    class Last(Notes):
        def sync(self, source_config, credentials, state, ctx):
            ctx.emit(Document(external_id="last", title="Last", content="x", permissions=EVERYBODY))

    run_sync(Notes(), config=TWO)
    result = run_sync(Last())
    assert set(result.documents) == {"last"}
    assert set(result.index) == {"todo", "idea", "last"}


def test_the_first_incremental_run_is_made_a_full_one(run_sync):
    assert run_sync(Notes(), config=TWO, mode="incremental").mode == "full"


def test_an_incremental_run_can_start_from_a_given_state(run_sync):
    result = run_sync(Notes(), config=TWO, mode="incremental", state={"seen": ["gone"]})
    assert (result.mode, result.deletions) == ("incremental", ["gone"])


def test_connector_state_reaches_the_connector(run_sync):
    class Remembering(Notes):
        def sync(self, source_config, credentials, state, ctx):
            ctx.complete({"found": ctx.connector_state})

    assert run_sync(Remembering(), connector_state={"since": 1}).state == {"found": {"since": 1}}


@since(Since.CHECKPOINTS)
def test_a_failed_run_tells_its_error_and_publishes_nothing(run_sync):
    class Breaking(Notes):
        def sync(self, source_config, credentials, state, ctx):
            ctx.emit(Document(external_id="a", title="A", content="a", permissions=EVERYBODY))
            ctx.save_state({"half": True})
            raise OSError("the disk is gone")

    result = run_sync(Breaking())
    assert (result.status, result.error) == ("failed", "OSError: the disk is gone")
    assert (result.state, result.saved_state) == (None, {"half": True})
    assert set(result.documents) == {"a"}


def test_errors_of_single_documents_are_returned(run_sync):
    result = run_sync(Notes(), config={"notes": {"a": "text", "b": None}})
    assert result.status == "completed"
    assert [(error.document_id, error.stage, error.reason) for error in result.errors] == [
        ("b", "connector", "it is empty")
    ]


def test_what_the_manager_refuses_afterwards_is_an_error_too(run_sync):
    class Guessing(Notes):
        def sync(self, source_config, credentials, state, ctx):
            document = Document(external_id="a", title="A", content_id="made-up", permissions=EVERYBODY)
            ctx.emit(document)

    result = run_sync(Guessing())
    assert (result.status, result.documents) == ("completed", {})
    assert [(error.document_id, error.stage) for error in result.errors] == [("a", "index")]
    assert (result.status, result.outcome) == ("completed", "completed with errors")


def test_a_cancelled_run_is_returned_as_cancelled(run_sync):
    class Waiting(Notes):
        def sync(self, source_config, credentials, state, ctx):
            canceller = threading.Thread(target=run_sync.manager.cancel, args=(ctx.sync_run_id,))
            canceller.start()
            ctx.sleep(60)
            canceller.join()

    result = run_sync(Waiting())
    assert (result.status, result.error) == ("cancelled", "Cancelled by user")


@since(Since.REALTIME)
def test_a_realtime_run_that_returns_is_still_running_for_the_manager(run_sync):
    class Watching(Notes):
        sync_modes = ["full", "realtime"]

        def sync(self, source_config, credentials, state, ctx):
            ctx.emit(Document(external_id="a", title="A", content="a", permissions=EVERYBODY))

    result = run_sync(Watching(), mode="realtime")
    assert (result.status, result.mode) == ("running", "realtime")
    assert set(result.documents) == {"a"}


def test_a_run_that_does_not_end_says_where_it_is(time_up_when):
    begun = time_up_when()

    class Stuck(Notes):
        def sync(self, source_config, credentials, state, ctx):
            ctx.increment_scanned(3)
            self.wait_for_the_tide(ctx)

        def wait_for_the_tide(self, ctx):
            begun.release()
            ctx.sleep(3600)

    with pytest.raises(TimeoutError, match=r"has not ended within 0\.2 s: 3 documents scanned") as caught:
        run_sync_alone(Stuck(), timeout_seconds=0.2)
    assert "wait_for_the_tide" in str(caught.value)


def test_an_async_run_that_does_not_end_says_where_it_is(time_up_when):
    begun = time_up_when()

    class Stuck(Notes):
        async def sync(self, source_config, credentials, state, ctx):
            await self.wait_for_the_tide(ctx)

        async def wait_for_the_tide(self, ctx):
            begun.release()
            await ctx.sleep(3600)

    with pytest.raises(TimeoutError, match="wait_for_the_tide"):
        run_sync_alone(Stuck(), timeout_seconds=0.2)


def test_an_async_connector_is_run_as_well():
    class Gathering(Notes):
        async def sync(self, source_config, credentials, state, ctx):
            async def emit(name):
                content_id = await ctx.content_storage.save(f"text of {name}")
                await ctx.emit(
                    Document(external_id=name, title=name, content_id=content_id, permissions=EVERYBODY)
                )

            await asyncio.gather(*(emit(name) for name in "abcd"))

    result = run_sync_alone(Gathering())
    assert {name: document.content for name, document in result.documents.items()} == {
        name: f"text of {name}" for name in "abcd"
    }


def test_each_call_without_a_manager_starts_afresh():
    assert run_sync_alone(Notes(), config=TWO, mode="incremental").mode == "full"
    assert run_sync_alone(Notes(), config=TWO, mode="incremental").mode == "full"


@since(Since.CUSTOM_SOURCE_TYPES)
def test_a_type_of_source_that_no_real_manager_knows_is_fine(run_sync):
    assert run_sync(Untyped(), config=TWO).emitted == 2


def test_the_source_and_its_type_can_be_chosen(run_sync):
    class Two(Notes):
        source_types = ["web", "github"]

    result = run_sync(Two(), config=TWO, source_id="mine", source_type="github")
    assert result.source_id == "mine"
    assert run_sync.manager.source("mine").source_type == "github"


def test_a_manifest_that_the_manager_refuses_is_the_callers_error(run_sync):
    class Referring(Notes):
        actions = [ActionDefinition(name="a", description="A", input_schema={"$ref": "#/x"})]

    with pytest.raises(ConfigurationError, match=r"action a: input_schema\.\$ref"):
        run_sync(Referring(), config=TWO)


def test_a_run_that_the_manager_refuses_is_the_callers_error(run_sync):
    run_sync(Notes(), config=TWO)
    run_sync.manager.set_source("source-of-notes", is_active=False)
    with pytest.raises(LocalManagerError, match=r"(?i)active|disabled"):
        run_sync(Notes())


def test_a_state_cannot_be_given_while_a_run_is_in_progress(run_sync):
    class Nested(Notes):
        def sync(self, source_config, credentials, state, ctx):
            run_sync(Notes(), config=TWO, state={"seen": []}, source_id=ctx.source_id)

    result = run_sync(Nested(), config=TWO)
    assert result.status == "failed"
    assert "LocalManagerError" in result.error


@since(Since.PERSON_EVENTS)
def test_people_and_groups_are_returned_as_the_manager_has_them(run_sync):
    class Directory(Notes):
        def sync(self, source_config, credentials, state, ctx):
            ctx.emit_person_sync(PersonRecord(external_id="E1", email="Ada@example.com", surname="Lovelace"))
            ctx.emit_person_sync(PersonRecord(external_id="E2", email="bob@example.com"))
            ctx.emit_group_membership(
                "eng@example.com", ["Ada@example.com", "ADA@example.com"], "Engineering"
            )
            ctx.emit_person_deleted("bob@example.com")

    result = run_sync(Directory())
    assert (result.status, result.outcome, result.errors) == ("completed", "completed", [])
    assert result.people == {
        "ada@example.com": {"external_id": "E1", "email": "ada@example.com", "surname": "Lovelace"}
    }
    assert result.groups == {"eng@example.com": ["ada@example.com"]}


@since(Since.CHECKPOINTS)
def test_the_owner_the_filter_and_the_last_sync_reach_the_connector(run_sync):
    class Asking(Notes):
        def sync(self, source_config, credentials, state, ctx):
            wanted = [name for name in ("Ada@example.com", "bob@example.com") if ctx.should_index_user(name)]
            ctx.save_connector_state({"owner": ctx.user_email(), "wanted": wanted, "last": ctx.last_sync_at})

    first = run_sync(Asking())
    run_sync.manager.set_source(
        first.source_id, user_filter_mode="whitelist", user_whitelist=["ada@example.com"]
    )
    run_sync(Asking(), mode="incremental")
    assert run_sync.manager.source(first.source_id).connector_state == {
        "owner": "owner@example.com",
        "wanted": ["Ada@example.com"],
        "last": run_sync.manager.run(first.sync_run_id).completed_at.isoformat(),
    }


@since(Since.PROBES)
def test_files_are_extracted_by_hand_and_with_their_documents(run_sync, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,age\nada,36\n", encoding="utf-8")

    class Files(Notes):
        def sync(self, source_config, credentials, state, ctx):
            stored = ctx.content_storage.extract_and_store_content(path, "text/csv")
            ctx.emit(Document(external_id="stored", title="A", content_id=stored, permissions=EVERYBODY))
            text = ctx.content_storage.extract_text(path.read_bytes(), "application/octet-stream", "a.csv")
            ctx.emit(Document(external_id="text", title="A", content=text, permissions=EVERYBODY))
            ctx.emit(Document(external_id="file", title="A", content=path, mime_type="text/csv"))
            broken = ctx.content_storage.extract_text
            with pytest.raises(ExtractionError, match="Failed to read DOCX"):
                broken(b"no zip", "application/vnd.openxmlformats-officedocument.wordprocessingml.document")

    result = run_sync(Files())
    assert (result.status, result.errors) == ("completed", [])
    contents = {name: document.content for name, document in result.documents.items()}
    assert len(set(contents.values())) == 1
    assert "ada" in contents["text"]
