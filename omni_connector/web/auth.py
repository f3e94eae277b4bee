"""Who may call the endpoints: requests with one of the tokens in ``Authorization: Bearer``. ``/health`` is open.

The manager sends no token by itself; a reverse proxy adds it (docs/how-to/closing.md).
"""

import logging
import time
from typing import Self

from flask import Response, request

from omni_connector.config import Settings
from omni_connector.tokens import AcceptedTokens, accepted_tokens, bearer_token, is_accepted
from omni_connector.web.responses import error_response

log = logging.getLogger(__name__)

SECONDS_BETWEEN_WARNINGS = 60.0


class BearerAuth:
    """Refuses requests without a token; ``refusal`` is for ``before_request``.

    Args:
        tokens: the accepted ones.
        open_endpoint: name of the view that needs none.
    """

    def __init__(self, tokens: AcceptedTokens, open_endpoint: str) -> None:
        self._tokens = tokens
        self._open = open_endpoint
        self._refused = 0
        self._warned: float | None = None

    @classmethod
    def of(cls, settings: Settings, open_endpoint: str) -> Self | None:
        """Return what the settings ask for; None where no token is needed.

        Raises:
            ConfigurationError: the tokens cannot be used.
        """
        tokens = accepted_tokens(settings.auth_token, settings.auth_token_file)
        return None if tokens is None else cls(tokens, open_endpoint)

    def refusal(self) -> Response | None:
        """Return the answer to the current request if it may not be made: 401, before its body is read."""
        if (request.endpoint or "").rpartition(".")[2] == self._open:
            return None
        presented = bearer_token(request.headers.get("Authorization", ""))
        if presented is None:
            return self._refuse('Bearer realm="omni-connector"', "no token")
        if is_accepted(presented, self._tokens):
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
