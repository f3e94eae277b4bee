"""People, groups, the owner's address and the user filter, in both colours."""

from __future__ import annotations

import pytest

from omni_connector import Document, InvalidValueError, PersonRecord, SdkClientError, SyncCancelledError
from omni_connector.models.codec import decode
from omni_connector.models.sync import SyncConfig, UserFilterMode
from omni_connector.sync.run_info import UserFilter

ADA = PersonRecord(external_id="E1", email="ada@example.com")


def test_events_of_all_kinds_arrive_in_the_order_of_emission(run, manager):
    colours = run()
    colours.do(
        lambda ctx: ctx.emit_person_sync(ADA),
        lambda ctx: ctx.emit_group_membership(
            "eng@example.com", ["Ada@example.com", "ada@example.com"], "Eng"
        ),
        lambda ctx: ctx.emit(Document(external_id="1", title="T", content="text")),
        lambda ctx: ctx.emit_person_deleted("Bob@example.com"),
        lambda ctx: ctx.emit_group_membership(group_email="all", member_emails=iter(())),
        lambda ctx: ctx.flush(),
    )
    assert [event["type"] for event in manager.events] == [
        "person_sync",
        "group_membership_sync",
        "document_created",
        "person_deleted",
        "group_membership_sync",
    ]
    assert manager.events[1]["member_emails"] == ["ada@example.com"]
    assert manager.events[3]["email"] == "bob@example.com"
    assert (manager.updated, colours.ctx.documents_emitted) == (1, 1)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (lambda ctx: ctx.emit_person_sync({"email": "ada@example.com"}), r"give a PersonRecord\("),
        (lambda ctx: ctx.emit_person_deleted("ada"), "whole e-mail address"),
        (lambda ctx: ctx.emit_group_membership("eng", None), "empties the group"),
        (lambda ctx: ctx.emit_group_membership("eng", ["x" * 256]), "at most 255"),
    ],
)
def test_what_the_manager_would_drop_is_refused_at_emit(run, manager, step, message):
    colours = run()
    with pytest.raises(InvalidValueError, match=message):
        colours.do(step)
    colours.do(lambda ctx: ctx.flush())
    assert manager.events == []


def test_a_record_that_was_made_unusable_later_is_refused(run):
    boss = PersonRecord(external_id="E1", email="ada@example.com", manager_external_id="E0")
    boss.external_id = "E0"
    with pytest.raises(InvalidValueError, match="manager_external_id"):
        run().do(lambda ctx: ctx.emit_person_sync(boss))


def test_a_refused_group_costs_itself_and_is_in_the_ledger_as_a_group(run, manager, caplog):
    def refuse(args):
        if any(decode(event).get("group_email") == "bad@example.com" for event in args["events"]):
            raise SdkClientError("refused", status=422)

    manager.on("send_events", refuse)
    colours = run()
    colours.do(
        lambda ctx: ctx.emit_group_membership("good@example.com", []),
        lambda ctx: ctx.emit_group_membership("bad@example.com", []),
        lambda ctx: ctx.emit_person_sync(ADA),
        lambda ctx: ctx.flush(),
    )
    assert [event["type"] for event in manager.events] == ["group_membership_sync", "person_sync"]
    (error,) = colours.ctx.errors
    assert (error.kind, error.document_id, error.stage) == ("group", "bad@example.com", "event")
    assert "Group 'bad@example.com' did not arrive as it should" in caplog.text


@pytest.mark.parametrize(
    "step",
    [
        lambda ctx: ctx.emit_person_sync(ADA),
        lambda ctx: ctx.emit_person_deleted("ada@example.com"),
        lambda ctx: ctx.emit_group_membership("eng", []),
        lambda ctx: ctx.user_email(),
        lambda ctx: ctx.save_connector_state({}),
    ],
)
def test_nothing_of_a_cancelled_run_reaches_the_manager(run, manager, step):
    colours = run()
    colours.rig.stop.cancel()
    with pytest.raises(SyncCancelledError):
        colours.do(step)
    assert manager.calls == []


def test_the_owners_address_is_asked_for_once(run, manager):
    manager.owner_email = "ada@example.com"
    colours = run()
    first = colours.do(lambda ctx: ctx.user_email())
    manager.owner_email = "bob@example.com"
    assert (first, colours.do(lambda ctx: ctx.user_email())) == ("ada@example.com", "ada@example.com")
    assert manager.operations() == ["user_email"]


def test_a_manager_that_does_not_know_the_owner_is_an_error_and_is_asked_again(run, manager):
    manager.on("user_email", SdkClientError("no rows", status=500))
    colours = run()
    with pytest.raises(SdkClientError, match="no rows"):
        colours.do(lambda ctx: ctx.user_email())
    manager.on("user_email", None)
    assert colours.do(lambda ctx: ctx.user_email()) == "owner@example.com"


LISTS = {"user_whitelist": ["Ada@Example.com", 7], "user_blacklist": ["ada@example.com"]}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, {"ada@example.com", "bob@example.com", "", None}),
        ({**LISTS, "user_filter_mode": "all"}, {"ada@example.com", "bob@example.com", "", None}),
        ({**LISTS, "user_filter_mode": "whitelist"}, {"ada@example.com"}),
        ({**LISTS, "user_filter_mode": "blacklist"}, {"bob@example.com"}),
        ({"user_filter_mode": "whitelist"}, set()),
        ({"user_filter_mode": "blacklist"}, {"ada@example.com", "bob@example.com"}),
    ],
)
def test_the_user_filter_compares_in_lower_case(run, config, wanted):
    ctx = run(user_filter=UserFilter.of(SyncConfig(**config))).ctx
    assert ctx.user_filter_mode == config.get("user_filter_mode", "all")
    people = ["ada@example.com", "bob@example.com", "", None]
    assert {one for one in people if ctx.should_index_user(one)} == wanted
    assert ctx.should_index_user(" ADA@example.com") is ("ada@example.com" in wanted)


def test_the_filter_mode_of_a_run_is_one_of_the_enumeration():
    for mode in UserFilterMode:
        found = UserFilter.of(SyncConfig(user_filter_mode=str(mode))).mode
        assert (found, found.value) == (mode, str(mode))
    assert UserFilter.of(SyncConfig(user_filter_mode="later")).mode == "later"
