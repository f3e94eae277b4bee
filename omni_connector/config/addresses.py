"""Whether a text can be an address, a host or a port, and how they are written."""

import ipaddress
import re
from urllib.parse import urlsplit

_HOST_NAME = re.compile(r"[A-Za-z0-9._-]+")


def is_http_address(url: str) -> bool:
    """Say whether ``url`` is an http or https address with a possible host and, if any, a possible port."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and is_host(parts.hostname or "") and parts.port != 0
    except ValueError:  # An unfinished IPv6 address, or a port that is none.
        return False


def is_host(host: str) -> bool:
    """Say whether ``host`` can be a host name or an IP address; IPv6 without brackets."""
    if ":" in host:
        try:
            ipaddress.IPv6Address(host)
        except ValueError:
            return False
        return True
    try:
        name = host.encode("idna").decode("ascii")
    except UnicodeError:  # An empty label, or one of more than 63 characters.
        return False
    return _HOST_NAME.fullmatch(name) is not None


def in_address(host: str) -> str:
    """Return ``host`` as it is written before a port: an IPv6 address in brackets, which it may have already."""
    bare = host.removeprefix("[").removesuffix("]")
    return f"[{bare}]" if ":" in bare else host
