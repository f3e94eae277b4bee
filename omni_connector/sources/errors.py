"""What a source's HTTP interface, or its token endpoint, can answer instead of what was asked for.

ConnectorError
|-- SourceHttpError (also requests.HTTPError)                  a status of 400 or more
|   |-- RateLimitedError                                       a rate limit that lasts longer than a request waits
|-- SourceUnreachableError (also requests.ConnectionError)     no whole answer
|   |-- SourceTimeoutError (also requests.Timeout)             not in time
|-- SourceAddressError (a ConfigurationError, also requests' InvalidURL)  an address without http:// or https://
|-- ResponseTooLargeError (also requests.RequestException)     more than session.max_bytes
|-- TokenError                                                 the token endpoint gives no token
|-- RepeatedPageError                                          a page that was read before
"""

from http import HTTPStatus

import requests

from omni_connector.code_location import calling_author_line
from omni_connector.exceptions import ConfigurationError, ConnectorError, shown
from omni_connector.masking import mask

SHOWN_CHARACTERS = 300
"""Of the body of an answer."""
REMEDIES: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the credentials were not accepted",
    HTTPStatus.FORBIDDEN: "the account lacks a permission",
}


class SourceHttpError(ConnectorError, requests.HTTPError):
    """An answer with a status of 400 or more.

    Attributes:
        status: of the answer.
        method: of the request.
        url: of the request, without secrets.
        body_start: the first characters of the body, without secrets.
        response: the answer.
        retry_after: seconds to wait before another request, where the source said so.
    """

    def __init__(
        self, response: requests.Response, *, note: str = "", retry_after: float | None = None
    ) -> None:
        self.status = response.status_code
        self.method = response.request.method or "GET" if response.request is not None else "GET"
        self.url = mask(response.url or "")
        self.body_start = mask(_start_of(response))
        self.retry_after = retry_after
        reason = response.reason if isinstance(response.reason, str) else ""
        text = f"{self.method} {self.url} was answered {self.status} {mask(reason)}".rstrip()
        note = note or REMEDIES.get(self.status, "")
        text += f" ({note})" if note else ""
        text += f": {self.body_start}" if self.body_start else ""
        requests.HTTPError.__init__(self, text, response=response, request=response.request)


class RateLimitedError(SourceHttpError):
    """The source allows no more requests for longer than a request waits (``session.patience_seconds``)."""


class SourceUnreachableError(ConnectorError, requests.ConnectionError):
    """No whole answer came, however often the request was repeated.

    Attributes:
        method: of the request.
        url: of the request, without secrets.
        was_sent: it may have been carried out.
    """

    def __init__(self, request: requests.PreparedRequest, reason: str, *, was_sent: bool = True) -> None:
        self.method = request.method or "GET"
        self.url = mask(request.url or "")
        self.was_sent = was_sent
        requests.ConnectionError.__init__(self, f"{self.method} {self.url}: {mask(reason)}", request=request)


class SourceTimeoutError(SourceUnreachableError, requests.Timeout):
    """No whole answer came in time."""


class SourceAddressError(ConfigurationError, requests.exceptions.MissingSchema):
    """An address that no request can be sent to: it has no ``http://`` or ``https://``, or cannot be parsed."""

    def __init__(self, url: str, reason: str = "") -> None:
        super().__init__(
            f"{shown(mask(url))} is no address: {reason}{where_given()}"
            if reason
            else f"{shown(mask(url))} is no whole address: give the session a base_url, to which it is joined, or write http:// "
            f"or https:// and the host before it{where_given()}"
        )


def where_given() -> str:
    """Return which line of the author's has given an address, and what to correct; nothing where no line is known."""
    place = calling_author_line()
    return f" (given in {place}; correct the setting, if it comes from one)" if place else ""


class ResponseTooLargeError(ConnectorError, requests.RequestException):
    """The body of an answer has more bytes than ``session.max_bytes`` allows."""

    def __init__(self, url: str, max_bytes: int) -> None:
        super().__init__(f"The answer from {mask(url)} is larger than {max_bytes} bytes (session.max_bytes)")


class TokenError(ConnectorError):
    """The token endpoint gives no token.

    Attributes:
        code: such as ``invalid_grant``, by RFC 6749, section 5.2; empty where it gave none.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class RepeatedPageError(ConnectorError):
    """A page leads to one that was read before: reading on would never end."""


def _start_of(response: requests.Response) -> str:
    """Return the start of a body that was read; that of a stream is left alone."""
    if response._content_consumed is False or not isinstance(response._content, bytes):  # type: ignore[attr-defined]  # noqa: SLF001
        return ""
    text = response._content[: 4 * SHOWN_CHARACTERS].decode(response.encoding or "utf-8", "replace")  # noqa: SLF001
    text = " ".join(text.split())
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
