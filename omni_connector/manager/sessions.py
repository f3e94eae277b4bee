"""The session that calls to a manager are configured by."""

from ipaddress import ip_address
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_netrc_auth

from omni_connector._version import __version__

USER_AGENT = f"omni-connector-python/{__version__}"


def new_session(manager_url: str, connections: int) -> requests.Session:
    """Return a session that looks at the environment (proxies, CA bundle, netrc) now and never again."""
    session = requests.Session()
    session.headers["User-Agent"] = USER_AGENT
    found = session.merge_environment_settings(manager_url, {}, None, None, None)
    # A proxy cannot reach this machine's own loopback addresses; requests only knows that from NO_PROXY.
    session.proxies = {} if _is_loopback(manager_url) else found["proxies"]
    session.verify = found["verify"]
    session.auth = get_netrc_auth(manager_url)
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


def user_agent(session: requests.Session) -> dict[str, str]:
    """Return the header that says who calls, unless the session says it."""
    is_usual = str(session.headers.get("User-Agent", "")).startswith("python-requests/")
    return {"User-Agent": USER_AGENT} if is_usual else {}


def close_pools(session: requests.Session) -> None:
    """Close every connection now: a session only drops its pools, and an error that somebody keeps holds on to them."""
    for adapter in session.adapters.values():
        pools = adapter.poolmanager.pools if isinstance(adapter, HTTPAdapter) else {}
        for key in list(pools.keys()):
            pool = pools.get(key)
            if pool is not None:
                pool.close()
    session.close()


def without_secrets(url: str) -> str:
    """Return an address without what may be secret in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
