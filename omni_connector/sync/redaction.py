"""Keep secrets out of what is reported."""

import base64
import contextlib
import re
import traceback
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus

from omni_connector.models.codec import decode, encode

LONGEST_TEXT = 4000
"""Characters of an error text that are kept or reported."""

SHORTEST_SECRET = 6
"""Characters; shorter values (a flag, a port) would blank out ordinary words."""

_USERINFO = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[a-z0-9._~+/=-]{6,}")


def secrets_in(credentials: Any) -> frozenset[str]:
    """Return every text in ``credentials`` that is long enough to be a secret."""
    return frozenset(text for text in _texts(credentials) if len(text) >= SHORTEST_SECRET)


def redact(text: str, secrets: frozenset[str]) -> str:
    """Return ``text`` with the secrets, and what looks like credentials in an address or a header, as ``***``.

    A secret is also found as Python, JSON and addresses write it, in base64, and line by line.
    """
    for form in sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True):
        text = text.replace(form, "***")
    return _BEARER.sub(r"\1 ***", _USERINFO.sub("***", text))


def redacted_traceback(error: BaseException, secrets: frozenset[str]) -> str:
    """Return the traceback of ``error``, for a log, without the secrets."""
    return redact("".join(traceback.format_exception(error)), secrets)


def error_text(error: str | BaseException) -> str:
    """Return what an error says, type and message, even where its own ``__str__`` fails; at most 4,000 characters."""
    if isinstance(error, str):
        return error[:LONGEST_TEXT]
    try:
        return f"{type(error).__name__}: {error}"[:LONGEST_TEXT]
    except Exception:  # noqa: BLE001 - a broken exception must not hide that there was one.
        return type(error).__name__


def _forms(secret: str) -> Iterator[str]:
    for text in {secret, *secret.splitlines()}:
        if len(text) < SHORTEST_SECRET:
            continue
        yield text
        yield repr(text)[1:-1]
        yield encode(text).decode()[1:-1]
        yield quote(text, safe="")
        yield quote(text)
        yield quote_plus(text)
        yield base64.b64encode(text.encode(errors="replace")).decode()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        if value.lstrip()[:1] in {"{", "["}:  # A key file, say, as JSON in a string.
            with contextlib.suppress(ValueError):
                yield from _texts(decode(value))
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
