"""What an account other than root may not do, for tests that are run by root."""

from __future__ import annotations

import ctypes
import os

VERSION = 0x20080522
BYPASSES = 1 << 1 | 1 << 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: root may read files whatever their mode is."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def heed_modes() -> None:
    """Let the modes of files count in this thread from now on, as they do for every account but root."""
    if os.geteuid():
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = _Header(VERSION, 0), (_Data * 2)()
    assert libc.capget(ctypes.byref(header), data) == 0
    data[0].effective &= ~BYPASSES
    assert libc.capset(ctypes.byref(header), data) == 0, os.strerror(ctypes.get_errno())
