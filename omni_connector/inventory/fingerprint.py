"""What stands for the version of a document."""

import hashlib
from typing import Any

import orjson

from omni_connector.exceptions import InvalidValueError

BYTES = 12
"""Of a fingerprint as it is kept. That two versions of one document have the same is a matter of 2^-96."""

UNKNOWN = b""
"""In the place of a fingerprint: the document may be at the manager, in which version is not known."""

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS


def version_key(version: Any) -> bytes:
    """Return what all fingerprints of a listing are made with."""
    return b"" if version is None else hashlib.blake2b(_text(version), digest_size=16).digest()


def fingerprint_of(value: Any, key: bytes) -> bytes:
    """Return the fingerprint of a document's version; ``UNKNOWN``, which equals none, for None.

    Args:
        value: an ETag, a moment, a hash, a list or dict of such.
        key: as ``version_key`` made it.

    Raises:
        InvalidValueError: it has no JSON form.
    """
    if value is None:
        return UNKNOWN
    return hashlib.blake2b(_text(value), digest_size=BYTES, key=key).digest()


def _text(value: Any) -> bytes:
    if isinstance(value, str):
        return b"s" + value.encode(errors="surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return b"b" + value
    try:
        return b"j" + orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError as error:
        raise InvalidValueError(
            model="inventory",
            field="fingerprint",
            value=value,
            remedy="give text, bytes, a number, a moment, or a list or dict of such",
        ) from error


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError
