"""Sessions with servers that hang, die and talk: shared, bounded, timed, replaced, and gone in the end."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import os
import re
import signal
import threading
import time

import pytest
from support.mcp_servers import (
    WAIT,
    Mirror,
    children,
    everything_server,
    http_library,
    is_alive,
    open_descriptors,
    python_server,
    wait_until_gone,
)
from support.ports import free_port

from omni_connector import McpError, McpRefusedError, McpTimeoutError, McpUnavailableError
from omni_connector.event_loop import EventLoop
from omni_connector.mcp.access import Access
from omni_connector.mcp.session import Session
from omni_connector.mcp.sessions import Sessions
from omni_connector.mcp.stderr import LONGEST_LINE, Lines
from omni_connector.models.mcp_servers import HttpMcpServer, SessionLimits, StdioMcpServer


def pid_of(bridged, credentials=None):
    return int(bridged.call_tool("pid", {}, credentials).content)


def in_threads(*calls):
    """Make the calls at once; return their results or errors."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        futures = [pool.submit(call) for call in calls]
        return [future.exception(WAIT) or future.result() for future in futures]


# -- sharing ----------------------------------------------------------------------------------------------------


def test_no_process_is_started_before_the_first_call(bridge_to, awkward):
    before = children()
    bridge_to(awkward)
    assert children() == before


def test_equal_calls_share_a_process_and_other_credentials_do_not(bridge_to, awkward):
    bridged = bridge_to(awkward)
    ann, ben = {"token": "anns-token"}, {"token": "bens-token"}
    assert pid_of(bridged, ann) == pid_of(bridged, ann)
    assert pid_of(bridged, ben) != pid_of(bridged, ann)
    assert bridged.call_tool("environment", {"name": "TOKEN"}, ann).content == "anns-token"
    assert bridged.call_tool("environment", {"name": "TOKEN"}, ben).content == "bens-token"


def test_calls_at_once_start_one_process(bridge_to, awkward):
    bridged = bridge_to(awkward)
    assert len(set(in_threads(*[lambda: pid_of(bridged)] * 6))) == 1


def test_a_slow_call_does_not_hold_up_another_of_the_same_session(bridge_to):
    bridged = bridge_to(python_server("awkward", call_timeout_seconds=2))
    first = pid_of(bridged)
    began = threading.Event()

    def hang():
        began.set()
        bridged.call_tool("hang", {})

    def ask():
        began.wait(WAIT)
        return pid_of(bridged)

    hung, asked = in_threads(hang, ask)
    assert isinstance(hung, McpTimeoutError)
    assert asked == first


def test_a_process_gets_no_more_of_the_environment_than_it_needs(bridge_to, monkeypatch):
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2-hunter2")
    bridged = bridge_to(python_server("awkward", env={"REGION": "eu"}))
    assert bridged.call_tool("environment", {"name": "DATABASE_PASSWORD"}).content == "not set"
    assert bridged.call_tool("environment", {"name": "REGION"}).content == "eu"


def test_an_unused_session_is_closed(bridge_to, awkward):
    bridged = bridge_to(awkward, limits=SessionLimits(idle_seconds=0.1))
    first = pid_of(bridged)
    wait_until_gone(first)
    assert pid_of(bridged) != first


def test_sessions_are_few_and_the_one_used_longest_ago_makes_room(bridge_to, awkward):
    bridged = bridge_to(awkward, limits=SessionLimits(most=2))
    first, second = pid_of(bridged, {"token": "one"}), pid_of(bridged, {"token": "two"})
    assert pid_of(bridged, {"token": "one"}) == first
    pid_of(bridged, {"token": "three"})
    assert is_alive(first)
    assert not is_alive(second)


def test_a_call_waits_for_a_free_session(bridge_to):
    bridged = bridge_to(python_server("awkward", call_timeout_seconds=2), limits=SessionLimits(most=1))
    first = pid_of(bridged, {"token": "one"})
    hung, waited = in_threads(
        lambda: bridged.call_tool("hang", {}, {"token": "one"}), lambda: pid_of(bridged, {"token": "two"})
    )
    assert isinstance(hung, McpTimeoutError)
    assert isinstance(waited, (int, McpUnavailableError))  # It may have been too late by then.
    assert pid_of(bridged, {"token": "two"}) != first


