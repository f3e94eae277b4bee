"""The session that calls to a manager are configured by."""

import os
import ssl
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_netrc_auth

from omni_connector._version import __version__
from omni_connector.config import ca_bundle_variable
from omni_connector.exceptions import ConfigurationError
from omni_connector.manager_access import ManagerAccess
from omni_connector.masking.process import register_secret

USER_AGENT = f"omni-connector-python/{__version__}"


CONNECTIONS = 32
"""Kept open by a client's own session."""


def new_session(
    manager_url: str, *, connections: int = CONNECTIONS, access: ManagerAccess | None = None
) -> requests.Session:
    """Return a session that looks at the environment (proxies, CA bundle, netrc) now and never again.

    Args:
        manager_url: without a trailing slash.
        connections: how many it keeps open.
        access: headers, authorities and a client certificate; they come before those of the environment.
    """
    access = access or ManagerAccess()
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    found = session.merge_environment_settings(manager_url, {}, None, None, None)
    # A proxy cannot reach this machine's own loopback addresses; requests only knows that from NO_PROXY.
    session.proxies = {} if _is_loopback(manager_url) else found["proxies"]
    session.verify = access.ca or found["verify"]
    if access.certificate is not None:
        session.cert = access.certificate if access.key is None else (access.certificate, access.key)
    session.headers.update(access.headers)
    for _, value in access.headers:
        register_secret(value)
    session.auth = None if "Authorization" in session.headers else get_netrc_auth(manager_url)
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def require_certificates(manager_url: str, session: requests.Session) -> None:
    """Read the files with certificates that calls over TLS would use.

    Raises:
        ConfigurationError: one is missing, or has no certificates in PEM; names the variable, where one is to blame.
    """
    if not manager_url.lower().startswith("https:"):
        return
    found = session.merge_environment_settings(manager_url, {}, None, None, None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if isinstance(found["verify"], str | os.PathLike):
        path = os.fspath(found["verify"])
        variable = ca_bundle_variable(path)
        what = f"{variable}={path}" if variable else f"The file of certificates {path}"
        try:
            context.load_verify_locations(**{"capath" if Path(path).is_dir() else "cafile": path})
        except OSError as error:
            remedy = "name a file with certificates in PEM, or take the variable away"
            raise ConfigurationError(f"{what} cannot be used: {_in_words(error)}; {remedy}.") from error
    if found["cert"]:
        pair = (found["cert"],) if isinstance(found["cert"], str) else found["cert"]
        try:
            # Without a password, OpenSSL asks at the terminal for that of an encrypted key.
            context.load_cert_chain(pair[0], pair[-1], "")
        except OSError as error:
            files = " with ".join(map(str, pair))
            raise ConfigurationError(
                f"The client certificate {files} cannot be used: {_in_words(error)}."
            ) from error


def user_agent(session: requests.Session) -> dict[str, str]:
    """Return the header that says who calls, unless the session says it."""
    is_usual = str(session.headers.get("User-Agent", "")).startswith("python-requests/")
    return {"User-Agent": USER_AGENT} if is_usual else {}


def close_pools(session: requests.Session) -> None:
    """Close every connection now: a session only drops its pools, and an error that somebody keeps holds on to them."""
    for adapter in session.adapters.values():
        if isinstance(adapter, HTTPAdapter):
            close_connections(adapter)
    session.close()


def close_connections(adapter: HTTPAdapter) -> None:
    """Close the connections that an adapter keeps."""
    for manager in (adapter.poolmanager, *adapter.proxy_manager.values()):
        for key in list(manager.pools.keys()):
            pool = manager.pools.get(key)
            if pool is not None:
                pool.close()


def without_secrets(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _in_words(error: OSError) -> str:
    return "there is no such file" if isinstance(error, FileNotFoundError) else f"it holds no PEM ({error})"


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
