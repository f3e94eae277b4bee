"""A real WebDAV server (WsgiDAV) that knows owners and shares by the properties that Nextcloud has for them."""

from __future__ import annotations

from pathlib import Path
from typing import Self

import requests
from wsgidav.wsgidav_app import WsgiDAVApp

from omni_connector.local.http_server import HttpServer

SHARES = """<?xml version="1.0"?>
<d:propertyupdate xmlns:d="DAV:" xmlns:o="http://owncloud.org/ns" xmlns:n="http://nextcloud.org/ns"><d:set><d:prop>
  <o:owner-id>{owner}</o:owner-id><n:sharees>{sharees}</n:sharees>
</d:prop></d:set></d:propertyupdate>"""
SHAREE = "<n:sharee><n:id>{id}</n:id><n:type>{type}</n:type></n:sharee>"


class WebDavServer:
    """Serves ``folder`` below ``url``, opened by a password.

    Attributes:
        url: address of the served folder, with a slash at the end.
        refused: paths that are answered 403.
    """

    def __init__(self, folder: Path, password: str) -> None:
        self._password = password
        self._app = WsgiDAVApp(
            {
                "provider_mapping": {"/dav": str(folder)},
                "property_manager": True,
                "lock_storage": True,
                "http_authenticator": {
                    "accept_basic": True,
                    "accept_digest": False,
                    "default_to_digest": False,
                },
                "simple_dc": {"user_mapping": {"*": {"indexer": {"password": password}}}},
                "dir_browser": {"enable": False},
                "logging": {"enable": False},
                "verbose": 1,
            }
        )
        self.refused: set[str] = set()
        self._server = HttpServer(self._serve, threads=2).start()
        self.url = f"{self._server.url}/dav/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def share(self, path: str, owner: str, users: list[str], groups: list[str]) -> None:
        """Say who owns a file or folder and with whom it is shared."""
        sharees = [SHAREE.format(id=user, type=0) for user in users]
        sharees += [SHAREE.format(id=group, type=1) for group in groups]
        answer = requests.request(
            "PROPPATCH",
            self.url + path,
            data=SHARES.format(owner=owner, sharees="".join(sharees)),
            auth=("indexer", self._password),
            timeout=10,
        )
        assert answer.status_code == 207, answer.text

    def _serve(self, environ, start_response):
        if environ["PATH_INFO"] in self.refused:
            start_response("403 Forbidden", [("Content-Length", "0")])
            return [b""]
        return self._app(environ, start_response)
