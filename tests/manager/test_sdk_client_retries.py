"""What is tried again, how often, how long in between, and what is said in the end."""

from __future__ import annotations

import threading
import time
from email.utils import formatdate

import pytest
import requests
from support.ports import free_port
from support.scripted_manager import CLOSE, HANG, RESET, Answer

from omni_connector import ManagerUnreachableError, SdkClient, SdkClientError, ServiceOverloadedError
from omni_connector.manager import Policies, RetryPolicy

pytestmark = pytest.mark.usefixtures("quick")

AT_ONCE = {"Retry-After": "0"}
PATIENT = {
    "events": lambda c: c.send_events("r", "s", []),
    "checkpoint": lambda c: c.save_checkpoint("r", {}, source_id="s"),
    "complete": lambda c: c.complete("r", scanned=0, updated=0, new_state=None),
    "fail": lambda c: c.fail("r", "no"),
}
ONCE = {
    "heartbeat": lambda c: c.heartbeat("r"),
    "register": lambda c: c.register({}),
    "impatient events": lambda c: c.send_events("r", "s", [], patient=False),
}
COUNTERS = {"scanned": lambda c: c.add_scanned("r", 1), "updated": lambda c: c.add_updated("r", 1)}


@pytest.fixture(params=PATIENT)
def patient_call(request):
    return PATIENT[request.param]


@pytest.fixture(params=ONCE)
def single_call(request):
    return ONCE[request.param]


@pytest.fixture(params=COUNTERS)
def counting_call(request):
    return COUNTERS[request.param]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_trouble_that_may_pass_is_tried_again(client, manager, patient_call, status):
    manager.script(Answer(status, b"", AT_ONCE))
    patient_call(client)
    assert len(manager.requests) == 2
    assert manager.requests[0] == manager.requests[1]


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 409, 413, 415, 422, 501])
def test_a_final_answer_is_not_tried_again(client, manager, patient_call, status):
    manager.script(Answer(status, b"no"))
    with pytest.raises(SdkClientError) as caught:
        patient_call(client)
    assert (caught.value.status, caught.value.attempts, len(manager.requests)) == (status, 1, 1)
    assert not isinstance(caught.value, ManagerUnreachableError | ServiceOverloadedError)


@pytest.mark.parametrize("trouble", [CLOSE, RESET])
def test_a_connection_that_breaks_is_tried_again(client, manager, patient_call, trouble):
    manager.script(trouble, trouble)
    patient_call(client)
    assert len(manager.requests) == 3


@pytest.mark.usefixtures("impatient")
def test_an_answer_that_does_not_come_is_tried_again(manager, policies):
    with SdkClient(manager.url, policies=policies) as client:
        for call in PATIENT.values():
            manager.script(HANG)
            call(client)
    assert len(manager.requests) == 2 * len(PATIENT)


def test_a_refused_connection_is_tried_again_and_then_an_error(patient_call, policies):
    url = f"http://127.0.0.1:{free_port()}"
    with SdkClient(url, policies=policies) as client, pytest.raises(ManagerUnreachableError) as caught:
        patient_call(client)
    error = caught.value
    assert (error.status, error.attempts, error.body) == (None, 8, "")
    assert f"no answer from the manager at {url} (" in str(error)
    assert any(words in str(error) for words in ("Connection refused", "Could not connect"))
    assert "(tried 8 times in " in str(error)


def test_a_host_that_is_not_found_is_unreachable_too(policies):
    with SdkClient("http://no-such-host.invalid:1", policies=policies) as client:
        with pytest.raises(ManagerUnreachableError):
            client.heartbeat("r")
        with pytest.raises(ManagerUnreachableError):
            client.send_events("r", "s", [], patient=False)


def test_in_the_end_the_last_answer_is_told(client, manager, patient_call):
    manager.otherwise = Answer(500, {"error": "database"})
    with pytest.raises(SdkClientError) as caught:
        patient_call(client)
    assert (caught.value.status, caught.value.attempts, len(manager.requests)) == (500, 8, 8)
    assert '{"error": "database"} (tried 8 times in' in str(caught.value)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_has_a_rhythm_of_its_own_is_tried_once(client, manager, single_call, status):
    manager.otherwise = Answer(status, b"", AT_ONCE)
    with pytest.raises(SdkClientError) as caught:
        single_call(client)
    assert (caught.value.attempts, len(manager.requests)) == (1, 1)
    assert "tried" not in str(caught.value)