def test_a_call_says_so_when_no_session_gets_free(awkward):
    def access(token):
        return Access(server=awkward, settings={"TOKEN": token})

    async def hold_one_and_ask_for_another():
        sessions = Sessions(SessionLimits(most=1), on_lists_changed=lambda _: None)
        held = asyncio.Event()

        async def hold(connection):
            held.set()
            await asyncio.Event().wait()

        holding = asyncio.ensure_future(
            sessions.request(access("one"), hold, timeout_seconds=WAIT, repeatable=False)
        )
        await held.wait()
        try:
            await sessions.request(access("two"), hold, timeout_seconds=0.1, repeatable=False)
        finally:
            holding.cancel()
            await sessions.close()

    loop = EventLoop("test-mcp")
    try:
        with pytest.raises(McpUnavailableError, match="All 1 sessions with MCP servers are in use"):
            loop.run(hold_one_and_ask_for_another())
    finally:
        loop.close()


# -- hanging ----------------------------------------------------------------------------------------------------


def test_a_call_that_gets_no_answer_times_out_and_the_next_one_has_a_new_process(bridge_to):
    bridged = bridge_to(python_server("awkward", call_timeout_seconds=1.5))
    first = pid_of(bridged)
    with pytest.raises(McpTimeoutError, match=r"did not answer within 1\.5 s") as late:
        bridged.call_tool("hang", {})
    assert late.value.seconds == 1.5
    assert pid_of(bridged) != first
    wait_until_gone(first)


def test_a_server_that_never_answers_is_given_up_and_ended(bridge_to):
    before = children()
    bridged = bridge_to(python_server("awkward", "mute", connect_timeout_seconds=0.5))
    with pytest.raises(McpTimeoutError, match=r"could not be started or reached within 0\.5 s"):
        bridged.discover()
    assert children() == before


def test_no_thread_waits_for_a_hung_server_once_its_time_is_up(bridge_to):
    bridged = bridge_to(python_server("awkward", call_timeout_seconds=2))
    pid_of(bridged)
    before = threading.active_count()
    errors = in_threads(*[lambda: bridged.call_tool("hang", {})] * 8)
    assert [type(error) for error in errors] == [McpTimeoutError] * 8
    assert threading.active_count() <= before + 1  # One that waits for the process to be reaped.


def test_a_server_that_accepts_and_never_answers_over_http(bridge_to, silent_address):
    server = HttpMcpServer(silent_address, connect_timeout_seconds=0.5)
    with pytest.raises(McpTimeoutError):
        bridge_to(server).discover()


# -- dying ------------------------------------------------------------------------------------------------------


def test_a_process_that_was_killed_is_started_again_for_the_next_call(bridge_to, awkward):
    bridged = bridge_to(awkward)
    bridged.discover()
    first = pid_of(bridged)
    os.kill(first, signal.SIGKILL)
    second = pid_of(bridged)
    assert second != first
    assert not is_alive(first)


def test_a_tool_that_writes_runs_in_the_new_process_too_once_the_death_is_known(bridge_to, awkward):
    bridged = bridge_to(awkward)
    first = pid_of(bridged)
    os.kill(first, signal.SIGKILL)
    wait_until_gone(first)
    assert bridged.call_tool("say", {"text": "still here"}).content == "done"


def test_a_process_that_dies_during_a_write_is_not_asked_again(bridge_to, awkward, caplog):
    bridged = bridge_to(awkward)
    pid_of(bridged)
    with pytest.raises(McpUnavailableError, match="python"):
        bridged.call_tool("die", {}, {"token": "t0p-secret"})
    assert caplog.text.count("about to die") <= 1
    assert pid_of(bridged)


def test_a_program_that_is_not_there_is_named(bridge_to):
    with pytest.raises(McpUnavailableError, match="no-such-program"):
        bridge_to(StdioMcpServer("no-such-program")).discover()


