import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from omni_connector.cli.signals import StoppedBySignal, StopSignals


def test_before_it_is_deferred_a_signal_raises_at_once():
    with pytest.raises(StoppedBySignal) as caught, StopSignals():
        signal.raise_signal(signal.SIGTERM)
    assert caught.value.number == signal.SIGTERM
    assert str(caught.value) == "SIGTERM"


def test_a_deferred_signal_is_noted_and_ends_the_waiting():
    with StopSignals() as signals:
        signals.defer()
        assert signals.wait(0) is False
        timer = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        began = time.monotonic()
        assert signals.wait(60) is True
        assert time.monotonic() - began < 25
        timer.join()
        assert signals.received == signal.SIGINT
        assert signals.wait(60) is True  # And stays so.


def test_a_pause_lasts_also_after_the_first_signal():
    with StopSignals() as signals:
        signals.defer()
        signal.raise_signal(signal.SIGINT)
        began = time.monotonic()
        signals.pause(0.1)
        assert time.monotonic() - began >= 0.09


def test_the_former_handlers_come_back():
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with StopSignals():
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_second_signal_ends_the_process_whatever_it_does():
    code = (
        "import signal, time\n"
        "from omni_connector.cli.signals import StopSignals\n"
        "with StopSignals(lambda: print('tidied', flush=True)) as signals:\n"
        "    signals.defer()\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    signal.raise_signal(signal.SIGTERM)\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (143, "tidied\n", "")
