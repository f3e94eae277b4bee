"""Tokens of token endpoints: the grants of RFC 6749 that need no person at a browser."""

import hashlib
import json
import time
from typing import Literal
from urllib.parse import quote_plus

import requests

from omni_connector.exceptions import ConfigurationError, InvalidValueError
from omni_connector.masking import mask
from omni_connector.sources.errors import TokenError
from omni_connector.sources.session import HttpSession, http_session, require_address
from omni_connector.sources.source_run import CALL_PATIENCE_SECONDS, NoRun, SourceRun, TokenPlace
from omni_connector.sources.tokens import OAuthToken, Token

EARLY_SECONDS = 60.0
"""A token is replaced so long before it expires, or after three quarters of a short life."""

ClientAuth = Literal["basic", "body"]
"""Where a client's id and secret are sent: in the header ``Authorization``, or in the form (RFC 6749, section 2.3.1)."""


class _Endpoint(OAuthToken):
    """A token of a token endpoint."""

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str = "",
        *,
        scope: str = "",
        client_auth: ClientAuth | None = None,
        **more: str,
    ) -> None:
        super().__init__()
        if client_auth not in {None, "basic", "body"}:
            raise InvalidValueError(
                model=type(self).__name__,
                field="client_auth",
                value=client_auth,
                remedy="give 'basic' or 'body'",
            )
        self._client_auth: ClientAuth | None = client_auth
        # Before anything is sent: the refresh token of an answer that cannot be read would be lost.
        _require_oauthlib()
        require_address("token_url", token_url)
        if not token_url:
            raise ConfigurationError("token_url is empty: give the address of the token endpoint")
        self._token_url = token_url
        self._client_id = client_id
        self._client_secret = client_secret
        self._more = {**({"scope": scope} if scope else {}), **more}

    def secrets(self) -> tuple[str, ...]:
        """Return the client's secret."""
        return (self._client_secret,)

    def _asked(self, grant: dict[str, str]) -> Token:
        """Send a token request, once more with another ``client_auth`` where none was given and the client was refused."""
        first: ClientAuth = self._client_auth or "body"
        try:
            return self._sent(grant, first)
        except TokenError as refused:
            if refused.code != "invalid_client" or self._client_auth or not self._client_secret:
                raise
            try:
                token = self._sent(grant, "basic")
            except TokenError as error:
                is_no_better = error.code in {"", "invalid_client", "invalid_request"}
                raise (refused if is_no_better else error) from None
        self._client_auth = "basic"
        return token

    def _sent(self, grant: dict[str, str], client_auth: ClientAuth) -> Token:
        self._run.raise_if_stopped()
        for secret in (*self.secrets(), grant.get("refresh_token", "")):
            self._run.add_secret(secret)
        form, basic = {**grant, **self._more}, None
        if client_auth == "basic":
            basic = (quote_plus(self._client_id), quote_plus(self._client_secret))
        else:
            form |= {"client_id": self._client_id, "client_secret": self._client_secret}
        with _session_like(self._session, self._run) as session:
            answer = session.post(
                self._token_url,
                auth=basic,
                data={name: value for name, value in form.items() if value},
                headers={"Accept": "application/json"},
                repeat=True,
            )
        return _parsed(answer, self._run)


class ClientCredentials(_Endpoint):
    """The client credentials grant (RFC 6749, section 4.4).

    Args:
        token_url: of the token endpoint.
        client_id: of the client.
        client_secret: of the client.
        scope: what is asked for, separated by blanks.
        client_auth: ``"basic"`` sends the client's id and secret in the header, ``"body"`` in the form. Left out: in the form, and
            in the header where the form is refused.
        more: other fields of the form, such as ``audience``.
    """

    @property
    def _name(self) -> str:
        return f"client/{self._origin}"

    @property
    def _origin(self) -> str:
        return _digest(
            self._token_url, self._client_id, self._client_secret, repr(sorted(self._more.items()))
        )

    def _fetched(self, before: Token) -> Token:
        del before
        return self._asked({"grant_type": "client_credentials"})


