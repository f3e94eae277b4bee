"""Gunicorn, set up from Python, and what a person reads when a process cannot start."""

import contextlib
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask
from flask.cli import NoAppException
from gunicorn.app.base import BaseApplication
from gunicorn.errors import AppImportError

from omni_connector.config import in_address, is_host
from omni_connector.exceptions import ConfigurationError
from omni_connector.masking import mask
from omni_connector.serving import gunicorn_settings
from omni_connector.serving.processes import is_inside_gunicorn, is_loaded_by_flask, is_preloading


def startup_message(error: ConfigurationError) -> str:
    """Return what a person reads when a process cannot start."""
    problems = [mask(problem) for problem in error.problems]
    if len(problems) == 1:
        is_sentence = problems[0].startswith("The connector cannot ")
        return problems[0] if is_sentence else f"The connector cannot start: {problems[0]}"
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return f"The connector cannot start:\n{lines}"


def startup_error(error: ConfigurationError) -> BaseException:
    """Return what ends the start with one readable message: under gunicorn, and elsewhere."""
    message = startup_message(error)
    # A worker's is reported by the master, which stops; in the master itself it would be a traceback.
    is_worker = is_inside_gunicorn() and not is_preloading()
    return AppImportError(message) if is_worker else SystemExit(message)


class _FlaskStartError(ConfigurationError, NoAppException):
    """Shown as one line by ``flask run``, which shows a traceback of any other."""

    def __init__(self, error: ConfigurationError) -> None:
        ConfigurationError.__init__(self, error.problems)
        NoAppException.__init__(self, startup_message(error))


class _GunicornStartError(ConfigurationError, AppImportError):
    """Shown as one line by gunicorn."""

    def __str__(self) -> str:
        return startup_message(self)


@contextlib.contextmanager
def readable_at_start() -> Iterator[None]:
    """Let the server that loads the application show a ``ConfigurationError`` in one line."""
    try:
        yield
    except ConfigurationError as error:
        if is_loaded_by_flask():
            raise _FlaskStartError(error) from None
        if is_inside_gunicorn() and not is_preloading():
            raise _GunicornStartError(error.problems) from None
        raise


def require_free_address(host: str, port: int) -> None:
    """Refuse an address on which this process cannot listen; gunicorn would try it five times, with ten lines of log.

    Raises:
        ConfigurationError: the port is in use, or the host is not one of this machine.
    """
    bare = host.removeprefix("[").removesuffix("]")
    if not is_host(bare):
        raise ConfigurationError(
            f"The connector cannot listen on {host!r}: this is neither a host name nor an IP address."
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(bare, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # As gunicorn does.
            trial.bind(address)
            trial.listen()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        raise ConfigurationError(
            f"The connector cannot listen on {in_address(bare)}:{port}: {reason}. Name another port or host (--port or PORT, --host)."
        ) from error


class GunicornServer(BaseApplication):
    """Serves one application with the recommended settings.

    Args:
        make_app: called in the worker.
        bind: address to listen on, such as ``0.0.0.0:8000``.
    """

    def __init__(self, make_app: Callable[[], Flask], bind: str) -> None:
        self._make_app = make_app
        self._bind = bind
        super().__init__()

    def load_config(self) -> None:
        """Take the recommended settings."""
        for name, value in vars(gunicorn_settings).items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)
        self.cfg.set("bind", self._bind)

    def load(self) -> Any:
        """Make the application, in the worker."""
        try:
            return self._make_app()
        except ConfigurationError as error:
            raise startup_error(error) from None