def test_a_program_that_ends_at_once_is_quoted(bridge_to):
    with pytest.raises(McpUnavailableError, match=r"it said: cannot find the key \*\*\*"):
        bridge_to(python_server("awkward", "broken")).discover({"token": "t0p-secret"})


def test_nobody_at_an_address(bridge_to):
    port = free_port()
    with pytest.raises(McpUnavailableError, match=rf"http://127.0.0.1:{port}/mcp cannot be reached"):
        bridge_to(HttpMcpServer(f"http://user:pass@127.0.0.1:{port}/mcp?key=abcdef")).discover()


def test_an_http_server_that_was_started_again_is_asked_in_a_new_session(bridge_to):
    port = str(free_port())
    with http_library("--port", port) as url:
        bridged = bridge_to(HttpMcpServer(url))
        bridged.discover()
        first = bridged.call_tool("who_are_you", {}).content
    with http_library("--port", port):
        assert bridged.call_tool("who_are_you", {}).content != first


@pytest.mark.slow
def test_a_session_that_a_server_has_forgotten_is_opened_anew_even_for_a_write(bridge_to, npm_servers):
    port = free_port()
    bridged = bridge_to(HttpMcpServer(f"http://127.0.0.1:{port}/mcp"))
    for _ in range(2):
        with everything_server(npm_servers, port):
            assert "logging" in bridged.call_tool("toggle-simulated-logging", {}).content


def test_a_refused_token_is_told_with_its_status(bridge_to):
    with http_library("--token", "t0p-secret") as url:
        bridged = bridge_to(HttpMcpServer(url))
        assert bridged.discover({"token": "t0p-secret"}) is True
        with pytest.raises(McpError, match="HTTP 401") as refused:
            bridged.discover({"token": "another-one"})
        assert "another-one" not in str(refused.value)


def test_declared_headers_are_sent_and_prepared_ones_win(bridge_to):
    with http_library("--token", "t0p-secret") as url:
        server = HttpMcpServer(url, {"Authorization": "Bearer t0p-secret"})
        assert bridge_to(server).discover() is True
        with pytest.raises(McpError, match="HTTP 401"):
            bridge_to(server).discover({"token": "another-one"})


# -- closing ----------------------------------------------------------------------------------------------------


def test_closing_ends_processes_and_their_children_and_leaks_no_descriptor(bridge_to, awkward):
    before = open_descriptors()
    bridged = bridge_to(awkward)
    first = pid_of(bridged)
    grandchild = int(bridged.call_tool("spawn", {}).content)
    bridged.close()
    wait_until_gone(first)
    assert set(open_descriptors().values()) <= set(before.values())
    os.kill(grandchild, signal.SIGKILL) if is_alive(grandchild) else None


def test_a_process_that_ignores_its_end_of_input_is_killed_with_its_children(bridge_to):
    bridged = bridge_to(python_server("awkward", call_timeout_seconds=2))
    first = pid_of(bridged)
    grandchild = int(bridged.call_tool("spawn", {}).content)
    with pytest.raises(McpTimeoutError):
        bridged.call_tool("spin", {})  # It answers nothing any more, and ignores to be terminated.
    assert pid_of(bridged) != first
    began = time.monotonic()
    bridged.close()
    assert time.monotonic() - began < 60
    wait_until_gone(first)
    wait_until_gone(grandchild)


def test_calls_under_way_fail_when_the_bridge_is_closed(bridge_to, awkward):
    bridged = bridge_to(awkward)
    pid_of(bridged)
    failed = []
    began = threading.Event()

    def call():
        began.set()
        with pytest.raises(McpError) as caught:
            bridged.call_tool("hang", {})
        failed.append(caught.value)

    thread = threading.Thread(target=call)
    thread.start()
    began.wait(WAIT)
    bridged.close()
    thread.join(WAIT)
    assert isinstance(failed[0], McpUnavailableError)
    with pytest.raises(McpUnavailableError, match="shuts down"):
        bridged.call_tool("pid", {})


