"""Keep secrets out of what is reported."""

import re
import traceback
from collections.abc import Iterator
from typing import Any

SHORTEST_SECRET = 6
"""Characters; shorter values (a flag, a port) would blank out ordinary words."""

_USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}")


def secrets_in(credentials: Any) -> frozenset[str]:
    """Return every text in ``credentials`` that is long enough to be a secret."""
    return frozenset(text for text in _texts(credentials) if len(text) >= SHORTEST_SECRET)


def redact(text: str, secrets: frozenset[str]) -> str:
    """Return ``text`` with the secrets, and what looks like credentials in an address or a header, as ``***``."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return _BEARER.sub(r"\1 ***", _USERINFO.sub("***", text))


def redacted_traceback(error: BaseException, secrets: frozenset[str]) -> str:
    """Return the traceback of ``error``, for a log, without the secrets."""
    return redact("".join(traceback.format_exception(error)), secrets)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
