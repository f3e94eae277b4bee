"""The worker is a thread: what it keeps must not have the name of something that the thread itself keeps."""

from __future__ import annotations

import inspect
import re
import threading

from omni_connector.runtime.worker import SyncWorker

LATER = {"_context", "_handle", "_os_thread_handle"}
"""What threads keep on Python 3.13 and 3.14 beside what they keep here."""


def test_a_worker_keeps_nothing_under_a_name_of_threads():
    own = set(re.findall(r"self\.(\w+) = ", inspect.getsource(SyncWorker)))
    assert "_run" in own
    assert not own & (set(vars(threading.Thread())) | LATER)
