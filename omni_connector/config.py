"""Settings, read once from the environment by the process that starts.

Nothing reads the environment at import, and nothing else in the package reads it at all.

================================== ============================================================  ==========
variable                           meaning                                                       default
================================== ============================================================  ==========
``CONNECTOR_MANAGER_URL``          address of the connector-manager                              required
``OMNI_CONNECTOR``                 the connector class, for the modules ``wsgi`` and ``asgi``    required there
``PORT``                           port to listen on                                             8000
``CONNECTOR_HOST_NAME``            host by which the manager reaches this connector              no registration
``CONNECTOR_URL``                  the same as a whole address, instead of host and port         from the two
``CONNECTOR_MAX_BODY_BYTES``       largest request body that is accepted, in bytes               1073741824
``CONNECTOR_MAX_TOTAL_BODY_BYTES`` bytes of all request bodies in progress; more have to wait    1073741824
``CONNECTOR_PARALLEL_UPLOADS``     contents uploaded at once; fixes what adapts by itself        adapts
``CONNECTOR_STALLED_SECONDS``      without a call on its context, a run is kept alive for so long  900
``CATALOG_CACHE_DIR``              folder for what a mirrored MCP server offers                  kept in memory only
``CATALOG_CACHE_TTL_SECONDS``      how long that may be used; 0 is not at all                    86400
================================== ============================================================  ==========
"""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from attrs import frozen

from omni_connector.exceptions import ConfigurationError

DEFAULT_PORT = 8000
DEFAULT_STALLED_SECONDS = 900
DEFAULT_CATALOG_TTL_SECONDS = 86400
DEFAULT_MAX_BODY_BYTES = 1024 * 1024 * 1024
DEFAULT_MAX_TOTAL_BODY_BYTES = 1024 * 1024 * 1024
LARGEST_PORT = 65535


