"""Many deletions need approval, which holds once and for at most the number that was named."""

from __future__ import annotations

import re

import pytest
from support.inventory_source import lister

from omni_connector import Connector, DeletionLimits
from omni_connector.exceptions import ConfigurationError
from omni_connector.inventory.approvals import APPROVE_DELETIONS, approve
from omni_connector.inventory.terms import InventoryTerms
from omni_connector.typed.declared_types import OF_THE_MANAGER

CODE = re.compile(r"'(\d+-[0-9a-f]{6})'")


def many(count):
    return {f"d{number:03}": 1 for number in range(count)}


def sync(source, count, **more):
    """Sync with so many documents left; return how many were deleted, and the code that was asked for."""
    ctx, run = source.open(**more)
    lister(many(count))(ctx, ctx.inventory())
    ctx.complete({"n": source.runs})
    source.published = {"n": source.runs}
    withheld = [error for error in ctx.errors if error.stage == "withheld"]
    run.close()
    code = CODE.search(withheld[0].reason)[1] if withheld else None
    return ctx.documents_deleted, code


@pytest.mark.parametrize(
    ("known", "left", "is_allowed"),
    [
        (10, 1, True),
        (11, 9, True),
        (11, 8, False),
        (100, 80, True),
        (100, 79, False),
        (1, 0, False),
        (5, 0, False),
    ],
)
def test_a_fifth_of_more_than_ten_documents_and_an_empty_listing_need_approval(
    source, caplog, known, left, is_allowed
):
    source.sync(many(known), mode="full")
    deleted, code = sync(source, left)
    assert deleted == (known - left if is_allowed else 0)
    if not is_allowed:
        assert code.startswith(f"{known - left}-")
        documents = "1 of 1 document was" if known == 1 else f"{known - left} of {known} documents were"
        assert f"Source source-1: {documents} not found any more" in caplog.text
        assert source.manager.status == "completed"


def test_the_limits_can_be_set_but_an_empty_listing_always_needs_approval(source):
    source.sync(many(20), mode="full")
    source.terms = InventoryTerms(storage=source.terms.storage, limits=DeletionLimits(share=None))
    assert sync(source, 1) == (19, None)
    assert sync(source, 0)[0] == 0
    assert not DeletionLimits(share=0.5).needs_approval(deleted=10, known=20, is_empty=False)
    assert DeletionLimits(share=0.5, small=0).needs_approval(deleted=2, known=3, is_empty=False)
    with pytest.raises(ConfigurationError, match="between 0 and 1"):
        DeletionLimits(share=20)


def test_an_error_is_no_sign_that_a_listing_is_not_empty(source):
    source.sync(many(5), mode="full")

    def step(ctx, inventory):
        ctx.emit_error("a-folder", "no")
        inventory.finish()

    assert source.run(step) == []


@pytest.mark.parametrize("by", ["setting", "action"])
def test_an_approval_holds_once_and_for_at_most_its_number(source, by):
    source.sync(many(100), mode="full")
    _, code = sync(source, 50)
    assert sync(source, 50) == (0, code)  # Asked for again under the same code.
    give(source, by, code)
    deleted, larger = sync(source, 40)
    assert (deleted, larger[:3]) == (0, "60-")
    give(source, by, larger)
    assert sync(source, 45) == (55, None)  # Fewer than were approved.
    with pytest.raises(ConfigurationError):
        approve(source.terms.storage, larger)  # It was used.
    source.sync(many(105))
    deleted, next_code = sync(source, 45)
    assert (deleted, next_code[:3]) == (0, "60-")
    assert next_code not in {code, larger}


def test_an_approval_is_that_of_its_scope_and_holds_through_interruptions(source):
    def both(count):
        def step(ctx, _):
            for scope in ("one", "two"):
                lister({f"{scope}-{name}": 1 for name in many(count)})(ctx, ctx.inventory(scope))

        return step

    source.run(both(20), mode="full")
    ctx, run = source.open()
    both(5)(ctx, None)
    ctx.complete({"n": 1})
    run.close()
    source.published = {"n": 1}
    code = CODE.search(ctx.errors[0].reason)[1]
    source.config = {APPROVE_DELETIONS: ["1-000000", code]}
    ctx, run = source.open(sync_run_id="long")
    both(5)(ctx, None)
    assert ctx.documents_deleted == 15
    run.close()  # Killed: part of it may have arrived.
    assert len(source.run(both(5), sync_run_id="long")) + len(deletions(source)) >= 15
    assert {each["document_id"][:3] for each in deletions(source)} == {"one"}
    assert source.run(both(5)) == []


def deletions(source):
    return [event for event in source.manager.events if event["type"] == "document_deleted"]


def test_a_code_that_was_not_asked_for_approves_nothing(source):
    source.sync(many(20), mode="full")
    _, code = sync(source, 1)
    for wrong in ("", "19-000000", f" {code}", "19"):
        with pytest.raises(ConfigurationError, match="is not a code that a sync has asked for"):
            approve(source.terms.storage, wrong)
    assert approve(source.terms.storage, code) == 19


def give(source, by, code):
    if by == "setting":
        source.config = {APPROVE_DELETIONS: f"5-abcdef, {code}"}
    else:
        approve(source.terms.storage, code)


class Guarded(Connector):
    name = "guarded"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full", "incremental"]
    deletion_limits = DeletionLimits()
    left = 20

    def sync(self, source_config, credentials, state, ctx):
        lister(many(self.left))(ctx, ctx.inventory())


def test_an_operator_approves_by_an_action_what_a_later_run_deletes(run_sync, omni_manager):
    from omni_connector.testing import call_action

    connector = Guarded()
    run_sync(connector)
    connector.left = 5
    result = run_sync(connector, mode="incremental")
    assert result.status == "completed"
    [withheld] = [error for error in result.errors if error.stage == "withheld"]
    code = CODE.search(withheld.reason)[1]
    assert f'action {APPROVE_DELETIONS} with {{"approval": "{code}"}}' in withheld.reason
    assert call_action(connector, APPROVE_DELETIONS, {"approval": "1-000000"}, manager=omni_manager).error
    answer = call_action(connector, APPROVE_DELETIONS, {"approval": code}, manager=omni_manager)
    assert answer.result == {"deletions_at_most": 15}
    result = run_sync(connector, mode="incremental")
    assert (len(result.deletions), len(result.index)) == (15, 5)
    assert APPROVE_DELETIONS in OF_THE_MANAGER  # Typed settings let it through.
