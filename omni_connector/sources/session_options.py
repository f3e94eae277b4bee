"""The options of a session that reads a source."""

from collections.abc import Hashable
from typing import TypeAlias, TypedDict

from attrs import field, frozen
from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth
from urllib3 import Retry

from omni_connector.sources.authentication import SourceAuth
from omni_connector.sources.rates import RequestRate, as_rate

RETRIES = 5


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


def as_time_outs(seconds: float | TimeOuts | None) -> TimeOuts:
    """Return a number of seconds as the limit of the whole."""
    if isinstance(seconds, TimeOuts):
        return seconds
    usual = TimeOuts()
    if seconds is None:
        return usual
    return TimeOuts(connect=min(usual.connect, seconds), read=min(usual.read, seconds), total=float(seconds))


Auth: TypeAlias = AuthBase | tuple[str, str] | None
RateOption: TypeAlias = float | RequestRate | None
Retries: TypeAlias = int | Retry
TimeOutOption: TypeAlias = float | TimeOuts | None


class HttpOptions(TypedDict, total=False):
    """What ``ctx.http``, ``connector.http`` and ``http_session`` take by name.

    Attributes:
        auth: one of this package, of ``requests``, or user and password.
        rate: requests a second.
        retries: how often a request is repeated that failed (5; 2 in actions); or a ``urllib3.Retry`` with counts, methods and
            statuses.
        timeout_seconds: for each attempt as a whole, or ``TimeOuts`` (300; 30 in actions).
        raise_for_status: raise for answers with a status of 400 or more, as their ``raise_for_status()`` does.
    """

    auth: Auth
    rate: RateOption
    retries: Retries
    timeout_seconds: TimeOutOption
    raise_for_status: bool


def _compared(auth: Auth) -> Hashable:
    """Return what is equal for ``auth`` that sends the same; classes of requests have no hash, others perhaps no equality."""
    if type(auth) in {HTTPBasicAuth, HTTPDigestAuth}:
        return type(auth), auth.username, auth.password  # type: ignore[union-attr]
    return auth if auth is None or isinstance(auth, tuple | SourceAuth) else id(auth)


@frozen(kw_only=True)
class SessionOptions:
    """The same with their defaults; equal ones are those of the same session.

    Attributes:
        base_url: relative addresses are joined to it, and authentication is sent to its host only.
    """

    base_url: str
    auth: Auth = field(default=None, eq=_compared)
    rate: RequestRate | None = field(default=None, converter=as_rate)
    retries: Retries = RETRIES
    timeout_seconds: TimeOuts = field(default=None, converter=as_time_outs)
    raise_for_status: bool = False
