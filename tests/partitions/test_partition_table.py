"""What is known of the partitions of a run, whatever happens in which order."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.properties import deterministic

from omni_connector import ConnectorError, InvalidValueError, Partition
from omni_connector.models.codec import decode, encode, structure, unstructure
from omni_connector.partitions.layout import LAYOUT_KEY, PartitionCheckpoint, is_partitioned
from omni_connector.partitions.messages import DONE, FAILED, STOPPED, Assignment, PartitionReport
from omni_connector.partitions.table import PartitionTable, RunFacts
from omni_connector.telemetry.figures import Figures

RUN = RunFacts(sync_run_id="run-1")
KEYS = ["a", "b", "c"]


def table(run=RUN, checkpoint=None, keys=KEYS):
    made = PartitionTable(run, checkpoint or PartitionCheckpoint())
    for key in keys:
        made.add(Partition(key=key))
    return made


def test_a_checkpoint_comes_back_as_it_was():
    before = table()
    before.begin("a")
    before.take(
        PartitionReport(key="a", figures=Figures(scanned=3, updated=2), has_saved=True, state={"page": 1})
    )
    before.take(PartitionReport(key="a", figures=Figures(scanned=4, updated=3), outcome=DONE))
    stored = decode(encode(before.checkpoint().to_json()))
    assert stored == {
        LAYOUT_KEY: 1,
        "run": "run-1",
        "partitions": {"a": {"state": {"page": 1}, "saved": True, "done": True, "scanned": 4, "updated": 3}},
    }
    assert table(checkpoint=PartitionCheckpoint.of(stored)).checkpoint() == before.checkpoint()


def test_only_our_own_layout_is_taken_for_it():
    assert is_partitioned(table().checkpoint().to_json())
    assert not any(map(is_partitioned, [None, {}, {"partitions": {"a": 1}}, [LAYOUT_KEY], "text"]))


def test_only_what_this_run_has_saved_is_its_own_and_a_full_run_is_given_nothing_else():
    run = attrs.evolve(RUN, is_fresh=True)
    published = PartitionCheckpoint.of_states({"a": {"page": 9}, "b": {"page": 9}})
    one = table(run, published)
    first, _ = one.begin("a")
    assert (first.is_own, first.starts_from_nothing) == (False, True)
    one.take(PartitionReport(key="a", figures=Figures(), has_saved=True, state={"page": 1}))
    resumed = table(run, PartitionCheckpoint.of(decode(encode(one.checkpoint().to_json()))))
    given = {key: resumed.begin(key)[0] for key in "ab"}
    assert [(each.is_own, each.starts_from_nothing) for each in given.values()] == [
        (True, False),
        (False, True),
    ]


def test_a_realtime_run_reads_its_partitions_again_when_it_is_resumed():
    realtime = attrs.evolve(RUN, finishes=False)
    saved = {}
    for run in (RUN, realtime):
        one = table(run)
        one.begin("a")
        one.take(PartitionReport(key="a", figures=Figures(), outcome=DONE))
        saved[run.finishes] = one.checkpoint()
    assert [saved[finishes].partitions["a"].is_done for finishes in (True, False)] == [True, False]
    # Whatever the checkpoint says of it.
    assert table(realtime, saved[True], keys=[]).add(Partition(key="a"))
    assert not table(RUN, saved[True], keys=[]).add(Partition(key="a"))


def test_an_old_attempt_has_no_say_any_more():
    one = table()
    one.begin("a")
    one.begin("a")
    late = PartitionReport(
        key="a", attempt=1, figures=Figures(scanned=9), has_saved=True, state={"late": True}
    )
    assert one.take(late) is None
    assert one.states(of_this_run=False) == {}


def test_a_second_attempt_takes_back_what_lay_behind_the_state():
    one = table()
    one.begin("a")
    saved = Figures(scanned=5, updated=4, emitted=5)
    total = one.take(PartitionReport(key="a", figures=saved, has_saved=True, state={"page": 1}))
    total += one.take(PartitionReport(key="a", figures=Figures(scanned=9, updated=8, emitted=9)))
    again, less = one.begin("a")
    assert again.before == Figures(scanned=5, updated=4)
    assert total + less == saved
    # The worker counts on from what it was given; what it was not, it begins at nothing.
    total += less + one.take(
        PartitionReport(key="a", attempt=2, figures=Figures(scanned=6, updated=5, emitted=1))
    )
    assert total == Figures(scanned=6, updated=5, emitted=6)


def test_a_lost_partition_is_a_failed_one_unless_it_has_ended():
    one = table()
    one.begin("a")
    one.lose("a", "its worker is gone")
    one.begin("b")
    one.take(PartitionReport(key="b", figures=Figures(), outcome=DONE))
    one.lose("b", "its worker is gone")
    assert one.failures == {"a": "its worker is gone", "c": "it was stopped before its end"}


@pytest.mark.parametrize("outcome", [DONE, FAILED])
def test_one_that_has_ended_is_not_begun_again_by_a_task_that_is_delivered_twice(outcome):
    one = table()
    one.begin("a")
    one.take(PartitionReport(key="a", figures=Figures(), outcome=outcome))
    with pytest.raises(ConnectorError, match=f"partition 'a' has ended already \\({outcome}\\)"):
        one.begin("a")


def test_one_that_was_stopped_goes_on_where_it_has_saved():
    one = table(keys="a")
    one.begin("a")
    one.take(PartitionReport(key="a", figures=Figures(), has_saved=True, state={"page": 1}))
    one.take(PartitionReport(key="a", figures=Figures(), outcome=STOPPED))
    assert one.failures == {"a": "it was stopped before its end"}, "no run completes without it"
    again, _ = one.begin("a")
    assert (again.attempt, again.checkpoint) == (2, {"page": 1})


@pytest.mark.parametrize("wrong", ["a", None, {"key": "a"}])
def test_only_partitions_are_taken(wrong):
    with pytest.raises(InvalidValueError, match="give Partition"):
        table().add(wrong)


def test_messages_travel_as_json():
    for message in (
        Assignment(key="a", data={"n": 1}, checkpoint={"page": 1}, before=Figures(scanned=3), is_resume=True),
        PartitionReport(key="a", figures=Figures(scanned=3), has_saved=True, state={"page": 1}, outcome=DONE),
    ):
        assert structure(type(message), decode(encode(unstructure(message)))) == message


# -- any order of events -----------------------------------------------------------------------------------------------


@attrs.define
class Reader:
    """A partition that is read: its documents are numbered, its state is how many were delivered."""

    given: Assignment
    read: int = 0

    def __attrs_post_init__(self):
        state = None if self.given.starts_from_nothing else self.given.checkpoint
        self.read = (state or {"read": 0})["read"]

    def report(self, before, **more):
        new = self.read - before
        figures = Figures(
            scanned=self.given.before.scanned + new, updated=self.given.before.updated + new, emitted=new
        )
        return PartitionReport(key=self.given.key, attempt=self.given.attempt, figures=figures, **more)


class Model:
    """Of each partition so many documents are saved and so many are read; counts are their sums."""

    def __init__(self, run):
        self.run = run
        self.table = table(run)
        self.counted = Figures()
        self.finished = set()
        self._forget_readers()

    def _forget_readers(self):
        self.readers, self.starts, self.last = {}, {}, {}

    def _take(self, report):
        self.counted += self.table.take(report) or Figures()

    def begin(self, key):
        if key in self.finished or self.table._entries[key].outcome == FAILED:
            return
        given, less = self.table.begin(key)
        self.counted += less
        reader = self.readers[key] = Reader(given)
        self.starts[key] = reader.read
        self.last.pop(key, None)

    def read(self, key):
        self.readers[key].read += 1
        self._report(key)

    def save(self, key):
        self._report(key, has_saved=True, state={"read": self.readers[key].read})

    def _report(self, key, **more):
        self.last[key] = self.readers[key].report(self.starts[key], **more)
        self._take(self.last[key])

    def repeat(self, key):
        if key in self.last:
            self._take(self.last[key])

    def late(self, key):
        reader = self.readers[key]
        old = attrs.evolve(reader.report(self.starts[key]), attempt=reader.given.attempt - 1)
        assert self.table.take(old) is None

    def done(self, key):
        self._end(key, DONE)
        self.finished.add(key)

    def fail(self, key):
        self._end(key, FAILED)

    def stop(self, key):
        self._end(key, STOPPED)

    def _end(self, key, outcome):
        self._take(self.readers[key].report(self.starts[key], outcome=outcome))
        del self.readers[key]

    def killed(self, key):
        """The process ends with all that was not in the checkpoint; the run is resumed."""
        stored = PartitionCheckpoint.of(decode(encode(self.table.checkpoint().to_json())))
        self.table = PartitionTable(self.run, stored)
        self.counted = self.table.counted
        assert {key for key in KEYS if not self.table.add(Partition(key=key))} == self.finished
        self._forget_readers()

    def another_run(self, key):
        """The checkpoint is that of an earlier run."""
        stored = attrs.evolve(PartitionCheckpoint.of(self.table.checkpoint().to_json()), run_id="run-0")
        self.table = table(self.run, stored)
        self.counted = Figures()
        self.finished = set()
        self._forget_readers()

    def contradictions(self):
        """What is in the checkpoint is what was done until its states were saved, and never more than was read."""
        one, stored = self.table, self.table.checkpoint()
        entries = one._entries
        equal = {
            "scanned": (one.counted.scanned, sum(each.scanned for each in stored.partitions.values())),
            "done": ({key for key, each in stored.partitions.items() if each.is_done}, self.finished),
            "counted": (self.counted, sum((entry.now for entry in entries.values()), Figures())),
        }
        for key, reader in self.readers.items():
            states = one.states(of_this_run=reader.given.starts_from_nothing)
            behind = reader.read - states.get(key, {"read": 0})["read"]
            equal[f"behind its state: {key}"] = (
                max(behind, 0),
                entries[key].now.scanned - entries[key].at_state.scanned,
            )
        return [(what, *pair) for what, pair in equal.items() if pair[0] != pair[1]]


ANY_TIME = {"begin", "killed", "another_run"}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(KEYS),
        st.sampled_from(
            [*sorted(ANY_TIME), "read", "read", "save", "done", "fail", "stop", "repeat", "late"]
        ),
    ),
    max_size=60,
)


@deterministic(400)
@given(STEPS, st.booleans())
def test_counts_and_states_belong_together_whatever_happens(steps, is_fresh):
    model = Model(attrs.evolve(RUN, is_fresh=is_fresh))
    for key, step in steps:
        if step in ANY_TIME or key in model.readers:
            getattr(model, step)(key)
            assert model.contradictions() == []