def test_many_sessions_leave_no_descriptors(bridge_to, awkward):
    bridged = bridge_to(awkward, limits=SessionLimits(most=1))
    pid_of(bridged, {"token": "first"})
    before = len(open_descriptors())
    for number in range(5):
        pid_of(bridged, {"token": f"token-{number}"})
    assert len(open_descriptors()) == before


@pytest.mark.parametrize(
    "steps", [pytest.param(steps, marks=[pytest.mark.slow] if steps % 4 else []) for steps in range(12)]
)
def test_a_session_that_is_given_up_while_its_process_starts_leaves_nothing(awkward, steps):
    async def begin_and_leave():
        session = Session(
            Access(server=awkward, settings={}), on_end=lambda _: None, on_lists_changed=lambda _: None
        )
        for _ in range(steps):  # Each is a turn of the loop; the process is spawned in one of them.
            await asyncio.sleep(0)
        session.leave()
        await session.ended()

    before = children(), open_descriptors()
    loop = EventLoop("test-mcp")
    loop.run(begin_and_leave())
    loop.close()
    gc.collect()  # A process that is not waited for, or a pipe that is not closed, is complained of here.
    assert (children(), open_descriptors()) == before


# -- stderr -----------------------------------------------------------------------------------------------------


def test_what_a_process_says_goes_to_the_log_without_secrets_and_not_to_the_terminal(
    bridge_to, awkward, caplog, capfd
):
    caplog.set_level("INFO")
    bridged = bridge_to(awkward)
    bridged.call_tool("say", {"text": "the key is t0p-secret"}, {"token": "t0p-secret"})
    bridged.close()
    assert re.search(r"MCP server python\S*: the key is \*\*\* 0", caplog.text)
    assert "t0p-secret" not in caplog.text
    told = capfd.readouterr()
    assert "the key is" not in told.out + told.err


def test_a_process_that_talks_without_end_is_cut_short_and_not_held_up(bridge_to, awkward, caplog):
    caplog.set_level("INFO")
    bridged = bridge_to(awkward)
    bridged.call_tool("say", {"text": "x" * 100, "times": 5000})  # More than a pipe holds.
    bridged.call_tool("say", {"text": "y" * 100_000})
    bridged.close()
    lines = [record.getMessage() for record in caplog.records if "MCP server python" in record.getMessage()]
    assert len(lines) <= 202
    assert any(re.search(r"\d+ more lines", line) for line in lines)
    assert max(len(line) for line in lines) < 2100


def test_lines_are_cut_where_they_end_and_where_they_do_not():
    said = []
    lines = Lines(said.append)
    for piece in (b"one\ntw", b"o\n", b"x" * (LONGEST_LINE * 8), b"y", b"rest"):
        lines.data_received(piece)
    lines.connection_lost(None)
    assert [line[:4] for line in said] == [b"one", b"two", b"xxxx", b"rest"]


# -- what the author gets wrong ---------------------------------------------------------------------------------


def test_a_hook_that_raises_refuses_the_call_without_secrets(bridge_to, awkward):
    class Picky(Mirror):
        def prepare_mcp_env(self, credentials):
            raise ValueError(f"no use: {credentials['token']}")

    with pytest.raises(
        McpRefusedError, match=r"Picky cannot reach its MCP server: ValueError: no use: \*\*\*"
    ):
        bridge_to(Picky(awkward)).call_tool("pid", {}, {"token": "t0p-secret"})


def test_a_hook_that_returns_something_else_is_told(bridge_to, awkward):
    class Wrong(Mirror):
        def prepare_mcp_env(self, credentials):
            return {"PORT": 8000}

    with pytest.raises(McpRefusedError, match=r"prepare_mcp_env returned dict: return a dict of strings"):
        bridge_to(Wrong(awkward)).call_tool("pid", {})


def test_a_hook_may_be_async_and_run_on_the_loop(bridge_to, awkward):
    class Async(Mirror):
        async def prepare_mcp_env(self, credentials):
            return {"TOKEN": "from the loop"}

    assert bridge_to(Async(awkward)).call_tool("environment", {"name": "TOKEN"}).content == "from the loop"
