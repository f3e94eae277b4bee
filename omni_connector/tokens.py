"""Tokens that callers of our endpoints must bring, where the settings ask for some."""

import hmac
import logging
import re
import threading
from pathlib import Path
from typing import Protocol

from omni_connector.exceptions import ConfigurationError
from omni_connector.masking.process import register_secret

log = logging.getLogger(__name__)

VARIABLE = "CONNECTOR_AUTH_TOKEN"
SHORTEST = 16
"""Characters: with less, a token can be guessed."""

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750.
_REMEDY = 'Type: export CONNECTOR_AUTH_TOKEN="$(openssl rand -hex 32)"'


class AcceptedTokens(Protocol):
    """The tokens that are accepted, at any moment."""

    def current(self) -> tuple[bytes, ...]:
        """Return those of now."""
        ...


def accepted_tokens(token: str | None, file: Path | None) -> AcceptedTokens | None:
    """Return what the settings ask for; None where no token is needed.

    Args:
        token: one, or several that are separated by commas.
        file: has a token a line.

    Raises:
        ConfigurationError: a token is missing or too short, the file cannot be read, or both are given.
    """
    if token is None:
        return None if file is None else _FileTokens(file)
    if file is not None:
        raise ConfigurationError(f"{VARIABLE} and {VARIABLE}_FILE are both set: take one of them away.")
    return _FixedTokens(_checked(token.split(","), VARIABLE))


def bearer_token(authorization: str) -> bytes | None:
    """Return the token of an ``Authorization`` header; None where it has another form."""
    scheme, _, given = authorization.partition(" ")
    return given.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else None


def is_accepted(presented: bytes, tokens: AcceptedTokens) -> bool:
    """Say whether this is one of them; all are compared, so that the time it takes says nothing."""
    matches = [hmac.compare_digest(presented, token) for token in tokens.current()]
    return any(matches)


class _FixedTokens:
    def __init__(self, tokens: tuple[bytes, ...]) -> None:
        self._found = tokens

    def current(self) -> tuple[bytes, ...]:
        """Return the tokens of the variable."""
        return self._found


class _FileTokens:
    """Reads a file again when it has changed; while it is missing or wrong, the tokens before remain."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()  # Protects the rest.
        self._seen = self._stamp()
        self._found = self._read()

    def current(self) -> tuple[bytes, ...]:
        """Return the tokens of the file, one a line."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._found = self._read()
                    log.info("%s was read again: %s tokens", self._path, len(self._found))
                except ConfigurationError as error:
                    log.error("The tokens before remain: %s", error)  # noqa: TRY400 - without a traceback.
            return self._found

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> tuple[bytes, ...]:
        what = f"{VARIABLE}_FILE={self._path}"
        try:
            lines = self._path.read_text(encoding="utf-8").split("\n")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
            raise ConfigurationError(
                f"{what} cannot be read: {reason}. Name a file with a token a line."
            ) from error
        return _checked([line for line in lines if line.strip()], what)


def _checked(texts: list[str], what: str) -> tuple[bytes, ...]:
    """Return tokens; a message shows none."""
    tokens = [text.strip() for text in texts]
    problem = ""
    if not any(tokens):
        problem = "is empty, which would let everyone in"
    elif any(len(token) < SHORTEST for token in tokens):
        problem = f"has a token of less than {SHORTEST} characters"
    elif not all(map(_TOKEN.fullmatch, tokens)):
        problem = "has a token with other characters than letters, digits and -._~+/="
    if problem:
        raise ConfigurationError(f"{what} {problem}. {_REMEDY}")
    for token in tokens:
        register_secret(token)  # A request of the hosting application's log may show its headers.
    return tuple(token.encode() for token in tokens)
