"""A ``requests`` session that reads a source: it waits, repeats, and ends as its run needs it."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TypeAlias, cast
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from attrs import field, frozen
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from urllib3 import Retry

from omni_connector.exceptions import ConfigurationError, shown
from omni_connector.manager.sessions import USER_AGENT
from omni_connector.sources.adapter import Exchanges, SourceAdapter, repeatable
from omni_connector.sources.authentication import SourceAuth
from omni_connector.sources.errors import SourceAddressError, where_given
from omni_connector.sources.rates import RequestRate
from omni_connector.sources.responses import SourceResponse
from omni_connector.sources.source_run import NoRun, SourceRun

RETRIES = 5
SCHEMES = ("http", "https")
CONNECTIONS = 32
"""Kept open by one session, for as many threads."""


@frozen(kw_only=True)
class TimeOuts:
    """How long a request may take, in seconds; each time that it is sent.

    Attributes:
        connect: for a new connection.
        read: between two pieces of the answer.
        total: for all of it, from connecting to the last byte; with ``stream=True``, to the head of the answer, and then for each piece.
    """

    connect: float = 10.0
    read: float = 60.0
    total: float = 300.0

    @classmethod
    def of(cls, seconds: "float | TimeOuts | None") -> "TimeOuts":
        """Return a number of seconds as the limit of the whole."""
        if isinstance(seconds, TimeOuts):
            return seconds
        usual = cls()
        if seconds is None:
            return usual
        return cls(connect=min(usual.connect, seconds), read=min(usual.read, seconds), total=float(seconds))


Auth: TypeAlias = AuthBase | tuple[str, str] | None
RateOption: TypeAlias = float | RequestRate | None
Retries: TypeAlias = int | Retry
TimeOutOption: TypeAlias = float | TimeOuts | None


class MakesSessions(Protocol):
    """The context of a run."""

    def http(self, base_url: str = "", **options: Any) -> "HttpSession":
        """Return a session that belongs to the run."""
        ...


def http_session(
    ctx: "MakesSessions | SourceRun | None" = None,
    *,
    base_url: str = "",
    auth: Auth = None,
    rate: RateOption = None,
    retries: Retries = RETRIES,
    timeout_seconds: TimeOutOption = None,
    raise_for_status: bool = False,
) -> "HttpSession":
    """Return a session that reads a source. Close it, or use it in a ``with`` statement; the end of a run closes it, too.

    In a run, equal options give the same session.

    Args:
        ctx: the run's context; left out in scripts and tests.
        base_url: relative addresses are joined to it, and authentication is sent to its host only.
        auth: one of this package, of ``requests``, or user and password.
        rate: requests a second.
        retries: how often a request is repeated that failed; or a ``urllib3.Retry`` with counts, methods and statuses.
        timeout_seconds: for each attempt as a whole, or ``TimeOuts``.
        raise_for_status: raise for answers with a status of 400 or more, as their ``raise_for_status()`` does.
    """
    if ctx is not None and hasattr(ctx, "http"):
        return cast("MakesSessions", ctx).http(
            base_url,
            auth=auth,
            rate=rate,
            retries=retries,
            timeout_seconds=timeout_seconds,
            raise_for_status=raise_for_status,
        )
    options = _Options(
        base_url=base_url,
        auth=auth,
        rate=RequestRate.of(rate),
        retries=retries,
        timeouts=TimeOuts.of(timeout_seconds),
        raise_for_status=raise_for_status,
    )
    run: SourceRun = ctx or NoRun()  # pyright: ignore[reportAssignmentType]  # No context: hasattr has said so.
    return run.sessions.opened(options, partial(HttpSession, run, options))


def _compared(auth: Auth) -> Hashable:
    """Return what is equal for ``auth`` that sends the same; classes of requests have no hash, others perhaps no equality."""
    if type(auth) in {HTTPBasicAuth, HTTPDigestAuth}:
        return type(auth), auth.username, auth.password  # type: ignore[union-attr]
    return auth if auth is None or isinstance(auth, tuple | SourceAuth) else id(auth)


@frozen(kw_only=True)
class _Options:
    base_url: str
    auth: Auth = field(eq=_compared)
    rate: RequestRate | None
    retries: Retries
    timeouts: TimeOuts = field(factory=TimeOuts)
    raise_for_status: bool = False


class HttpSession(requests.Session):
    """A session of ``requests`` for one source; see ``http_session``. Safe to use from many threads.

    In the context of an ``async def sync``, calls return awaitables of their answers and never block the event loop.

    Attributes:
        base_url: ends with a slash, unless it is empty.
        patience_seconds: how long one request waits in all because of rate limits.
        max_bytes: of the body of an answer; a larger one is an error. None allows any.
        auth_hosts: other hosts than that of ``base_url`` to which authentication is sent; by https only where that is by https.
    """

    def __init__(self, run: SourceRun, options: _Options) -> None:
        super().__init__()
        require_address("the session's base_url", options.base_url)
        self.base_url = options.base_url.rstrip("/") + "/" if options.base_url else ""
        self.auth_hosts: set[str] = set()
        self._run = run
        self._raises = options.raise_for_status
        self.is_closed = False
        self._inside = threading.local()
        self.exchanges = Exchanges(
            run=run,
            rate=options.rate,
            retries=_retry(options.retries),
            connect_seconds=options.timeouts.connect,
            read_seconds=options.timeouts.read,
            total_seconds=options.timeouts.total,
        )
        self.headers["User-Agent"] = USER_AGENT
        adapter = SourceAdapter(self.exchanges, pool_connections=8, pool_maxsize=CONNECTIONS)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        auth = options.auth
        self.auth = auth.bound(run, self) if isinstance(auth, SourceAuth) else auth

    @property
    def patience_seconds(self) -> float:
        """How long one request waits in all because of rate limits."""
        return self.exchanges.patience_seconds

    @patience_seconds.setter
    def patience_seconds(self, seconds: float) -> None:
        self.exchanges.patience_seconds = seconds

    @property
    def max_bytes(self) -> int | None:
        """Of the body of an answer; a larger one is an error."""
        return self.exchanges.max_bytes

    @max_bytes.setter
    def max_bytes(self, size: int | None) -> None:
        self.exchanges.max_bytes = size

    def close(self) -> None:
        """Close its connections."""
        self.is_closed = True
        super().close()

    # The methods of ``requests`` return what the next two return; said again for type checkers.

    def request(  # type: ignore[override]  # The arguments of requests, as they are.
        self, method: str, url: str, *args: Any, repeat: bool = False, **kwargs: Any
    ) -> SourceResponse:
        """Send a request and return its answer, whatever its status unless the session raises; arguments as in ``requests``.

        Args:
            method: such as ``GET``.
            url: absolute, or relative to ``base_url``.
            args: as in ``requests``.
            repeat: send it again also when it may have been carried out: a ``POST`` that only reads.
            kwargs: as in ``requests``.

        Raises:
            SyncCancelledError: the run was asked to stop, also while this waits.
            SourceHttpError: a status of 400 or more, in a session with ``raise_for_status=True``.
            RateLimitedError: the source allows no request for longer than ``patience_seconds``, and it was not sent.
            SourceUnreachableError: no whole answer came, however often it was repeated; SourceTimeoutError: not in time.
        """
        return self._do(partial(self._request, method, url, *args, repeat=repeat, **kwargs))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> SourceResponse:
        """Send a prepared request; otherwise as ``request``."""
        if getattr(self._inside, "call", False):
            return cast("SourceResponse", super().send(request, **kwargs))
        return self._do(partial(super().send, request, **kwargs))

    def get(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send a GET."""
        return cast("SourceResponse", super().get(url, **kwargs))

    def post(self, url: str | bytes, data: Any = None, json: Any = None, **kwargs: Any) -> SourceResponse:
        """Send a POST.

        Args:
            url: absolute, or relative to ``base_url``.
            data: the body, as in ``requests``: bytes, text, a file, or a dict of form fields.
            json: the body instead, as a value that becomes JSON.
            kwargs: as for ``request``.
        """
        return cast("SourceResponse", super().post(url, data=data, json=json, **kwargs))

    def put(self, url: str | bytes, data: Any = None, **kwargs: Any) -> SourceResponse:
        """Send a PUT.

        Args:
            url: as for ``post``.
            data: the body, as in ``requests``: bytes, text, a file, or a dict of form fields.
            kwargs: as for ``request``.
        """
        return cast("SourceResponse", super().put(url, data=data, **kwargs))

    def patch(self, url: str | bytes, data: Any = None, **kwargs: Any) -> SourceResponse:
        """Send a PATCH.

        Args:
            url: as for ``post``.
            data: the body, as in ``requests``: bytes, text, a file, or a dict of form fields.
            kwargs: as for ``request``.
        """
        return cast("SourceResponse", super().patch(url, data=data, **kwargs))

    def delete(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send a DELETE."""
        return cast("SourceResponse", super().delete(url, **kwargs))

    def head(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send a HEAD."""
        return cast("SourceResponse", super().head(url, **kwargs))

    def options(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send an OPTIONS."""
        return cast("SourceResponse", super().options(url, **kwargs))

    def prepare_request(self, request: requests.Request) -> requests.PreparedRequest:
        """Join the address to ``base_url``, and leave the authentication out for other hosts.

        Raises:
            SourceAddressError: it is no http address.
        """
        url = request.url.decode() if isinstance(request.url, bytes) else str(request.url)
        try:
            if self.base_url:
                url = urljoin(self.base_url, url.removeprefix("/"))
            scheme = urlsplit(url).scheme
        except ValueError as error:  # Such as "http://[::1".
            raise SourceAddressError(url, str(error)) from error
        if scheme not in SCHEMES:
            raise SourceAddressError(url)
        request.url = url
        if request.auth is None and self.auth is not None and not self._is_trusted(url):
            request.auth = _no_auth
        return super().prepare_request(request)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Take secrets out of a request that is redirected to another host."""
        super().rebuild_auth(prepared_request, response)  # type: ignore[no-untyped-call]
        strips = self.should_strip_auth(response.request.url, prepared_request.url)  # type: ignore[no-untyped-call]
        if strips and isinstance(self.auth, SourceAuth):
            for name in self.auth.headers:
                prepared_request.headers.pop(name, None)

    # -- inside -------------------------------------------------------------------------------------------------

    def _do(self, work: "partial[Any]") -> SourceResponse:
        return self._run.do(partial(self._here, work))

    def _here(self, work: "partial[Any]") -> SourceResponse:
        with self._calling():
            answer = cast("SourceResponse", work())
        if self._raises:
            answer.raise_for_status()
        return answer

    @contextmanager
    def _calling(self) -> Iterator[None]:
        before = getattr(self._inside, "call", False)
        self._inside.call = True
        try:
            yield
        finally:
            self._inside.call = before

    def _request(self, method: str, url: str, *args: Any, repeat: bool, **kwargs: Any) -> requests.Response:
        with repeatable(repeat):
            return super().request(method, url, *args, **kwargs)

    def _is_trusted(self, url: str) -> bool:
        if not self.base_url:
            return True
        parts, base = urlsplit(url), urlsplit(self.base_url)
        if _origin(parts) == _origin(base):
            return True
        # A link in what the source says must not bring the secret onto a wire that anybody can read.
        is_as_safe = parts.scheme in {"https", base.scheme}
        return is_as_safe and (parts.hostname or "") in self.auth_hosts


def require_address(name: str, url: str) -> None:
    """Look at an address, which may be empty.

    Args:
        name: of the parameter, for the message.
        url: the address.

    Raises:
        ConfigurationError: it cannot be parsed, or has no scheme that a session speaks.
    """
    try:
        scheme = urlsplit(url).scheme
    except ValueError as error:  # Such as "http://[::1".
        raise ConfigurationError(f"{name}: {shown(url)} is no address: {error}{where_given()}") from error
    if url and scheme not in SCHEMES:
        raise ConfigurationError(f"{name}: {shown(url)} needs http:// or https:// before it{where_given()}")


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, (parts.hostname or "").lower(), port


def _retry(retries: int | Retry) -> Retry:
    if isinstance(retries, Retry):
        return retries
    return Retry(
        total=retries,
        status_forcelist=(408, 425, 500, 502, 503, 504),
        backoff_factor=0.5,
        backoff_jitter=0.5,
        backoff_max=60,
    )
