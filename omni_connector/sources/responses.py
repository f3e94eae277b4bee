"""The answer to a request."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import requests

from omni_connector.awaitables import AwaitableValue
from omni_connector.sources.errors import RateLimitedError, SourceHttpError
from omni_connector.sources.rates import RateLimit

if TYPE_CHECKING:
    from omni_connector.sources.streams import Body


class SourceResponse(requests.Response, AwaitableValue):
    """An answer of ``requests``, whose errors say more. In a blocking session awaiting it yields itself.

    Attributes:
        note: what the session knows of it, for error messages.
    """

    note = ""
    body: "Body | None" = None  # Of one that is read piece by piece.

    @classmethod
    def of(cls, response: requests.Response) -> "SourceResponse":
        """Return the same answer as one of this class."""
        answer = cls()
        vars(answer).update(vars(response))
        return answer

    def iter_content(
        self,
        chunk_size: int | None = 1,
        decode_unicode: bool = False,  # noqa: FBT001, FBT002 - the signature of requests.
    ) -> Iterator[Any]:
        """Yield the body piece by piece, as in ``requests``; see ``Body.pieces`` for what it raises with ``stream=True``."""
        pieces = super().iter_content(chunk_size, decode_unicode)
        return pieces if self.body is None else self.body.pieces(pieces)

    @property
    def rate_limit(self) -> RateLimit:
        """What its headers say of further requests."""
        return RateLimit.of(self.headers)

    @property
    def is_rate_limited(self) -> bool:
        """The source refuses for now: 429, or, as some say it, 403 with headers that say when to come back."""
        is_forbidden_for_now = self.status_code == HTTPStatus.FORBIDDEN and self.rate_limit.wait is not None
        return self.status_code == HTTPStatus.TOO_MANY_REQUESTS or is_forbidden_for_now

    def raise_for_status(self) -> None:
        """Raise when the status is 400 or more.

        Raises:
            RateLimitedError: the source allows no more requests for a while.
            SourceHttpError: any other.
        """
        if self.status_code < HTTPStatus.BAD_REQUEST:
            return
        if self.is_rate_limited:
            wait = self.rate_limit.wait
            when = "" if wait is None else f"; it allows requests again in {wait:.0f} s"
            raise RateLimitedError(self, note=f"a rate limit{when}", retry_after=wait)
        raise SourceHttpError(self, note=self.note)