def test_the_config_that_somebody_waits_for_is_tried_three_times(client, manager):
    manager.otherwise = Answer(500, b"")
    with pytest.raises(SdkClientError) as caught:
        client.sync_config("s")
    assert (caught.value.attempts, len(manager.requests)) == (3, 3)


# -- counters ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [408, 425, 429, 503])
def test_a_count_that_was_turned_away_is_sent_again(client, manager, counting_call, status):
    manager.script(Answer(status, b"", AT_ONCE))
    counting_call(client)
    assert len(manager.requests) == 2


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_count_that_may_have_been_added_is_not_sent_again(client, manager, counting_call, status):
    manager.script(Answer(status, b""))
    with pytest.raises(SdkClientError) as caught:
        counting_call(client)
    assert (caught.value.status, len(manager.requests)) == (status, 1)


@pytest.mark.parametrize("trouble", [CLOSE, RESET])
def test_a_count_whose_answer_was_lost_is_not_sent_again(client, manager, counting_call, trouble):
    manager.script(trouble)
    with pytest.raises(SdkClientError, match="not repeated, because it may have arrived") as caught:
        counting_call(client)
    assert len(manager.requests) == 1
    assert not isinstance(caught.value, ManagerUnreachableError)


@pytest.mark.usefixtures("impatient")
def test_a_count_that_is_answered_too_late_is_not_sent_again(client, manager, counting_call):
    manager.script(HANG)
    with pytest.raises(SdkClientError, match="not repeated, because it may have arrived"):
        counting_call(client)
    assert len(manager.requests) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid"])
def test_a_count_that_never_left_is_sent_again(counting_call, host, policies):
    with (
        SdkClient(f"http://{host}:{free_port()}", policies=policies) as client,
        pytest.raises(ManagerUnreachableError) as caught,
    ):
        counting_call(client)
    assert caught.value.attempts == policies.counters.attempts == 5


# -- waiting ----------------------------------------------------------------------------------------------------


class Waits:
    """A clock that notes for how long it was to wait, and does not."""

    def __init__(self, client):
        self.seconds = []
        client._sender.means.clock, self._clock = self, client._sender.means.clock

    def after(self, seconds, call, **_):
        self.seconds.append(seconds)
        call()

    def hasten(self):
        """Nothing waits here."""

    def close(self):
        self._clock.close()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "waited"),
    [("7", 7.0), ("0.5", 0.5), ("0", 0.0), ("-3", 0.0), ("86400", 60.0)],
)
def test_the_wait_that_the_manager_asks_for_is_kept_within_a_cap(client, manager, status, header, waited):
    waits = Waits(client)
    manager.script(Answer(status, b"busy", {"Retry-After": header}))
    client.send_events("r", "s", [])
    assert waits.seconds == [waited]


def test_the_wait_may_be_a_date(client, manager):
    waits = Waits(client)
    date = formatdate(time.time() + 30, usegmt=True)
    manager.script(
        Answer(503, b"", {"Retry-After": date}),
        Answer(503, b"", {"Retry-After": "Mon, 01 Jan 2024 00:00:00 GMT"}),
    )
    client.send_events("r", "s", [])
    assert 25 < waits.seconds[0] <= 30
    assert waits.seconds[1] == 0.0


def test_without_a_wait_asked_for_the_waits_grow_and_their_number_ends_nothing(manager):
    manager.script(*[Answer(502, b"")] * 12)
    with SdkClient(manager.url) as client:
        waits = Waits(client)
        client.send_events("r", "s", [])
    assert len(waits.seconds) == 12
    for attempt, seconds in enumerate(waits.seconds):
        longest = min(0.2 * 2**attempt, 15.0)
        assert longest / 2 <= seconds <= longest


def test_a_wait_beyond_the_total_is_not_begun(manager):
    manager.otherwise = Answer(429, b"", {"Retry-After": "6"})
    policies = Policies(bulk=RetryPolicy(total_seconds=5.0))
    with SdkClient(manager.url, policies=policies) as client:
        waits = Waits(client)
        with pytest.raises(ServiceOverloadedError) as caught:
            client.send_events("r", "s", [])
    assert (caught.value.attempts, waits.seconds) == (1, [])


def test_an_overloaded_manager_is_told_with_the_wait_it_asked_for(client, manager):
    manager.script(Answer(429, b"busy", {"Retry-After": "12"}))
    with pytest.raises(ServiceOverloadedError) as caught:
        client.heartbeat("r")
    assert (caught.value.status, caught.value.retry_after, caught.value.body) == (429, 12.0, "busy")


