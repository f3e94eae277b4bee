"""What Python itself writes about errors has no secret in it."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from omni_connector.masking import crashes, owning

BEGIN = """
import sys, threading
from omni_connector.masking import protect_process, register_secret
register_secret("s3cret-token")
"""


def ends(code):
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == ""
    return done.returncode, done.stderr


def test_a_process_that_crashes():
    code, text = ends(
        "try:\n  int('s3cret-token')\nexcept ValueError as e:\n  raise RuntimeError('for s3cret-token') from e"
    )
    assert code == 1
    assert text.rstrip().endswith("RuntimeError: for ***")
    assert "ValueError: invalid literal for int() with base 10: '***'" in text
    assert "s3cret-token" not in text


def test_a_process_that_crashes_without_a_secret():
    assert ends("raise RuntimeError('harmless')")[1].endswith("RuntimeError: harmless\n")
    assert ends("raise SystemExit('bye')")[1] == "bye\n"


def test_a_thread_that_crashes():
    code, text = ends(
        "def work():\n  raise ValueError('s3cret-token')\nt = threading.Thread(target=work, name='reader')\nt.start(); t.join()"
    )
    assert code == 0
    assert text.startswith("Exception in thread reader:\nTraceback")
    assert text.endswith("ValueError: ***\n")


def test_a_finaliser_that_crashes():
    code, text = ends("class A:\n  def __del__(self):\n    raise ValueError('s3cret-token')\na = A()\ndel a")
    assert code == 0
    assert "ValueError: ***" in text
    assert "s3cret-token" not in text


def test_the_hook_of_an_application_is_given_a_stand_in():
    given = """
def hook(kind, error, trace):
    sys.stderr.write(f"{kind.__name__}|{error}|{trace is not None}|{error.__cause__}")
sys.excepthook = hook
protect_process()
"""
    fresh = "crashes = __import__('omni_connector.masking.crashes').masking.crashes\nsys.excepthook = hook\ncrashes.mask_crashes()\n"
    assert ends(given + fresh + "raise ValueError('s3cret-token')")[1] == "ValueError|***|True|None"
    assert ends(given + fresh + "raise ValueError('harmless')")[1] == "ValueError|harmless|True|None"


@pytest.mark.parametrize(("text", "seen"), [("s3cret-token", "***"), ("harmless", "harmless")])
def test_the_hook_for_threads_of_an_application_is_given_one_too(text, seen):
    found = []
    hook = crashes._OfThread(found.append)
    with owning(frozenset({"s3cret-token"})):
        error = ValueError(text)
        hook(threading.ExceptHookArgs((ValueError, error, None, None)))
    assert str(found[0].exc_value) == seen
    assert found[0].exc_type.__name__ == "ValueError"
