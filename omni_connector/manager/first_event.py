"""Reads the first event of a stream of server-sent events, which no wire does: its answer has no end."""

import time
from http import HTTPStatus

import requests

from omni_connector.manager.carriers import reason_of
from omni_connector.manager.pending import Pending
from omni_connector.manager.wire import WireAnswer, WireError, WireRequest
from omni_connector.pool import WorkerPool


class FirstEvents:
    """Asks for streams of one manager in threads. ``close`` it.

    Args:
        base_url: address of the manager, without a trailing slash.
        session: carries the requests.
        connect_seconds: longest wait for a new connection.
    """

    def __init__(self, base_url: str, session: requests.Session, *, connect_seconds: float) -> None:
        self._base_url = base_url
        self._session = session
        self._connect_seconds = connect_seconds
        self._threads = WorkerPool("omni-progress", limit=4)

    def submit(self, request: WireRequest) -> Pending[WireAnswer]:
        """Return an answer to come, whose body is the data of the first event; empty when the stream ends without one.

        Raises:
            RuntimeError: it is closed, or no thread can be started.
        """
        pending: Pending[WireAnswer] = Pending()
        self._threads.submit(self._answer, request, pending)
        return pending

    def close(self) -> None:
        """Ask for nothing more."""
        self._threads.close(timeout_seconds=0.1)

    def _answer(self, request: WireRequest, pending: Pending[WireAnswer]) -> None:
        try:
            pending.set_result(self._ask(request))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits.
            pending.set_exception(error)

    def _ask(self, request: WireRequest) -> WireAnswer:
        deadline = time.monotonic() + request.seconds
        try:
            with self._session.request(
                request.method,
                self._base_url + request.path,
                headers=dict(request.headers),
                timeout=(self._connect_seconds, request.seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                if response.status_code != HTTPStatus.OK:
                    return WireAnswer(response.status_code, headers, response.content)
                for line in response.iter_lines(chunk_size=1):
                    if line.startswith(b"data:"):
                        return WireAnswer(HTTPStatus.OK, headers, line[5:].strip())
                    # A manager in trouble may go on sending comments, which keep the connection alive, for ever.
                    if time.monotonic() > deadline:
                        raise WireError("no event in time", was_sent=True)
                return WireAnswer(HTTPStatus.OK, headers, b"null")
        except requests.RequestException as error:
            raise WireError(reason_of(error, self._base_url), was_sent=True) from None
