"""A real Git server: bare repositories behind ``git http-backend``, opened by a password."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Self

from flask import Flask, Response, request

from omni_connector.local.http_server import HttpServer

AUTHOR = {"GIT_AUTHOR_NAME": "Ann Archer", "GIT_AUTHOR_EMAIL": "ann@example.com"}
COMMITTER = {"GIT_COMMITTER_NAME": "Ann Archer", "GIT_COMMITTER_EMAIL": "ann@example.com"}


class GitServer:
    """One bare repository ``manual.git`` below ``folder``, and a clone of it in which the test works.

    Attributes:
        url: address of the repository.
        work: folder of the clone.
        password: for the user ``reader``.
    """

    def __init__(self, folder: Path, password: str) -> None:
        self._root = folder / "served"
        self.password = password
        bare = self._root / "manual.git"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
        self.work = folder / "work"
        git(folder, "clone", "--quiet", str(bare), str(self.work))
        app = Flask(__name__)
        for method in ("GET", "POST"):
            app.add_url_rule("/<path:path>", f"git {method}", self._serve, methods=[method])
        self._server = HttpServer(app, threads=2).start()
        self.url = f"{self._server.url}/manual.git"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def push(self, message: str) -> None:
        """Commit everything in the clone and push it."""
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--message", message)
        git(self.work, "push", "--quiet", "origin", "HEAD:main")

    def replace_history(self, files: dict[str, str]) -> None:
        """Push another first commit in the place of all that was there."""
        git(self.work, "checkout", "--quiet", "--orphan", "anew")
        git(self.work, "rm", "-r", "--quiet", "--force", ".")
        for name, text in files.items():
            (self.work / name).write_text(text)
        git(self.work, "add", "--all")
        git(self.work, "commit", "--quiet", "--message", "Anew")
        git(self.work, "push", "--quiet", "--force", "origin", "HEAD:main")

    def _serve(self, path: str) -> Response:
        given = request.authorization
        if given is None or (given.username, given.password) != ("reader", self.password):
            return Response("who are you?", 401, {"WWW-Authenticate": 'Basic realm="git"'})
        body = request.get_data()
        variables = {
            "GIT_PROJECT_ROOT": str(self._root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "PATH_INFO": f"/{path}",
            "QUERY_STRING": request.query_string.decode(),
            "REQUEST_METHOD": request.method,
            "CONTENT_TYPE": request.content_type or "",
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_USER": "reader",
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            env={**os.environ, **variables},
            capture_output=True,
            check=True,
        )
        head, _, answer = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        return Response(answer, int(headers.pop("Status", "200").split()[0]), headers)


def git(folder: Path, *arguments: str) -> None:
    """Run git as a person with a name, whatever the machine's settings are."""
    variables = {**os.environ, **AUTHOR, **COMMITTER, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=variables, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