@pytest.mark.parametrize("header", [{}, {"Retry-After": "soon"}, {"Retry-After": ""}])
def test_without_a_readable_wait_there_is_none(client, manager, header):
    manager.script(Answer(503, b"", header))
    with pytest.raises(ServiceOverloadedError) as caught:
        client.heartbeat("r")
    assert caught.value.retry_after is None


def test_a_wait_ends_at_once_when_the_run_is_stopped(client, manager):
    stop = threading.Event()
    manager.otherwise = Answer(429, b"", {"Retry-After": "60"})
    of_run = client.for_run(stop)
    upload = of_run.upload_text("r", b'"text"')
    manager.wait_for(1)
    stop.set()
    of_run.abort()
    with pytest.raises(SdkClientError, match="not sent, because the run was stopped"):
        upload.result(10)
    assert len(manager.requests) == 1


def test_after_a_stop_nothing_is_sent(client, manager):
    stop = threading.Event()
    stop.set()
    stopped = client.for_run(stop)
    for call in (*PATIENT.values(), *ONCE.values(), *COUNTERS.values(), lambda c: c.store_content("r", "x")):
        with pytest.raises(SdkClientError, match="not sent, because the run was stopped"):
            call(stopped)
    assert manager.requests == []
    client.heartbeat("r")  # The client that it was made from goes on.
    assert len(manager.requests) == 1


def test_a_stopped_client_shares_the_connections(client):
    stopped = client.for_run(threading.Event())
    assert stopped._sender is client._sender


def test_attempts_are_no_news(client, manager, caplog):
    """A manager that is away for longer is, once: see test_presence."""
    caplog.set_level("INFO", logger="omni_connector")
    manager.script(Answer(503, b"", AT_ONCE), Answer(503, b"", AT_ONCE))
    client.send_events("r", "s", [])
    assert caplog.records == []


# -- secrets and the environment --------------------------------------------------------------------------------


def test_secrets_in_the_address_are_in_no_message(policies):
    with SdkClient(f"http://admin:hunter2secret@127.0.0.1:{free_port()}", policies=policies) as client:
        for call in (lambda: client.heartbeat("r"), lambda: client.send_events("r", "s", [], patient=False)):
            with pytest.raises(ManagerUnreachableError) as caught:
                call()
            assert "hunter2secret" not in str(caught.value)
            assert "admin" not in str(caught.value)


def test_secrets_in_the_address_are_used(manager, policies):
    with SdkClient(manager.url.replace("//", "//admin:p%40ss@"), policies=policies) as client:
        client.heartbeat("r")
        client.send_events("r", "s", [])
    assert [request.headers["authorization"] for request in manager.requests] == [
        "Basic YWRtaW46cEBzcw=="
    ] * 2


def test_netrc_is_read_once_and_used_everywhere(manager, monkeypatch, tmp_path, policies):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with SdkClient(manager.url, policies=policies) as client:
        netrc.write_text("machine 127.0.0.1 login bob password other\n")
        client.heartbeat("r")
        client.send_events("r", "s", [])
    assert [request.headers["authorization"] for request in manager.requests] == [
        "Basic YWRhOnNlY3JldA=="
    ] * 2


def test_a_proxy_of_the_environment_is_used_for_everything_and_read_once(manager, monkeypatch, policies):
    monkeypatch.setenv("http_proxy", manager.url)
    with SdkClient("http://manager.invalid:8090", policies=policies) as client:
        monkeypatch.delenv("http_proxy")
        client.heartbeat("r")
        client.send_events("r", "s", [])
    assert [request.path for request in manager.requests] == [
        "http://manager.invalid:8090/sdk/sync/r/heartbeat",
        "http://manager.invalid:8090/sdk/events/batch",
    ]


def test_a_host_that_needs_no_proxy_is_called_directly(manager, monkeypatch, policies):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with SdkClient(manager.url, policies=policies) as client:
        client.heartbeat("r")
        client.send_events("r", "s", [])
    assert len(manager.requests) == 2


def test_a_ca_bundle_of_the_environment_is_taken_over(manager, monkeypatch, policies):
    bundle = requests.certs.where()
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", bundle)
    with SdkClient(manager.url, policies=policies) as client:
        assert client._own_session.verify == bundle
        assert not client._own_session.trust_env
