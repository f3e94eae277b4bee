"""A ticket system's REST API, served for real: tokens that rotate, limited rates, pages, and errors now and then."""

from __future__ import annotations

import itertools
import threading
import time
from typing import Any, Self

from flask import Flask, Response, abort, jsonify, request

from omni_connector.local.http_server import HttpServer

CLIENT = ("indexer", "client-s3cret-9")


class TicketApi:
    """Serves the tickets of ``tickets`` and the projects of ``projects``, in pages of two tickets.

    Each refresh token is good for one access token, as is usual for public clients: one that is used a second time is
    answered 400, and closes the account. An access token is good for six requests. After each ten requests, a
    second is closed: 429 with ``Retry-After``. Each ninth request is answered 503.

    Attributes:
        refresh_token: the one that is good now.
        tokens: every token that was ever given out.
        asked: method, path and query of each request that was answered with data.
        too_early: how many requests came while the API was closed, but for the first of each time.
        is_lenient: used refresh tokens, and access tokens before the last one, are accepted.
    """

    def __init__(self) -> None:
        self.projects: dict[str, dict[str, Any]] = {}
        self.tickets: dict[str, dict[str, Any]] = {}
        self.refresh_token = "refresh-token-number-0"
        self.tokens = [self.refresh_token]
        self.asked: list[str] = []
        self.too_early = 0
        self.is_lenient = False
        self._access_token: str | None = None
        self._requests_left = 0
        self._numbers = itertools.count(1)
        self._moments = itertools.count(1)
        self._closed_until = 0.0
        self._was_refused = False
        self._lock = threading.Lock()
        app = Flask(__name__)
        app.add_url_rule("/oauth/token", view_func=self._token, methods=["POST"])
        app.add_url_rule("/projects", view_func=self._projects)
        app.add_url_rule("/tickets", view_func=self._list)
        self._server = HttpServer(app, threads=4).start()
        self.url = self._server.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def save(self, ticket_id: str, **fields: Any) -> None:
        """Add or change a ticket; each change is an hour after the one before."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1785585600 + 3600 * next(self._moments)))
        before = self.tickets.get(ticket_id, {})
        self.tickets[ticket_id] = {"id": ticket_id, **before, **fields, "updated_at": moment}

    # -- the views ------------------------------------------------------------------------------------------------

    def _token(self) -> Response:
        given = request.authorization or {
            "username": request.form["client_id"],
            "password": request.form["client_secret"],
        }
        if (given["username"], given["password"]) != CLIENT:
            return _error(401, "invalid_client")
        with self._lock:
            if request.form["refresh_token"] not in (
                self.tokens if self.is_lenient else [self.refresh_token]
            ):
                self.refresh_token = "none: a token was used twice"
                return _error(400, "invalid_grant")
            number = next(self._numbers)
            self.refresh_token, self._access_token = (
                f"refresh-token-number-{number}",
                f"access-token-number-{number}",
            )
            self.tokens += [self.refresh_token, self._access_token]
            self._requests_left = 6
            return jsonify(
                access_token=self._access_token,
                refresh_token=self.refresh_token,
                token_type="Bearer",
                expires_in=3600,
            )

    def _projects(self) -> Response:
        self._admit()
        return jsonify(projects=list(self.projects.values()))

    def _list(self) -> Response:
        self._admit()
        since = request.args.get("updated_since", "")
        found = sorted(self.tickets.values(), key=lambda ticket: (ticket["updated_at"], ticket["id"]))
        found = [ticket for ticket in found if ticket["updated_at"] >= since]
        start = int(request.args.get("cursor", 0))
        more = {"next_cursor": str(start + 2)} if start + 2 < len(found) else {}
        return jsonify(tickets=found[start : start + 2], **more)

    def _admit(self) -> None:
        """Let a request in, or refuse it."""
        with self._lock:
            if time.monotonic() < self._closed_until:
                self.too_early += self._was_refused
                self._was_refused = True
                abort(_error(429, "too many requests", {"Retry-After": "1"}))
            self._was_refused = False
            if (
                request.headers.get("Authorization") != f"Bearer {self._access_token}"
                or not self._requests_left
            ):
                abort(_error(401, "invalid_token"))
            self._requests_left -= 1
            self.asked.append(request.full_path)
            if len(self.asked) % 10 == 0:
                self._closed_until = time.monotonic() + 1
            if len(self.asked) % 9 == 0:
                abort(_error(503, "try again"))


def _error(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    response = jsonify(error=error)
    response.status_code = status
    response.headers.update(headers or {})
    return response
