"""What the manager is called with beside its address: headers, a client certificate, authorities."""

import re
from collections.abc import Iterator, Mapping
from typing import Self

from attrs import field, frozen

HEADERS = "CONNECTOR_MANAGER_HEADERS"
CA = "CONNECTOR_MANAGER_CA"
CERTIFICATE = "CONNECTOR_MANAGER_CERT"
KEY = "CONNECTOR_MANAGER_KEY"

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OF_THE_REQUEST = frozenset(
    {
        "connection", "content-encoding", "content-length", "content-type", "expect", "host", "transfer-encoding",
    }
)  # fmt: skip


@frozen(kw_only=True)
class ManagerAccess:
    """The variables ``CONNECTOR_MANAGER_*`` under other names; a proxy is set by ``HTTPS_PROXY`` and ``NO_PROXY``.

    Attributes:
        headers: names and values; may be secret.
        ca: file or folder of authorities in PEM; None takes those of requests.
        certificate: file with the client's certificate; None sends none.
        key: file with its key; None where the certificate's file has it.
    """

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca: str | None = None
    certificate: str | None = None
    key: str | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the variables; ``access_problems`` says what is wrong with them."""
        return cls(
            headers=tuple(_headers(environ)),
            ca=_text(environ, CA),
            certificate=_text(environ, CERTIFICATE),
            key=_text(environ, KEY),
        )


def access_problems(environ: Mapping[str, str]) -> list[str]:
    """Return what is wrong with the variables, each with the line to type; a header's value is not shown."""
    problems = []
    for name, value in _headers(environ):
        example = f"Type: export {HEADERS}='X-Api-Key: ...', and further headers on lines of their own"
        if not _NAME.fullmatch(name) or not value or not (value.isascii() and value.isprintable()):
            shown = (
                repr(name) if _NAME.fullmatch(name) and value else "a line"
            )  # Else it may be the value alone.
            problems.append(f"{HEADERS}: {shown} is not a header with a name, a colon and a value. {example}")
        elif name.lower() in _OF_THE_REQUEST:
            problems.append(f"{HEADERS}: {name} is a header of each request itself. Leave it out")
    if _text(environ, KEY) and not _text(environ, CERTIFICATE):
        problems.append(f"{KEY} is set without {CERTIFICATE}. Type: export {CERTIFICATE}=client.pem")
    return problems


def _headers(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for line in environ.get(HEADERS, "").splitlines():
        if line.strip():
            name, _, value = line.partition(":")
            yield name.strip(), value.strip()


def _text(environ: Mapping[str, str], name: str) -> str | None:
    return environ.get(name, "").strip() or None