class RefreshToken(_Endpoint):
    """The refresh token grant (RFC 6749, section 6), also where the provider replaces the refresh token with each use.

    The new refresh token is kept in the connector state of the source before the new access token is used, and read there by runs,
    actions and processes alike. One in the credentials that somebody has renewed by connecting the account again is preferred to
    what was kept.

    Args:
        token_url: of the token endpoint.
        client_id: of the client.
        refresh_token: as it is in the credentials.
        client_secret: of the client.
        scope: what is asked for.
        client_auth: as for ``ClientCredentials``.
        more: other fields of the form.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        refresh_token: str,
        client_secret: str = "",
        *,
        scope: str = "",
        client_auth: ClientAuth | None = None,
        **more: str,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, scope=scope, client_auth=client_auth, **more)
        self._refresh_token = refresh_token

    def secrets(self) -> tuple[str, ...]:
        """Return the client's secret and the token."""
        return (self._client_secret, self._refresh_token)

    @property
    def _name(self) -> str:
        return _digest(self._token_url, self._client_id)[:12]

    @property
    def _origin(self) -> str:
        return _digest(self._refresh_token)

    @property
    def _place(self) -> TokenPlace:
        return self._run.shared.kept_tokens(self._run.source_id)

    def _fetched(self, before: Token) -> Token:
        latest = before.get("refresh_token") or self._refresh_token
        try:
            return self._refreshed(latest)
        except TokenError as rejected:
            if rejected.code != "invalid_grant" or latest == self._refresh_token:
                raise
            try:
                return self._refreshed(self._refresh_token)
            except TokenError as error:
                raise (rejected if error.code == "invalid_grant" else error) from None

    def _refreshed(self, refresh_token: str) -> Token:
        found = self._asked({"grant_type": "refresh_token", "refresh_token": refresh_token})
        return {"refresh_token": refresh_token, **found}


class _TokenRequest(NoRun):
    """A token request of a run or action.

    The run's end ends the waits between attempts, but breaks off none of them: a token that was replaced would be lost.
    It waits as briefly as an action, because others wait for the token, too.
    """

    def __init__(self, run: SourceRun) -> None:
        super().__init__()
        self.patience_seconds = CALL_PATIENCE_SECONDS
        self._of = run

    def wait(self, seconds: float, why: str) -> None:
        """Wait as the run does."""
        self._of.wait(seconds, why)


def _session_like(session: requests.Session | None, run: SourceRun) -> HttpSession:
    """Return a session for the token endpoint that reaches it as ``session`` reaches the source."""
    own = http_session(_TokenRequest(run), retries=3, timeout_seconds=30)
    if session is not None:
        own.verify, own.cert, own.proxies, own.trust_env = (
            session.verify,
            session.cert,
            session.proxies,
            session.trust_env,
        )
    return own


def _require_oauthlib() -> None:
    """Raise ConfigurationError where what reads the answers of token endpoints cannot be imported."""
    try:
        import oauthlib.oauth2.rfc6749.parameters  # noqa: F401, PLC0415 - an extra.
    except ImportError as error:
        raise ConfigurationError(
            'Tokens of a token endpoint need the extra sources: pip install "omni-connector[sources]"'
        ) from error


def _parsed(answer: requests.Response, run: SourceRun) -> Token:
    """Read the answer of a token endpoint.

    Raises:
        TokenError: it is an error, or no token.
        SourceHttpError: the endpoint is out of order.
    """
    from oauthlib.oauth2 import OAuth2Error  # noqa: PLC0415 - an extra.
    from oauthlib.oauth2.rfc6749.parameters import parse_token_response  # noqa: PLC0415

    if (
        answer.status_code >= requests.codes.server_error
        or answer.status_code == requests.codes.too_many_requests
    ):
        answer.raise_for_status()
    try:
        found = dict(parse_token_response(_readable(answer.text)))
    except OAuth2Error as error:
        remedy = ". Connect the account again" if error.error == "invalid_grant" else ""
        text = f"{mask(answer.url)} gives no token ({answer.status_code} {error.error}): {mask(error.description or '')}"
        is_client_refused = answer.status_code == requests.codes.unauthorized
        code = "invalid_client" if is_client_refused else error.error or ""
        raise TokenError(text.rstrip(": ") + remedy, code) from error
    except (ValueError, TypeError, AttributeError) as error:  # The last two for JSON that is no object.
        raise TokenError(f"{mask(answer.url)} gives no token: {mask(str(error))}") from error
    if found["access_token"] in {None, ""}:
        raise TokenError(f"{mask(answer.url)} gives no token: its access_token is empty")
    token: Token = {"access_token": str(found["access_token"]), "expires_at": None}
    if found.get("expires_in") is not None:
        seconds = float(found["expires_in"])
        token["expires_at"] = time.time() + seconds - min(EARLY_SECONDS, seconds / 4)
    if found.get("refresh_token"):
        token["refresh_token"] = str(found["refresh_token"])
        run.add_secret(token["refresh_token"])
    run.add_secret(token["access_token"])
    return token


def _readable(text: str) -> str:
    """Return an answer whose ``expires_in``, if it is no whole number, is made one or left out.

    oauthlib would refuse the whole answer, and the refresh token in it be lost, after which the account must be connected again.
    """
    try:
        given = json.loads(text)
        expires_in = given["expires_in"]
    except (ValueError, TypeError, KeyError):
        return text
    try:
        given["expires_in"] = int(float(expires_in))
    except (ValueError, TypeError, OverflowError):
        del given["expires_in"]
    return json.dumps(given)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
