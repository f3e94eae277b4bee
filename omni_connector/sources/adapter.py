"""The adapter of a source's session: each of its requests is an exchange."""

from typing import Any

import requests
from urllib3 import Retry

from omni_connector.manager.pooled import PooledAdapter
from omni_connector.manager.sessions import close_connections
from omni_connector.sources.exchange import Exchange, Exchanges
from omni_connector.sources.responses import SourceResponse


class SourceAdapter(PooledAdapter):
    """Sends the requests of a session."""

    def __init__(self, exchanges: Exchanges, **kwargs: Any) -> None:
        super().__init__(max_retries=Retry(0, read=False), **kwargs)
        self._exchanges = exchanges

    def send(  # type: ignore[override]  # The arguments of requests, as they are.
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - the signature of requests.
        timeout: Any = None,
        **kwargs: Any,
    ) -> SourceResponse:
        """Send a request until there is an answer that no repeat would change, or none is allowed."""
        return Exchange(
            self._exchanges, self, request, stream=stream, timeout=timeout, kwargs=kwargs
        ).answer()

    def close(self) -> None:
        """Close all connections now; the base class leaves that to the garbage collector."""
        close_connections(self)
        super().close()

    def send_once(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        """Send a request once, and return the head of its answer."""
        return super().send(request, stream=True, **kwargs)
