"""Who may call the endpoints: requests with one of the tokens in ``Authorization: Bearer``. ``/health`` is open.

The manager sends no token by itself; a reverse proxy adds it (docs/deploying.md).
"""

import hmac
import logging
import re
import threading
import time
from pathlib import Path
from typing import Protocol, Self

from flask import Response, request

from omni_connector.config import Settings
from omni_connector.exceptions import ConfigurationError
from omni_connector.masking.process import register_secret
from omni_connector.web.responses import error_response

log = logging.getLogger(__name__)

VARIABLE = "CONNECTOR_AUTH_TOKEN"
SHORTEST = 16
"""Characters: with less, a token can be guessed."""
SECONDS_BETWEEN_WARNINGS = 60.0

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750.
_REMEDY = 'Type: export CONNECTOR_AUTH_TOKEN="$(openssl rand -hex 32)"'


class Tokens(Protocol):
    """The tokens that are accepted now."""

    def current(self) -> tuple[bytes, ...]:
        """Return them."""


class BearerAuth:
    """Refuses requests without a token; ``refusal`` is for ``before_request``.

    Args:
        tokens: the accepted ones.
        open_endpoint: name of the view that needs none.
    """

    def __init__(self, tokens: Tokens, open_endpoint: str) -> None:
        self._tokens = tokens
        self._open = open_endpoint
        self._refused = 0
        self._warned: float | None = None

    @classmethod
    def of(cls, settings: Settings, open_endpoint: str) -> Self | None:
        """Return what the settings ask for; None where no token is needed.

        Raises:
            ConfigurationError: a token is missing or too short, or the file cannot be read.
        """
        if settings.auth_token is None and settings.auth_token_file is None:
            return None
        if settings.auth_token is None:
            return cls(_FileTokens(Path(settings.auth_token_file or "")), open_endpoint)
        if settings.auth_token_file is not None:
            raise ConfigurationError(f"{VARIABLE} and {VARIABLE}_FILE are both set: take one of them away.")
        return cls(_FixedTokens(_checked(settings.auth_token.split(","), VARIABLE)), open_endpoint)

    def refusal(self) -> Response | None:
        """Return the answer to the current request if it may not be made: 401, before its body is read."""
        if (request.endpoint or "").rpartition(".")[2] == self._open:
            return None
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return self._refuse('Bearer realm="omni-connector"', "no token")
        presented = given.strip().encode("latin-1", "replace")
        # All are compared, so that the time says nothing of which one is right.
        matches = [hmac.compare_digest(presented, token) for token in self._tokens.current()]
        if any(matches):
            return None
        return self._refuse('Bearer realm="omni-connector", error="invalid_token"', "a wrong token")

    def _refuse(self, challenge: str, what: str) -> Response:
        self._refused += 1
        now = time.monotonic()
        if self._warned is None or now - self._warned > SECONDS_BETWEEN_WARNINGS:
            log.warning(
                "%s %s with %s is answered 401 (%s requests so far). The manager sends no token: a reverse proxy must add it",
                request.method,
                request.path[:200],
                what,
                self._refused,
            )
            self._warned = now
        response = error_response(f"This connector needs a token: the request has {what}.", status=401)
        response.headers["WWW-Authenticate"] = challenge
        return response


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
        problem = "is empty, which would let everybody in"
    elif any(len(token) < SHORTEST for token in tokens):
        problem = f"has a token of less than {SHORTEST} characters"
    elif not all(map(_TOKEN.fullmatch, tokens)):
        problem = "has a token with other characters than letters, digits and -._~+/="
    if problem:
        raise ConfigurationError(f"{what} {problem}. {_REMEDY}")
    for token in tokens:
        register_secret(token)  # A request of the hosting application's log may show its headers.
    return tuple(token.encode() for token in tokens)
