"""Secrets that stay as they are, as ``auth`` objects of ``requests``."""

from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from omni_connector.masking import register_secret
from omni_connector.sources.source_run import SourceRun


class SourceAuth(AuthBase):
    """Base of what authenticates requests. Works in any ``requests`` session; ``HttpSession`` binds it to its run.

    Attributes:
        headers: names of headers that carry a secret: they are not sent to another host after a redirection.
    """

    headers: tuple[str, ...] = ("Authorization",)

    def __eq__(self, other: object) -> bool:
        """Say whether the other sends the same: it needs no session of its own."""
        if not isinstance(other, SourceAuth) or type(self) is not type(other):
            return False
        return self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash((type(self), self.secrets()))

    def _compared(self) -> dict[str, Any]:
        return vars(self)

    def bound(self, run: SourceRun, session: requests.Session) -> "SourceAuth":
        """Return what authenticates the requests of a session that belongs to ``run``.

        Args:
            run: to which the session belongs.
            session: whose requests it authenticates.
        """
        del session
        for secret in self.secrets():
            run.add_secret(secret)
        return self

    def secrets(self) -> tuple[str, ...]:
        """Return what must appear in no log."""
        return ()


class BearerAuth(SourceAuth):
    """``Authorization: Bearer TOKEN``.

    Args:
        token: as it is.
        scheme: the word before it.
    """

    def __init__(self, token: str, *, scheme: str = "Bearer") -> None:
        self._token = token
        self._scheme = scheme
        register_secret(token)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the secret to a request."""
        request.headers["Authorization"] = f"{self._scheme} {self._token}"
        return request

    def secrets(self) -> tuple[str, ...]:
        """Return the token."""
        return (self._token,)


class BasicAuth(SourceAuth, HTTPBasicAuth):
    """``Authorization: Basic ...``."""

    def __init__(self, username: str, password: str) -> None:
        HTTPBasicAuth.__init__(self, username.encode(), password.encode())
        self._password = password
        register_secret(password)

    def secrets(self) -> tuple[str, ...]:
        """Return the password."""
        return (self._password,)


class HeaderAuth(SourceAuth):
    """A key in a header, such as ``X-Api-Key``."""

    def __init__(self, name: str, value: str) -> None:
        self.headers = (name,)
        self._value = value
        register_secret(value)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the secret to a request."""
        request.headers[self.headers[0]] = self._value
        return request

    def secrets(self) -> tuple[str, ...]:
        """Return the key."""
        return (self._value,)


class QueryAuth(SourceAuth):
    """A key in the query of each address, such as ``?key=...``."""

    headers = ()

    def __init__(self, name: str, value: str) -> None:
        self._name = name
        self._value = value
        register_secret(value)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the secret to a request."""
        parts = urlsplit(request.url or "")
        pairs = [pair for pair in parts.query.split("&") if pair and pair.partition("=")[0] != self._name]
        pairs.append(urlencode({self._name: self._value}))
        request.url = urlunsplit(parts._replace(query="&".join(pairs)))
        return request

    def secrets(self) -> tuple[str, ...]:
        """Return the key."""
        return (self._value,)
