"""What libcurl is given so that it connects as a ``requests`` session would: TLS, proxy, headers, authentication.

libcurl reads proxies from the environment by itself, by other rules than ``requests`` and at each transfer. So everything is
resolved here, once and in Python, and always set.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import pycurl
import requests
from attrs import field, frozen
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_auth_from_url, select_proxy

LONGEST_IDLE_SECONDS = 15
"""A connection that was idle for longer is not used again. gunicorn, nginx and the load balancers of the clouds close theirs
after 2 to 75 s; a connection that they have closed is recognised, whatever its age, so this only bounds how many stay."""

SUPPRESS_CONNECT_HEADERS = 265  # pycurl has no name for it.
OWN_HEADERS = (b"accept-encoding", b"connection", b"content-length", b"content-type", b"transfer-encoding")
"""What libcurl or the request itself says."""

TLS_OPTIONS = (
    (pycurl.SSL_VERIFYPEER, pycurl.SSL_VERIFYHOST, pycurl.CAINFO, pycurl.CAPATH),
    (pycurl.PROXY_SSL_VERIFYPEER, pycurl.PROXY_SSL_VERIFYHOST, pycurl.PROXY_CAINFO, pycurl.PROXY_CAPATH),
)
"""For the manager, and for a proxy that is reached by TLS."""


@frozen
class CurlOptions:
    """What every handle of a wire is given.

    Attributes:
        base: address of the manager, without userinfo and trailing slash.
        proxy: address of the proxy without userinfo, or empty.
        headers: lines as libcurl wants them, without the content type.
    """

    base: str
    proxy: str
    headers: tuple[bytes, ...] = field(repr=False)
    values: tuple[tuple[int, Any], ...] = field(repr=False)

    @classmethod
    def for_session(
        cls, manager_url: str, session: requests.Session, *, connect_seconds: float
    ) -> Self | None:
        """Return what ``session`` is configured with, or None where only the session itself can honour it."""
        if _has_behaviour(session, manager_url):
            return None
        found = session.merge_environment_settings(manager_url, {}, None, None, None)
        proxy = select_proxy(manager_url, found["proxies"]) or ""
        if proxy and "://" not in proxy:
            proxy = f"http://{proxy}"
        if proxy and urlsplit(proxy).scheme not in {"http", "https"}:
            return None
        try:
            # requests resolves authentication (the session's, netrc, the address) and checks the headers.
            prepared = session.prepare_request(requests.Request("POST", manager_url))
            headers = tuple(_header_lines(prepared))
            values = [
                *_connection(connect_seconds),
                *_proxy(proxy),
                *_tls(found["verify"], found["cert"], proxy),
            ]
        except ValueError:  # A header or a name that cannot be sent; the session says which.
            return None
        base = _without_userinfo(str(prepared.url)).rstrip("/")
        return cls(base, _without_userinfo(proxy), headers, tuple(values))

    @property
    def forwards(self) -> bool:
        """Requests are handed to the proxy as they are, not through a tunnel."""
        return bool(self.proxy) and self.base.startswith("http:")

    def apply(self, curl: pycurl.Curl) -> None:
        """Set them on a new handle."""
        for option, value in self.values:
            curl.setopt(option, value)


def _connection(connect_seconds: float) -> Iterator[tuple[int, Any]]:
    yield pycurl.NOSIGNAL, 1
    yield pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
    yield pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1  # HTTP/2 would put all on one connection.
    yield pycurl.PATH_AS_IS, 1
    yield pycurl.TCP_KEEPALIVE, 1
    yield pycurl.ACCEPT_ENCODING, ""  # All that libcurl can decompress.
    yield pycurl.MAXAGE_CONN, LONGEST_IDLE_SECONDS
    yield pycurl.CONNECTTIMEOUT_MS, max(1, int(connect_seconds * 1000))


def _proxy(proxy: str) -> Iterator[tuple[int, Any]]:
    yield pycurl.PROXY, _without_userinfo(proxy)
    yield pycurl.NOPROXY, ""
    yield SUPPRESS_CONNECT_HEADERS, 1
    user, password = map(_latin, get_auth_from_url(proxy))
    if user or password:
        yield pycurl.PROXYUSERNAME, user
        yield pycurl.PROXYPASSWORD, password


def _tls(verify: Any, certificate: Any, proxy: str) -> Iterator[tuple[int, Any]]:
    trusted = DEFAULT_CA_BUNDLE_PATH if verify is True or verify is None else str(verify)
    for peer, host, file, directory in TLS_OPTIONS if proxy.startswith("https:") else TLS_OPTIONS[:1]:
        yield peer, int(verify is not False)
        yield host, 0 if verify is False else 2
        if verify is not False:
            # The other one has a default, which would be trusted beside it.
            is_directory = Path(trusted).is_dir()
            yield file, None if is_directory else trusted
            yield directory, trusted if is_directory else None
    if certificate is not None:
        pair = (certificate, certificate) if isinstance(certificate, str) else certificate
        yield pycurl.SSLCERT, pair[0]
        yield pycurl.SSLKEY, pair[1]


def _has_behaviour(session: requests.Session, manager_url: str) -> bool:
    """Return whether a session does more than being configured."""
    return bool(
        type(session) is not requests.Session
        or type(session.get_adapter(manager_url)) is not HTTPAdapter
        or session.hooks.get("response")
        or session.params
        or len(session.cookies)  # An answer may change them.
        or not isinstance(session.auth, tuple | None)
    )


def _header_lines(prepared: requests.PreparedRequest) -> Iterator[bytes]:
    """Yield the headers of a request as libcurl wants them.

    Raises:
        ValueError: one of them cannot be sent.
    """
    headers = {_latin(name): _latin(value) for name, value in prepared.headers.items()}
    for name, value in headers.items():
        if name.lower() not in OWN_HEADERS:
            if b"\0" in value:
                raise ValueError(f"the header {name!r} cannot be sent")
            yield name + (b": " + value if value else b";")
    for name in {b"accept", b"user-agent"} - {name.lower() for name in headers}:
        yield name + b":"  # Not libcurl's own either.
    yield b"Expect:"  # No wait of a second for "100 Continue" before bodies over 1 MiB.


def _latin(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1")


def _without_userinfo(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
