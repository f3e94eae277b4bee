"""A ``requests`` session that reads a source: it waits, repeats, and ends as its run needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, Unpack, cast
from urllib.parse import SplitResult, urljoin, urlsplit

import requests
from urllib3 import Retry

from omni_connector.exceptions import ConfigurationError, shown
from omni_connector.manager.sessions import USER_AGENT
from omni_connector.sources.adapter import SourceAdapter
from omni_connector.sources.authentication import SourceAuth
from omni_connector.sources.errors import SourceAddressError, where_given
from omni_connector.sources.exchange import Exchanges, repeatable
from omni_connector.sources.responses import SourceResponse
from omni_connector.sources.session_options import HttpOptions, SessionOptions
from omni_connector.sources.source_run import NoRun, SourceRun
from omni_connector.sources.typed_methods import TypedMethods

SCHEMES = ("http", "https")
CONNECTIONS = 32
"""Kept open by one session, for as many threads."""


class MakesSessions(Protocol):
    """The context of a run."""

    def http(self, base_url: str = "", **options: Unpack[HttpOptions]) -> "HttpSession":
        """Return a session that belongs to the run."""
        ...


def http_session(
    ctx: "MakesSessions | SourceRun | None" = None, *, base_url: str = "", **options: Unpack[HttpOptions]
) -> "HttpSession":
    """Return a session that reads a source. Close it, or use it in a ``with`` statement; the end of a run closes it, too.

    In a run, equal options give the same session.

    Args:
        ctx: the run's context; left out in scripts and tests.
        base_url: relative addresses are joined to it, and authentication is sent to its host only.
        options: ``auth``, ``rate``, ``retries``, ``timeout_seconds`` and ``raise_for_status``, see ``HttpOptions``.
    """
    if ctx is not None and hasattr(ctx, "http"):
        return cast("MakesSessions", ctx).http(base_url, **options)
    chosen = SessionOptions(base_url=base_url, **options)
    run: SourceRun = ctx or NoRun()  # pyright: ignore[reportAssignmentType]  # No context: hasattr has said so.
    return run.sessions.opened(chosen, partial(HttpSession, run, chosen))


class HttpSession(TypedMethods):
    """A session of ``requests`` for one source; see ``http_session``. Safe to use from many threads.

    In the context of an ``async def sync``, calls return awaitables of their answers and never block the event loop.

    Attributes:
        base_url: ends with a slash, unless it is empty.
        patience_seconds: how long one request waits in all because of rate limits.
        max_bytes: of the body of an answer; a larger one is an error. None allows any.
        auth_hosts: other hosts than that of ``base_url`` to which authentication is sent; by https only where that is by https.
    """

    def __init__(self, run: SourceRun, options: SessionOptions) -> None:
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
            connect_seconds=options.timeout_seconds.connect,
            read_seconds=options.timeout_seconds.read,
            total_seconds=options.timeout_seconds.total,
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
        # A link in what the source says must not bring the secret onto a wire that others can read.
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
