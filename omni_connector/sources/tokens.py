"""OAuth tokens that are fetched and renewed, as ``auth`` objects of ``requests``.

One token is fetched at a time, however many threads, actions and processes need it: each first looks whether another has
fetched it. A refresh token that the provider replaces is kept before the new access token is used (docs/how-to/sources.md).
"""

import time
from typing import Any

import requests
from attrs import define

from omni_connector.sources.attempts import rewind
from omni_connector.sources.authentication import SourceAuth
from omni_connector.sources.errors import TokenError
from omni_connector.sources.source_run import NoRun, SourceRun, TokenPlace

Token = dict[str, Any]
"""``access_token``, ``expires_at`` (when to replace it, in seconds since 1970, or None), ``serial``, ``origin``; and ``refresh_token`` where there is one."""


class OAuthToken(SourceAuth):
    """Base: sends an access token, fetches one where there is none, and another after a 401, once."""

    def __init__(self) -> None:
        self._run: SourceRun = NoRun()
        self._session: requests.Session | None = None
        self._current: Token = {}

    def _compared(self) -> dict[str, Any]:
        return {
            name: value for name, value in vars(self).items() if name not in {"_run", "_session", "_current"}
        }

    def bound(self, run: SourceRun, session: requests.Session) -> "OAuthToken":
        """Return one of its own for each session: they share tokens by the places where these are kept.

        Args:
            run: to which the session belongs.
            session: whose connections it uses to ask for tokens.
        """
        copy = type(self).__new__(type(self))
        vars(copy).update(vars(self), _run=run, _session=session, _current={})
        return copy

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add a token to a request."""
        token = self.token()
        request.headers["Authorization"] = f"Bearer {token}"
        request.register_hook("response", _Renewal(self, token))  # type: ignore[no-untyped-call]
        return request

    def token(self, *, stale: str = "") -> str:
        """Return an access token.

        Args:
            stale: one that the source does not accept any more; another is fetched, unless another thread has done so.

        Raises:
            TokenError: there is none.
        """
        if not _is_usable(self._current, stale):
            # All that follows has a limit, also what another thread does that holds the lock.
            with self._run.alive("a token"), self._run.shared.lock(self._run, f"token/{self._name}"):
                found = self._current if _is_usable(self._current, stale) else self._kept()
                self._current = found if _is_usable(found, stale) else self._renewed(found)
        token: str = self._current["access_token"]
        self._run.add_secret(token)
        return token

    @property
    def _name(self) -> str:
        """Under which its tokens are kept."""
        raise NotImplementedError

    @property
    def _origin(self) -> str:
        """Identifies the credentials of which its tokens were made: others of the same name are out of date."""
        raise NotImplementedError

    @property
    def _place(self) -> TokenPlace:
        return self._run.shared.cached_tokens(self._run.source_id)

    def _kept(self) -> Token:
        found = self._place.read(self._name) or {}
        return found if found.get("origin") == self._origin else {}

    def _renewed(self, before: Token) -> Token:
        """Fetch a token and keep it."""
        try:
            fetched = self._fetched(before)
        except TokenError:
            now = self._kept()  # A process that has no lock in common with this one may have been quicker.
            if now.get("serial", 0) > before.get("serial", 0) and _is_usable(now, ""):
                return now
            raise
        token = {**fetched, "origin": self._origin, "serial": before.get("serial", 0) + 1}
        self._place.save(self._name, token)
        return token

    def _fetched(self, before: Token) -> Token:
        raise NotImplementedError


@define(eq=False)
class _Renewal:
    """Repeats a request that was answered 401 with another token, once."""

    auth: OAuthToken
    used: str

    def __call__(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        request = response.request
        # Not after a redirection elsewhere.
        is_ours = request.headers.get("Authorization") == f"Bearer {self.used}"
        if response.status_code != requests.codes.unauthorized or not is_ours or not rewind(request):
            return response
        token = self.auth.token(stale=self.used)
        if token == self.used:
            return response
        response.content  # noqa: B018 - reads it to its end, so that the connection is free.
        response.close()
        again = request.copy()
        again.headers["Authorization"] = f"Bearer {token}"
        again.hooks = {
            **again.hooks,
            "response": [each for each in again.hooks["response"] if each is not self],
        }
        answer: requests.Response = response.connection.send(again, **kwargs)
        answer.history.append(response)
        answer.request = again
        return answer


class ManagerCredentials(OAuthToken):
    """The source's OAuth token, which the manager stores and refreshes; asked for anew after a 401.

    Args:
        field: of the credentials that is the access token.
    """

    def __init__(self, field: str = "access_token") -> None:
        super().__init__()
        self._field = field

    @property
    def _name(self) -> str:
        return f"manager/{self._field}"

    @property
    def _origin(self) -> str:
        return "manager"

    def _kept(self) -> Token:
        """Return what the run has: another session of it may have asked for it."""
        given = self._run.credentials(False).get(self._field)  # noqa: FBT003
        return {"access_token": given} if isinstance(given, str) else {}

    def _renewed(self, before: Token) -> Token:
        del before
        found = self._run.credentials(True).get(self._field)  # noqa: FBT003
        if not isinstance(found, str) or not found:
            raise TokenError(f"The source's credentials have no {self._field!r}: connect its account again")
        return {"access_token": found}


def _is_usable(token: Token, stale: str) -> bool:
    access, expires_at = token.get("access_token"), token.get("expires_at")
    return bool(access) and access != stale and (expires_at is None or expires_at > time.time())
