"""One contract for the three run stores."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from omni_connector.runstore.store import Claim, Held, Rate

LONG = 3600.0
SHORT = 600.0


@pytest.fixture
def expire(clock):
    """Let leases and notes of ``SHORT`` run out, and not those of ``LONG``."""
    return lambda: clock.let_pass(SHORT + 1)


def test_of_two_claims_of_a_name_the_first_wins_and_the_second_learns_who_has_it(store):
    assert store.take(Claim.of("slot", value=b"run-1"), LONG) is None
    assert store.take(Claim.of("slot", value=b"run-2"), LONG) == Held("slot", b"run-1")
    assert store.holder("slot") == b"run-1"


def test_a_claim_of_several_names_takes_all_or_none(store):
    store.take(Claim.of("b", value=b"first"), LONG)
    assert store.take(Claim.of("a", "b", "c"), LONG) == Held("b", b"first")
    assert store.holder("a") is None
    assert store.holder("c") is None


def test_taking_once_more_with_the_same_token_succeeds(store):
    claim = Claim.of("slot")
    store.take(claim, LONG)
    assert store.take(claim, LONG) is None


def test_what_was_released_is_free(store):
    claim = Claim.of("run", "slot")
    store.take(claim, LONG)
    store.release(claim.only(["slot"]))
    assert store.holder("slot") is None
    assert store.holder("run") == b""
    store.release(claim)
    assert store.take(Claim.of("run", "slot"), LONG) is None


def test_no_one_releases_what_another_holds(store):
    store.take(Claim.of("slot", value=b"mine"), LONG)
    store.release(Claim.of("slot"))
    assert store.holder("slot") == b"mine"


def test_a_lease_that_is_not_renewed_ends(store, expire):
    store.take(Claim.of("slot"), SHORT)
    expire()
    assert store.holder("slot") is None
    assert store.take(Claim.of("slot", value=b"next"), LONG) is None
    assert store.holder("slot") == b"next"


def test_a_lease_that_is_renewed_goes_on(store, expire):
    claims = [Claim.of("run", "slot", value=b"1"), Claim.of("other")]
    for claim in claims:
        store.take(claim, SHORT)
    assert store.renew(claims, LONG) == []
    expire()
    assert store.holder("slot") == b"1"
    assert store.holder("other") == b""


def test_renewing_names_the_claims_that_were_lost_and_takes_nothing_back(store, expire):
    kept, expired, taken = Claim.of("a"), Claim.of("b"), Claim.of("c", "d", value=b"old")
    for claim in (kept, expired, taken):
        store.take(claim, SHORT if claim is expired else LONG)
    store.release(taken.only(["c"]))
    store.take(Claim.of("c", value=b"new"), LONG)
    expire()
    assert store.renew([kept, expired, taken], LONG) == [expired, taken]
    assert store.holder("b") is None
    assert store.holder("c") == b"new"
    assert store.holder("d") == b"old"
    assert store.renew([], LONG) == []


def test_a_claim_is_handed_over_once(store):
    queued, first, second = (Claim.of("run", "slot", value=name) for name in (b"queue", b"first", b"second"))
    store.take(queued, LONG)
    assert store.hand_over(queued, first, LONG)
    assert not store.hand_over(queued, second, LONG)
    assert store.holder("run") == store.holder("slot") == b"first"
    assert store.renew([queued, first], LONG) == [queued]


def test_a_claim_that_has_ended_is_not_handed_over(store, expire):
    queued = Claim.of("run", "slot")
    store.take(queued, SHORT)
    expire()
    assert not store.hand_over(queued, Claim.of("run", "slot"), LONG)
    assert store.holder("run") is None


def test_a_note_is_kept_for_its_time_and_can_be_replaced(store, expire):
    assert store.get("note") is None
    store.put("note", b"one", LONG)
    store.put("note", bytes(range(256)), LONG)
    assert store.get("note") == bytes(range(256))
    store.put("note", b"short", SHORT)
    expire()
    assert store.get("note") is None


def test_a_note_may_be_large(store):
    large = b"x" * 5_000_000
    store.put("checkpoint", large, LONG)
    assert store.get("checkpoint") == large


def test_leases_notes_and_budgets_of_one_name_are_different_things(store):
    store.take(Claim.of("x", value=b"lease"), LONG)
    store.put("x", b"note", LONG)
    assert store.spend("x", 1, Rate(per_second=1)) == 0
    assert (store.holder("x"), store.get("x")) == (b"lease", b"note")


def test_a_budget_lets_a_burst_through_and_then_spreads(store):
    rate = Rate(per_second=1 / 600, burst=3)
    waits = [store.spend("source-1", 1, rate) for _ in range(5)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3] == pytest.approx(600, abs=60)
    assert waits[4] == pytest.approx(1200, abs=60)
    assert store.spend("source-2", 1, rate) == 0


def test_a_budget_recovers_with_time(store, clock):
    rate = Rate(per_second=1 / 600)
    assert store.spend("source-1", 1, rate) == pytest.approx(0, abs=1e-6)
    assert store.spend("source-1", 1, rate) > 0
    clock.let_pass(1201)
    assert store.spend("source-1", 1, rate) == pytest.approx(
        0, abs=1e-6
    )  # Moments are floating-point numbers.


def test_another_opening_of_the_store_sees_the_same(make_store):
    first, second = make_store(), make_store()
    first.take(Claim.of("slot", value=b"1"), LONG)
    first.put("note", b"2", LONG)
    assert second.take(Claim.of("slot"), LONG) == Held("slot", b"1")
    assert second.get("note") == b"2"


def test_connectors_that_share_a_store_do_not_meet(make_store):
    one, other = make_store("one"), make_store("other")
    one.take(Claim.of("slot", value=b"1"), LONG)
    one.put("note", b"1", LONG)
    assert other.holder("slot") is None
    assert other.get("note") is None


def test_of_many_threads_that_claim_at_once_one_wins(make_store):
    stores = [make_store() for _ in range(8)]
    for number in range(10):
        together = threading.Barrier(8)

        def claim(store, name=f"slot-{number}", together=together):
            together.wait(60)
            return store.take(Claim.of(name), LONG)

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(claim, stores)).count(None) == 1


def test_a_store_can_be_used_again_after_it_was_closed(store):
    store.take(Claim.of("slot", value=b"1"), LONG)
    store.close()
    store.close()
    assert store.holder("slot") == b"1"
