"""Real traffic of everything, held against both OpenAPI documents, endpoint by endpoint.

It is recorded between the SDK and the embedded manager, as it is today and as it was on older days. With
``OMNI_CONTRACT_MANAGER_URL`` it is recorded with the manager at that address instead; see docs/development.md.
"""

from __future__ import annotations

import functools
import tempfile

import pytest
from support.contract_scenario import Everything, Target, play
from support.contract_target import REAL, real_target
from support.exchanges import (
    all_operations,
    answer_problems,
    is_later_than,
    properties_sent,
    request_problems,
)
from support.manager_dates import DATES

from omni_connector.local import LocalManager, LocalSettings

DAYS = {"real": None} if REAL else DATES
CREDENTIALS = {"token": "t0"}

TODAY_ONLY = {
    ("connector", "oauthCredentialReady"),
    ("connector", "prompt"),
    ("connector", "resource"),
    ("connector", "skill"),
    ("manager", "announceOAuthCredential"),
    ("manager", "getPrompt"),
    ("manager", "getSkill"),
    ("manager", "listPrompts"),
    ("manager", "listResources"),
    ("manager", "listSkills"),
    ("manager", "readResource"),
}
"""The scene with an MCP server and a connected account is played with today's manager only: there is no old way in it."""


@functools.cache
def traffic(day):
    """Play the scenario with a manager of that day; everything is over when this returns."""
    if REAL:
        return play(real_target())
    with tempfile.TemporaryDirectory() as directory:
        settings = LocalSettings(revision=day, progress_interval_seconds=0.05)
        with LocalManager(directory, settings=settings, schedule=False) as manager:
            return play(embedded_target(manager, day))


def embedded_target(manager, day):
    source = manager.add_source(source_type="web", config={"base_url": "x"}, credentials=CREDENTIALS)
    manager.set_connector_config("google", {"oauth_client_id": "id0"})
    return Target(
        url=manager.url,
        source_id=source.id,
        user_id=manager.add_user("admin@example.com").id,
        day=day,
        configure=lambda url: manager.configure_connector("web", url),
        probe=manager.probe,
    )


QUICK_DAYS = {"real", "today", "of February"}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(date, id=name, marks=[] if name in QUICK_DAYS else [pytest.mark.slow])
        for name, date in DAYS.items()
    ],
)
def day(request):
    return request.param


def expected(day):
    """Return what is to be seen: every operation of both documents that the manager of that day has."""
    for side in ("manager", "connector"):
        for name in all_operations(side):
            if day is None or (
                (side, name) not in TODAY_ONLY and (side == "connector" or not is_later_than(name, day))
            ):
                yield side, name


def seen(day, side, name):
    return [one for one in traffic(day) if (one.side, one.operation) == (side, name)]


def test_nothing_travels_that_is_not_documented(day):
    assert [str(one) for one in traffic(day) if not one.operation] == []


def test_every_endpoint_of_both_documents_is_used(day):
    assert {(side, name) for side, name in expected(day) if not seen(day, side, name)} == set()


OPERATIONS = [
    pytest.param(side, name, id=f"{side} {name}")
    for side in ("manager", "connector")
    for name in all_operations(side)
]


@pytest.mark.parametrize(("side", "name"), OPERATIONS)
def test_requests_are_as_documented(day, side, name):
    if side == "connector" and day is not None:
        return  # What an older manager sends is no promise of today's document.
    assert [problem for one in seen(day, side, name) for problem in request_problems(one)] == []


@pytest.mark.parametrize(("side", "name"), OPERATIONS)
def test_answers_are_as_documented(day, side, name):
    assert [problem for one in seen(day, side, name) for problem in answer_problems(one, day)] == []


def sent(day, name):
    return set().union(*(properties_sent(one) for one in seen(day, "manager", name)))


def keys_of(schema):
    from support.openapi import document

    return set(document("manager")["components"]["schemas"][schema]["properties"])


def test_every_field_that_a_connector_can_send_is_sent():
    day = next(iter(DAYS.values()))
    events = sent(day, "emitEventBatch")
    assert {f"events.person.{key}" for key in keys_of("PersonSyncRecord")} <= events
    assert {f"events.metadata.{key}" for key in keys_of("DocumentMetadata")} <= events
    for kind in ("DocumentCreatedEvent", "GroupMembershipSyncEvent", "PersonSyncEvent", "PersonDeletedEvent"):
        assert {f"events.{key}" for key in keys_of(kind)} <= events
    manifest = sent(day, "register")
    assert keys_of("ConnectorManifest") <= manifest
    assert {f"actions.{key}" for key in keys_of("ActionDefinition")} <= manifest
    assert {f"oauth.{key}" for key in keys_of("OAuthManifestConfig")} <= manifest
    assert {f"skills.{key}" for key in keys_of("ConnectorSkillDefinition")} <= manifest
    assert {f"search_operators.{key}" for key in keys_of("SearchOperator")} <= manifest
    assert keys_of("LegacyCompleteRequest") <= sent(day, "completeSync")
    assert keys_of("StoreContentRequest") <= sent(day, "storeContent")
    assert sent(day, "extractContent") == {"sync_run_id", "mime_type", "filename", "data"}


def test_the_connector_of_the_scenario_mirrors_a_server():
    assert Everything("web", mirrors=True).mcp_server is not None
