"""What is checked when a connector is served with Celery as its executor."""

from __future__ import annotations

import sys

import attrs
import pytest
from support.scripted import Scripted

from omni_connector import ConfigurationError, Settings
from omni_connector.exceptions import RunQueueError
from omni_connector.executors.celery_app import CeleryQueue, make_celery_app
from omni_connector.models import Slot
from omni_connector.runstore.runs import RunKey
from omni_connector.runtime.run import QueuedRun
from omni_connector.server import close_services, create_app

SETTINGS = Settings(
    manager_url="http://manager",
    executor="celery",
    broker_url="redis://:s3cret@127.0.0.1:1/0",
    run_store="redis://127.0.0.1:1/0",
)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "celery", None)
    with pytest.raises(ConfigurationError, match=r"Type: pip install 'omni-connector\[celery\]'"):
        create_app(Scripted(), settings=SETTINGS)


def test_a_store_of_one_machine_is_warned_of(tmp_path, caplog):
    settings = Settings(
        manager_url="http://manager",
        executor="celery",
        broker_url="redis://127.0.0.1:1/0",
        run_store=f"sqlite:///{tmp_path}/runs.sqlite3",
    )
    close_services(create_app(Scripted(), settings=settings))
    assert "OMNI_RUN_STORE is a SQLite file: the Celery workers must run on this machine" in caplog.text


def test_a_broker_that_is_away_is_one_error_without_its_password():
    queue = CeleryQueue(make_celery_app(SETTINGS, "notes"))
    with pytest.raises(RunQueueError, match="OMNI_BROKER_URL") as caught:
        queue.put(QueuedRun(RunKey("run-1", "source-1", Slot.SCHEDULED), "token"), "full")
    queue.close()
    assert "s3cret" not in str(caught.value)


def test_a_message_carries_ids_alone():
    app = make_celery_app(attrs.evolve(SETTINGS, broker_url="memory://"), "notes")
    queue = CeleryQueue(app)
    queue.put(QueuedRun(RunKey("run-1", "source-1", Slot.SCHEDULED), "token"), "full")
    with app.connection_for_read() as connection, connection.SimpleQueue("omni.notes") as simple:
        message = simple.get(timeout=5)
    queue.close()
    assert message.content_type == "application/json"
    assert message.headers["task"] == "omni_connector.worker.sync"
    assert message.headers["id"] == "token"
    args, kwargs, _ = message.payload
    assert args == []
    assert kwargs == {"v": 1, "sync_run_id": "run-1", "source_id": "source-1", "sync_mode": "full"}