@frozen(kw_only=True)
class Settings:
    """How this process reaches the manager and is reached by it.

    Attributes:
        manager_url: base address of the manager, without a trailing slash.
        connector_url: base address of this connector as the manager sees it, or None: then it is not registered.
        max_body_bytes: largest request body, in bytes; 413 beyond it.
        max_total_body_bytes: bytes that the bodies of all requests in progress may have together; more have to wait.
        registration_interval_seconds: PROTOCOL, section 2.
        parallel_uploads: contents uploaded at once; None adapts to the manager's speed.
        stalled_seconds: a run that has not called the SDK for so long is named in the log and no more kept alive.
        catalog_cache_dir: where the catalogue of a mirrored MCP server is kept for the next start; None keeps it in
            memory only.
        catalog_cache_ttl_seconds: how long a kept one may be used; 0 is not at all.
    """

    manager_url: str
    connector_url: str | None = None
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES
    max_total_body_bytes: int = DEFAULT_MAX_TOTAL_BODY_BYTES
    registration_interval_seconds: float = 30.0
    parallel_uploads: int | None = None
    stalled_seconds: float = DEFAULT_STALLED_SECONDS
    catalog_cache_dir: Path | None = None
    catalog_cache_ttl_seconds: float = DEFAULT_CATALOG_TTL_SECONDS

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings; ``environ`` is the process's own unless given.

        Raises:
            ConfigurationError: lists everything that is missing or wrong, each with the line to type.
        """
        environ = os.environ if environ is None else environ
        problems = settings_problems(environ)
        if problems:
            raise ConfigurationError(problems)
        return cls(
            manager_url=_url(environ, "CONNECTOR_MANAGER_URL"),
            connector_url=_connector_url(environ),
            max_body_bytes=int(_text(environ, "CONNECTOR_MAX_BODY_BYTES") or DEFAULT_MAX_BODY_BYTES),
            max_total_body_bytes=int(
                _text(environ, "CONNECTOR_MAX_TOTAL_BODY_BYTES") or DEFAULT_MAX_TOTAL_BODY_BYTES
            ),
            stalled_seconds=int(_text(environ, "CONNECTOR_STALLED_SECONDS") or DEFAULT_STALLED_SECONDS),
            catalog_cache_dir=_path(environ, "CATALOG_CACHE_DIR"),
            catalog_cache_ttl_seconds=int(
                _text(environ, "CATALOG_CACHE_TTL_SECONDS") or DEFAULT_CATALOG_TTL_SECONDS
            ),
            parallel_uploads=int(_text(environ, "CONNECTOR_PARALLEL_UPLOADS") or 0) or None,
        )


def settings_problems(environ: Mapping[str, str]) -> list[str]:
    """Return one sentence for each variable that is missing or wrong."""
    problems = _manager_problems(environ)
    if _url(environ, "CONNECTOR_URL") and not is_http_address(_url(environ, "CONNECTOR_URL")):
        problems.append(
            "CONNECTOR_URL is not an http or https address. "
            "Type: export CONNECTOR_URL=http://my-connector:8000"
        )
    problems += [*_host_problems(environ), *_port_problems(environ), *_number_problems(environ)]
    return problems


def manager_url_from_environ(environ: Mapping[str, str] | None = None) -> str:
    """Return ``CONNECTOR_MANAGER_URL``, without a trailing slash.

    Raises:
        ConfigurationError: it is missing or no address.
    """
    environ = os.environ if environ is None else environ
    problems = _manager_problems(environ)
    if problems:
        raise ConfigurationError(problems)
    return _url(environ, "CONNECTOR_MANAGER_URL")


def port_from_environ(environ: Mapping[str, str] | None = None) -> int:
    """Return ``PORT``, or 8000.

    Raises:
        ConfigurationError: it is not a port.
    """
    environ = os.environ if environ is None else environ
    problems = _port_problems(environ)
    if problems:
        raise ConfigurationError(problems)
    return int(_text(environ, "PORT") or DEFAULT_PORT)


def wsgi_target(environ: Mapping[str, str] | None = None) -> tuple[str, list[str]]:
    """Return what ``OMNI_CONNECTOR`` names, and everything that keeps the process from starting."""
    environ = os.environ if environ is None else environ
    target = _text(environ, "OMNI_CONNECTOR")
    problems = settings_problems(environ)
    if not target:
        problems.insert(
            0,
            "OMNI_CONNECTOR is not set: it names the connector class. "
            "Type: export OMNI_CONNECTOR=package.module:Class",
        )
    return target, problems


def is_http_address(url: str) -> bool:
    """Say whether ``url`` is an http or https address with a host and, if any, a possible port."""
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # An unfinished IPv6 address, or a port that is none.
        return False


def _text(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _url(environ: Mapping[str, str], name: str) -> str:
    return _text(environ, name).rstrip("/")


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    text = _text(environ, name)
    return Path(text) if text else None


def _connector_url(environ: Mapping[str, str]) -> str | None:
    whole = _url(environ, "CONNECTOR_URL")
    host = _text(environ, "CONNECTOR_HOST_NAME")
    if whole or not host:
        return whole or None
    return f"http://{host}:{port_from_environ(environ)}"


def _manager_problems(environ: Mapping[str, str]) -> list[str]:
    url = _url(environ, "CONNECTOR_MANAGER_URL")
    if is_http_address(url):
        return []
    problem = (
        "is not an http or https address."
        if url
        else "is not set: it is the address of the connector-manager."
    )
    return [f"CONNECTOR_MANAGER_URL {problem} Type: export CONNECTOR_MANAGER_URL=http://localhost:8090"]


def _host_problems(environ: Mapping[str, str]) -> list[str]:
    host = _text(environ, "CONNECTOR_HOST_NAME")
    if not host or (is_http_address(f"http://{host}:{DEFAULT_PORT}") and not set(host) & set("/?#@ ")):
        return []
    problem = f"CONNECTOR_HOST_NAME={host!r} is not a host name alone: no scheme, port or path belongs there."
    return [f"{problem} Type: export CONNECTOR_HOST_NAME=my-connector (or CONNECTOR_URL=http://...)"]


def _port_problems(environ: Mapping[str, str]) -> list[str]:
    text = _text(environ, "PORT")
    if not text or 0 < _whole_number(text) <= LARGEST_PORT:
        return []
    return [f"PORT={text!r} is not a port number from 1 to 65535. Type: export PORT=8000"]


def _number_problems(environ: Mapping[str, str]) -> list[str]:
    problems = []
    for name, meaning, example, smallest in (
        ("CONNECTOR_MAX_BODY_BYTES", "bytes", DEFAULT_MAX_BODY_BYTES, 1),
        ("CONNECTOR_MAX_TOTAL_BODY_BYTES", "bytes", DEFAULT_MAX_TOTAL_BODY_BYTES, 1),
        ("CONNECTOR_PARALLEL_UPLOADS", "uploads", 16, 1),
        ("CONNECTOR_STALLED_SECONDS", "seconds", DEFAULT_STALLED_SECONDS, 1),
        ("CATALOG_CACHE_TTL_SECONDS", "seconds", DEFAULT_CATALOG_TTL_SECONDS, 0),
    ):
        text = _text(environ, name)
        if text and _whole_number(text) < smallest:
            problems.append(f"{name}={text!r} is not a number of {meaning}. Type: export {name}={example}")
    return problems


def _whole_number(text: str) -> int:
    """Return the number that ``text`` writes in digits; -1 when it writes none, or an absurdly long one."""
    longest = 18
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= longest else -1
