"""The faulty manager does to each call exactly what its plan says, and leaves nothing behind."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time

import attrs
import pytest
import requests

from omni_connector import SdkClientError
from omni_connector.exceptions import ManagerUnreachableError
from omni_connector.local import LocalManager
from omni_connector.manager import Policies, RetryPolicy
from omni_connector.testing.faults import (
    QUICK,
    Answer,
    Delay,
    Do,
    FaultPlan,
    FaultyManager,
    GoAway,
    Hang,
    LostAnswer,
    NotJson,
    Refuse,
    Reset,
    Truncated,
)

ONE_TRY = Policies(bulk=RetryPolicy(attempts=1))
IMPATIENT = attrs.evolve(QUICK, read_seconds=1.0)


@pytest.fixture
def client(faulty_manager):
    with faulty_manager.client() as client:
        yield client


def contents(manager: LocalManager) -> list[str]:
    """Texts that the manager stores, whether or not a document refers to them."""
    with manager._services.store.lookup() as db:
        return [row["content"] for row in db.execute("SELECT content FROM contents ORDER BY content")]


def outcome(faulty, policies=ONE_TRY) -> SdkClientError | str:
    with faulty.client(policies) as client:
        try:
            return client.store_content("run", "text")
        except SdkClientError as error:
            return error


def test_without_a_plan_everything_passes_as_if_it_were_not_there(omni_manager, faulty_manager):
    straight = requests.get(f"{omni_manager.url}/health", timeout=60)
    through = requests.get(f"{faulty_manager.url}/health", timeout=60)

    assert (through.status_code, through.content) == (straight.status_code, straight.content)
    assert through.headers["Content-Type"] == straight.headers["Content-Type"]
    [call] = faulty_manager.calls
    assert (call.number, call.method, call.path, call.status) == (1, "GET", "/health", 200)
    assert call.done
    assert call.fault is None


def test_a_chunked_request_and_an_event_stream_pass(omni_manager, faulty_manager):
    body = json.dumps({"sync_run_id": "r", "content": "in pieces", "content_type": None}).encode()
    stored = requests.post(
        f"{faulty_manager.url}/sdk/content",
        data=iter([body[:10], body[10:]]),
        headers={"Content-Type": "application/json"},
        timeout=10,
    )
    assert stored.status_code == 200, stored.text
    assert contents(omni_manager) == ["in pieces"]

    with requests.get(f"{faulty_manager.url}/sync/unknown/progress", timeout=60) as stream:
        assert stream.status_code == 200
        assert stream.text == ""


def test_a_connection_carries_many_calls(faulty_manager):
    connection = http.client.HTTPConnection("127.0.0.1", int(faulty_manager.url.rsplit(":", 1)[1]))
    try:
        for _ in range(3):
            connection.request("GET", "/health")
            assert connection.getresponse().read()
        assert len(faulty_manager._connections) == 1
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("fault", "done", "status"),
    [
        (Reset("unread"), False, None),
        (Reset("undone"), False, None),
        (Reset("midway"), True, None),
        (Refuse(0.01), False, None),
        (GoAway(0.01), False, None),
        (Answer(503, headers={"Retry-After": "7"}), False, 503),
        (Answer(418, {"error": "a teapot"}), False, 418),
        (LostAnswer(), True, None),
        (LostAnswer(instead=Answer(502, "gone")), True, 502),
        (Truncated(), True, None),
        (NotJson(), True, 200),
    ],
    ids=str,
)
def test_a_fault_spoils_the_call_that_it_is_for_and_no_other(
    omni_manager, faulty_manager, fault, done, status
):
    faulty_manager.plan.add("content", fault, calls=1)

    error = outcome(faulty_manager)

    assert isinstance(error, SdkClientError), error
    assert contents(omni_manager) == (["text"] if done else [])
    [call] = faulty_manager.calls
    assert (call.endpoint, call.fault, call.done, call.status) == ("content", fault, done, status)
    assert isinstance(outcome(faulty_manager, QUICK), str)
    assert contents(omni_manager) == ["text"]


def test_an_answer_has_the_status_headers_and_body_that_it_was_given(faulty_manager):
    answer = Answer(429, {"error": "slow down"}, {"Retry-After": "7", "Content-Type": "application/problem"})
    faulty_manager.plan.add("GET /health", answer)

    response = requests.get(f"{faulty_manager.url}/health", timeout=60)

    assert response.status_code == 429
    assert response.json() == {"error": "slow down"}
    assert response.headers["Retry-After"] == "7"
    assert response.headers["Content-Type"] == "application/problem"


@pytest.mark.parametrize("done", [False, True])
def test_a_call_that_hangs_is_never_answered_and_is_broken_by_release(omni_manager, faulty_manager, done):
    faulty_manager.plan.add("content", Hang(done=done), calls=1)
    errors = []
    thread = threading.Thread(target=lambda: errors.append(outcome(faulty_manager)))
    thread.start()
    faulty_manager.wait_for(lambda faulty: [call for call in faulty.calls if call.done is done])
    assert errors == []

    faulty_manager.release()
    thread.join()

    assert isinstance(errors[0], ManagerUnreachableError)
    assert contents(omni_manager) == (["text"] if done else [])


def test_a_client_that_gives_up_a_hanging_call_succeeds_at_the_next(faulty_manager):
    faulty_manager.plan.add("content", Hang(), calls=1)
    assert isinstance(outcome(faulty_manager, IMPATIENT), str)
    assert len(faulty_manager.calls) == 2


@pytest.mark.parametrize("done", [False, True])
def test_a_delayed_call_is_done_and_answered_late(omni_manager, faulty_manager, done):
    faulty_manager.plan.add("content", Delay(0.05, done=done), calls=1)
    began = time.monotonic()
    assert isinstance(outcome(faulty_manager), str)
    assert time.monotonic() - began >= 0.05


def test_while_it_is_away_connections_are_refused_and_its_port_stays_its_own(faulty_manager):
    port = int(faulty_manager.url.rsplit(":", 1)[1])
    faulty_manager.go_away()
    for _ in range(3):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    with socket.socket() as rival, pytest.raises(OSError, match="in use"):
        rival.bind(("127.0.0.1", port))

    faulty_manager.come_back()

    assert requests.get(f"{faulty_manager.url}/health", timeout=60).ok


def test_going_away_breaks_the_connections_that_stand(faulty_manager):
    faulty_manager.plan.add("content", Hang())
    errors = []
    thread = threading.Thread(target=lambda: errors.append(outcome(faulty_manager)))
    thread.start()
    faulty_manager.wait_for(lambda faulty: faulty.calls)

    faulty_manager.go_away()
    faulty_manager.release()
    thread.join()

    assert isinstance(errors[0], ManagerUnreachableError)
    faulty_manager.come_back()


def test_refusing_leaves_other_connections_alone(faulty_manager):
    with requests.Session() as session:
        assert session.get(f"{faulty_manager.url}/health", timeout=60).ok
        faulty_manager.refuse(3600)
        assert session.get(f"{faulty_manager.url}/health", timeout=60).ok
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{faulty_manager.url}/health", timeout=60)


def test_an_action_happens_at_its_call_and_the_call_goes_on_as_told(omni_manager, faulty_manager):
    seen = []
    faulty_manager.plan.add("content", Do(lambda: seen.append("first")), calls=1)
    faulty_manager.plan.add("content", Do(lambda: seen.append("second"), then=LostAnswer()), calls=2)

    assert isinstance(outcome(faulty_manager), str)
    assert isinstance(outcome(faulty_manager), ManagerUnreachableError)

    assert seen == ["first", "second"]


@pytest.mark.parametrize("done", [False, True])
def test_an_action_comes_before_the_call_is_read_or_after_it_is_done(omni_manager, faulty_manager, done):
    seen = []
    faulty_manager.plan.add("content", Do(lambda: seen.extend(contents(omni_manager)), done=done))
    assert isinstance(outcome(faulty_manager), str)
    assert seen == (["text"] if done else [])


def test_a_manager_that_is_not_there_is_one_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with FaultyManager(f"http://127.0.0.1:{port}") as faulty:
        assert isinstance(outcome(faulty), ManagerUnreachableError)


def test_what_is_not_http_ends_the_connection(faulty_manager):
    port = int(faulty_manager.url.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nwhat is this\r\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)


def test_a_rule_counts_the_calls_that_it_matches_from_when_it_was_added():
    plan = FaultPlan()
    assert plan.choose("POST", "/sdk/content") is None
    plan.add("content", Reset(), calls=(2, 3)).add("PUT /sdk/*", Truncated(), calls=1)

    chosen = [plan.choose("POST", "/sdk/content") for _ in range(4)]

    assert chosen == [None, Reset(), Reset(), None]
    assert plan.choose("PUT", "/sdk/sync/r/checkpoint?a=b") == Truncated()
    assert plan.choose("PUT", "/sdk/source/s/connector-state") is None


def test_of_several_rules_the_first_wins_and_the_others_count_on():
    plan = FaultPlan().add("content", Reset(), calls=1).add("any", Truncated(), calls=(1, 2))
    assert [plan.choose("POST", "/sdk/content") for _ in range(3)] == [Reset(), Truncated(), None]


def test_a_cleared_plan_spoils_nothing():
    plan = FaultPlan().add("any", Reset())
    plan.clear()
    assert plan.choose("POST", "/sdk/content") is None


def test_random_faults_are_the_same_for_the_same_seed_however_endpoints_interleave():
    def drawn(seed, order):
        plan = FaultPlan().add_random(Reset(), LostAnswer(), Truncated(), seed=seed, rate=0.5)
        chosen = {"/sdk/content": [], "/sdk/events/batch": [], "/sdk/sync/A/scanned": []}
        for path in order:
            chosen[path].append(plan.choose("POST", path))
        return chosen

    paths = ["/sdk/content", "/sdk/events/batch", "/sdk/sync/A/scanned"]
    assert drawn(1, paths * 40) == drawn(1, [path for path in paths for _ in range(40)])
    assert drawn(1, paths * 40) != drawn(2, paths * 40)
    faults = [fault for chosen in drawn(1, paths * 40).values() for fault in chosen]
    assert 30 < faults.count(None) < 90
    assert set(faults) == {None, Reset(), LostAnswer(), Truncated()}


@pytest.mark.parametrize(
    "add",
    [
        lambda plan: plan.add("contents", Reset()),
        lambda plan: plan.add_random(Reset(), seed=1, rate=1, where="/sdk/content"),
        lambda plan: plan.add_random(seed=1, rate=1),
    ],
)
def test_a_rule_that_can_match_nothing_is_refused(add):
    with pytest.raises(ValueError, match=r"is no endpoint|at least one fault"):
        add(FaultPlan())


@pytest.mark.parametrize("address", ["https://manager:8090", "manager:8090", "http://"])
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(ValueError, match="not the http address"):
        FaultyManager(address)


def test_it_closes_at_once_whatever_goes_on_in_it(omni_manager):
    faulty = FaultyManager(omni_manager, plan=FaultPlan().add("content", Hang()).add("events", Delay(3600)))
    errors = []
    with faulty:
        threads = [threading.Thread(target=lambda: errors.append(outcome(faulty))) for _ in range(4)]
        for thread in threads:
            thread.start()
        faulty.wait_for(lambda faulty: len(faulty.calls) == 4)
        began = time.monotonic()
    assert time.monotonic() - began < 30, "long before the hour of the delay is over"
    for thread in threads:
        thread.join()
    faulty.close()
    assert len(errors) == 4


def test_waiting_for_what_does_not_happen_says_so(faulty_manager):
    with pytest.raises(TimeoutError, match=r"not within 0.01 s; 0 calls"):
        faulty_manager.wait_for(lambda faulty: faulty.calls, timeout_seconds=0.01)


def test_run_sync_goes_through_it_when_told(faulty_manager, run_sync):
    from testing.note_connectors import Notes

    faulty_manager.plan.add("events", LostAnswer(), calls=1)
    result = run_sync(Notes(), config={"notes": {"todo": "milk, bread"}}, client=faulty_manager.client())
    assert result.status == "completed"
    assert [call.fault for call in faulty_manager.calls_of("events")][:2] == [LostAnswer(), None]
