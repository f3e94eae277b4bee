"""``validate_sync_request``: refusals before a run is accepted, in both colours, in bounded time."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
import threading

import pytest
from support.scripted import WAIT, Scripted, sync_request

from omni_connector import SyncRefusedError, SyncUnavailableError
from omni_connector.exceptions import SyncStartError
from omni_connector.models import SyncConfig, SyncRequest
from omni_connector.runtime.options import RuntimeOptions
from omni_connector.runtime.validation import THREADS
from omni_connector.testing import serve_connector

QUICK = RuntimeOptions(validate_seconds=0.05)
CONFIG = SyncConfig(
    config={"folder": "x"},
    credentials={"token": "t0p-secret"},
    connector_state={"notes": 1},
    checkpoint={"cursor": 0},
    source_type="web",
)


@pytest.fixture(autouse=True)
def source(manager):
    manager.config = CONFIG


def of(hook, **members):
    return type("Validating", (Scripted,), {"validate_sync_request": hook, **members})()


def in_async(hook):
    @functools.wraps(hook)
    async def validate_sync_request(self, *args, **kwargs):
        return hook(self, *args, **kwargs)

    return validate_sync_request


def refusal(service, **request):
    with pytest.raises(SyncStartError) as caught:
        service.start_sync(sync_request(**request))
    return caught.value


# -- what it is given ---------------------------------------------------------------------------------------------

EVERYTHING = [
    "source_config",
    "credentials",
    "sync_mode",
    "source_id",
    "source_type",
    "checkpoint",
    "state",
    "connector_state",
    "sync_run_id",
    "is_resume",
    "last_sync_at",
]


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_it_is_given_everything_by_name_before_the_sync(serve, ended, colour):
    seen = []

    def look(self, **offered):
        seen.append(offered)
        assert not self.syncs

    connector = of(look if colour == "blocking" else in_async(look))
    service = serve(connector)
    service.start_sync(
        sync_request(
            mode="incremental",
            checkpoint={"cursor": 1},
            is_resume=True,
            last_sync_at="2026-08-01T12:00:00Z",
        )
    )
    assert ended(service).outcome == "completed"
    (offered,) = seen
    assert isinstance(offered.pop("request"), SyncRequest)
    assert offered == {
        "source_config": {"folder": "x"},
        "credentials": {"token": "t0p-secret"},
        "sync_mode": "incremental",
        "source_id": "source-1",
        "source_type": "web",
        "checkpoint": {"cursor": 1},
        "state": {"cursor": 1},
        "connector_state": {"notes": 1},
        "sync_run_id": "run-1",
        "is_resume": True,
        "last_sync_at": dt.datetime(2026, 8, 1, 12, tzinfo=dt.UTC),
    }
    assert list(offered) == EVERYTHING


@pytest.mark.parametrize(
    "hook",
    [
        lambda self: None,
        lambda self, sync_mode: None,
        lambda self, config, creds, mode, /: None,
        lambda self, config, creds, *, source_type: None,
        lambda self, *args: None,
    ],
)
def test_an_override_takes_what_it_likes(serve, ended, hook):
    service = serve(of(hook))
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_an_override_may_call_the_default(serve, ended, colour):
    class Blocking(Scripted):
        def validate_sync_request(self, sync_mode):
            assert super().validate_sync_request(sync_mode=sync_mode) is None

    class Async(Scripted):
        async def validate_sync_request(self, sync_mode):
            assert await super().validate_sync_request(sync_mode=sync_mode) is None

    service = serve(Blocking() if colour == "blocking" else Async())
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"


def test_a_connector_without_it_needs_no_thread_for_it(serve, ended):
    service = serve(Scripted())
    service.start_sync(sync_request())
    ended(service)
    assert not [thread for thread in threading.enumerate() if "validate" in thread.name]


# -- refusals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("colour", ["blocking", "async"])
@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (SyncUnavailableError(), 404, "Realtime sync is not available for this source"),
        (SyncUnavailableError("no webhook for t0p-secret"), 404, "no webhook for ***"),
        (SyncRefusedError("folder is missing"), 400, "folder is missing"),
        (SyncStartError("later", status=503), 503, "later"),
        (ValueError("t0p-secret is no token"), 500, "validate_sync_request failed: ValueError: *** is no token"),
        (TimeoutError("source"), 500, "validate_sync_request failed: TimeoutError: source"),
        (SystemExit(3), 500, "validate_sync_request failed: it tried to end the process (SystemExit: 3); raise another exception to report an error"),
    ],
)  # fmt: skip
def test_what_it_raises_is_the_answer_and_the_slot_is_free(serve, caplog, colour, raised, status, message):
    def refuse(self, sync_run_id):
        if sync_run_id == "run-1":
            raise raised

    connector = of(refuse if colour == "blocking" else in_async(refuse))
    service = serve(connector)
    error = refusal(service)
    assert (error.status, str(error)) == (status, message)
    assert not service.is_running("run-1")
    assert service.report("run-1").outcome == "not started"
    assert not connector.syncs
    assert ("Traceback" in caplog.text) == (status == 500)
    assert "t0p-secret" not in caplog.text + str(error)
    service.start_sync(sync_request("run-2"))
    connector.meet()


def test_a_refused_run_may_be_tried_again(serve, ended):
    answers = iter([SyncRefusedError("not yet"), None])

    def refuse(self):
        answer = next(answers)
        if answer:
            raise answer

    service = serve(of(refuse))
    assert refusal(service).status == 400
    service.start_sync(sync_request())
    assert ended(service).outcome == "completed"


def test_returning_false_is_a_refusal_and_nothing_else_is(serve, ended):
    assert refusal(serve(of(lambda self: False))).status == 400
    for value in (True, 0, "", "no"):
        service = serve(of(lambda self, value=value: value))
        service.start_sync(sync_request())
        assert ended(service).outcome == "completed"


def test_the_endpoint_answers_with_the_status(serve):
    from flask import Flask

    from omni_connector.web.blueprint import build_blueprint

    def refuse(self, sync_mode):
        raise SyncUnavailableError if sync_mode == "realtime" else SyncRefusedError("no token")

    app = Flask("test")
    app.register_blueprint(build_blueprint(serve(of(refuse))))
    client = app.test_client()
    for mode, status, message in (
        ("realtime", 404, "Realtime sync is not available for this source"),
        ("full", 400, "no token"),
    ):
        body = {"sync_run_id": "r", "source_id": "s", "sync_mode": mode}
        response = client.post("/sync", json=body)
        assert (response.status_code, response.json["status"]) == (status, "error")
        assert response.json["message"] == message


# -- time ---------------------------------------------------------------------------------------------------------


def be_patient(service):
    """Let the next hook have the time that a slow machine needs."""
    service._starter._validation._limit_seconds = WAIT


def test_a_hook_that_hangs_holds_neither_the_answer_nor_the_slot(serve, caplog):
    release = threading.Event()

    def hang(self, sync_run_id):
        if sync_run_id == "run-1":
            assert release.wait(WAIT)

    connector = of(hang)
    service = serve(connector, options=QUICK)
    error = refusal(service)
    assert error.status == 500
    assert str(error).startswith(
        "validate_sync_request has not answered within 0.05 s; do slow checks in sync"
    )
    assert not service.is_running("run-1")
    assert "has not answered within 0.05 s; the run is not accepted" in caplog.text
    be_patient(service)
    service.start_sync(sync_request("run-2"))
    connector.meet()
    release.set()
    assert len(connector.syncs) == 1, "the run that was refused never starts"


def test_a_coroutine_that_hangs_is_cancelled(serve):
    cancelled = threading.Event()

    async def hang(self):
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    assert refusal(serve(of(hang), options=QUICK)).status == 500
    assert cancelled.wait(WAIT)


def test_hooks_that_hang_keep_others_waiting_no_longer_and_are_not_called_late(serve):
    release, called = threading.Event(), []

    def hang(self, source_id):
        called.append(source_id)
        release.wait(WAIT)

    connector = of(hang)
    service = serve(connector, options=QUICK)
    for number in range(THREADS + 2):
        assert refusal(service, run=f"run-{number}", source=f"source-{number}").status == 500
    release.set()
    be_patient(service)
    service.start_sync(sync_request("last", source="last"))
    connector.meet()
    assert called[-1] == "last"
    assert len(called) <= THREADS + 1  # On a busy machine a call is given up before it has begun.


@pytest.mark.parametrize("colour", ["blocking", "async"])
def test_a_run_that_is_cancelled_while_it_is_looked_at_never_syncs(serve, manager, colour):
    service = None

    def cancel(self):
        service.cancel("run-1")

    async def cancel_and_wait(self):
        service.cancel("run-1")
        await asyncio.Event().wait()

    connector = of(cancel if colour == "blocking" else cancel_and_wait)
    service = serve(connector)
    if colour == "blocking":
        service.start_sync(sync_request())
        for thread in threading.enumerate():
            if thread.name == "omni-sync-run-1":
                thread.join(WAIT)
    else:
        assert str(refusal(service)) == "The run was stopped before it was accepted"
    assert not connector.syncs
    assert not service.is_running("run-1")


def test_it_is_running_while_it_is_looked_at_and_a_repeat_starts_nothing(serve):
    looked_at, go_on = threading.Event(), threading.Event()

    def look(self):
        looked_at.set()
        assert go_on.wait(WAIT)

    connector = of(look)
    service = serve(connector)
    first = threading.Thread(target=service.start_sync, args=(sync_request(),))
    first.start()
    assert looked_at.wait(WAIT)
    assert service.is_running("run-1")
    service.start_sync(sync_request())
    go_on.set()
    first.join(WAIT)
    connector.meet()
    assert len(connector.syncs) == 1


# -- with the manager ---------------------------------------------------------------------------------------------


class Watching(Scripted):
    """Knows some sources in realtime only."""

    name = "watching"
    sync_modes = ["full", "realtime"]

    def validate_sync_request(self, source_config, sync_mode):
        if "folder" not in source_config:
            raise SyncRefusedError("folder is missing: set it in the source's configuration")
        if sync_mode == "realtime" and not source_config.get("webhook"):
            raise SyncUnavailableError


def test_the_manager_cancels_a_realtime_run_that_is_politely_refused(omni_manager):
    with serve_connector(Watching(), omni_manager) as served:
        source = served.put_source(config={"folder": "x"})
        omni_manager.tick()
        (run,) = omni_manager.runs(source)
        assert (run.sync_type, run.status) == ("realtime", "cancelled")
        assert run.error_message == "Realtime sync not available for this source"
        omni_manager.tick()
        assert len(omni_manager.runs(source)) == 1, "it backs off"
        assert omni_manager.wait_for_run(omni_manager.trigger(source)).status == "completed"


def test_the_manager_fails_a_run_that_is_refused_with_the_connector_s_words(omni_manager):
    from omni_connector.local import LocalManagerError

    with serve_connector(Watching(), omni_manager) as served:
        source = served.put_source(config={})
        with pytest.raises(LocalManagerError, match=r"status=400.*folder is missing: set it"):
            omni_manager.trigger(source)
        (run,) = omni_manager.runs(source)
        assert run.status == "failed"
        assert "folder is missing" in run.error_message
