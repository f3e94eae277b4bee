"""Contents that an async connector saves by the dozen, over a manager that fails."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from benchmarks.worlds import SMALL, faulty_world
from omni_connector import Connector, Document, DocumentPermissions, SdkClientError
from omni_connector.event_loop import OFF_LOOP_THREADS
from omni_connector.local import LocalManager
from omni_connector.testing.faults import Answer, FaultyManager, LostAnswer, Reset

EVERYBODY = DocumentPermissions(public=True)


class Gathering(Connector):
    """Saves contents sixteen at a time, and notes what was refused."""

    name = "gathering"
    version = "1"
    source_types = ["web"]

    def __init__(self, texts):
        self.texts = texts
        self.refused = []

    async def sync(self, source_config, credentials, state, ctx):
        for start in range(0, len(self.texts), 16):
            texts = self.texts[start : start + 16]
            ids = await asyncio.gather(*map(ctx.content_storage.save, texts), return_exceptions=True)
            for number, content_id in enumerate(ids, start):
                if isinstance(content_id, Exception):
                    self.refused.append((number, content_id))
                    continue
                await ctx.emit(
                    Document(external_id=str(number), title="T", content_id=content_id, permissions=EVERYBODY)
                )
                await ctx.increment_scanned()


class Files(Connector):
    """Emits all its files at once."""

    name = "files"
    version = "1"
    source_types = ["web"]

    def __init__(self, folder, number):
        self.paths = [folder / f"{each}.txt" for each in range(number)]
        for path in self.paths:
            path.write_text(f"File {path.stem}")

    async def sync(self, source_config, credentials, state, ctx):
        await asyncio.gather(
            *(
                ctx.emit(Document(external_id=path.stem, title="T", content=path, permissions=EVERYBODY))
                for path in self.paths
            )
        )


@pytest.fixture
def run(tmp_path):
    def run(connector, *rules, limits=SMALL):
        with (
            LocalManager(tmp_path / "data", schedule=False) as manager,
            FaultyManager(manager) as faulty,
            faulty_world(connector, faulty, manager, limits=limits) as world,
        ):
            for rule in rules:
                rule(faulty.plan)
            source = world.add_source()
            row, _ = world.sync(source)
            assert row.status == "completed", row.error_message
            return {key: text for key, (_, text) in world.arrived(source).items()}

    return run


def test_saves_that_fail_are_repeated_and_each_gets_its_own_id(run):
    texts = [f"Text number {number}" for number in range(100)]
    connector = Gathering(texts)
    faults = (
        Answer(503),
        Answer(429, headers={"Retry-After": "0"}),
        Reset("undone"),
        LostAnswer(),
        Answer(500),
    )
    found = run(connector, lambda plan: plan.add_random(*faults, seed=3, rate=0.3, where="content"))
    assert found == {str(number): text for number, text in enumerate(texts)}
    assert connector.refused == []


def test_a_save_that_is_refused_raises_where_it_is_awaited(run):
    texts = [f"Text number {number}" for number in range(20)]
    connector = Gathering(texts)
    found = run(connector, lambda plan: plan.add("content", Answer(422, "no"), calls=3))
    ((number, error),) = connector.refused
    assert isinstance(error, SdkClientError)
    assert error.status == 422
    assert found == {str(n): text for n, text in enumerate(texts) if n != number}


def test_more_files_than_threads_and_room_arrive(run, tmp_path):
    """The threads that have read the first ones wait for room, which comes only when these are sent without the others."""
    connector = Files(tmp_path, 2 * OFF_LOOP_THREADS)
    found = run(connector, limits=evolve(SMALL, buffer_bytes=50, batch_events=500))
    assert found == {path.stem: f"File {path.stem}" for path in connector.paths}
