"""Chooses what carries the requests: libcurl where it is installed and does what the session asks for."""

import requests

from omni_connector.manager.session_wire import SessionWire
from omni_connector.manager.wire import Wire

try:
    from omni_connector.manager.curl_wire import CurlWire
except ImportError:  # The extra ``curl`` is not installed, or its library cannot be loaded.
    CurlWire = None  # type: ignore[assignment, misc]


def wire_for(manager_url: str, session: requests.Session, *, connect_seconds: float) -> Wire:
    """Return a wire to the manager that is configured like the session."""
    if CurlWire is not None:
        wire = CurlWire.for_session(manager_url, session, connect_seconds=connect_seconds)
        if wire is not None:
            return wire
    return SessionWire(manager_url, session, connect_seconds=connect_seconds)
