"""A manager that refuses documents by name, to see what a connector does about it."""

from __future__ import annotations

import contextlib

import pytest

from omni_connector.exceptions import SdkClientError
from omni_connector.manager import SdkClient


@contextlib.contextmanager
def refusing(*document_ids):
    """Let the manager refuse the events of these documents with 422, and so each batch that holds one."""
    original = SdkClient.send_events
    names = [f'"{name}"'.encode() for name in document_ids]

    def send_events(self, sync_run_id, source_id, events, **options):
        if any(name in event for name in names for event in events):
            raise SdkClientError("refused", operation="POST /sdk/events/batch", status=422, body="refused")
        return original(self, sync_run_id, source_id, events, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SdkClient, "send_events", send_events)
        yield
