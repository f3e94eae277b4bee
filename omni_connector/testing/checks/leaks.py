"""Secrets of a subject, and where they appear in what a connector puts out."""

import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from omni_connector.masking import secrets_in, secrets_in_settings
from omni_connector.masking.matcher import Matcher

_KNOWN_TO_ALL = re.compile(
    r"(?i)(.*[-_])?(user(_?name)?|login|e?mail|account|client_?id|tenant(_?id)?|host|url|endpoint|type|project(_?id)?)"
)
"""Names of credentials that are no secrets by themselves: documents may well show them."""

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class SecretFinder:
    """Looks for the secrets of credentials and settings, in whatever form they are written.

    Args:
        credentials: every text in it is a secret, except addresses and names of accounts.
        config: settings whose names say that they are secret, or that are declared so.
        declared: names of secret settings.
    """

    def __init__(self, credentials: Any, config: Any, declared: list[str]) -> None:
        settings = secrets_in_settings(config, declared)
        self._names: dict[str, str] = {}
        for path, text in _texts("credentials", credentials):
            name = path.rpartition(".")[2]
            if _KNOWN_TO_ALL.fullmatch(name):  # Of an address still the password.
                secrets = secrets_in_settings({name: text})
            else:
                secrets = frozenset() if _ADDRESS.fullmatch(text) else secrets_in(text)
            self._names.update(dict.fromkeys(secrets, path))
        for path, text in _texts("config", config):
            self._names.update({secret: path for secret in settings if secret in text})
        self._matchers = [(path, Matcher([secret])) for secret, path in self._names.items()]

    def __bool__(self) -> bool:
        return bool(self._names)

    def names_in(self, text: str) -> list[str]:
        """Return the names of the secrets that a text holds."""
        return [path for path, matcher in self._matchers if matcher.spans(text)]


class Recording(logging.Handler):
    """Notes in which outputs of the process secrets appear: its log, its standard output and error."""

    def __init__(self, secrets: SecretFinder) -> None:
        super().__init__(logging.DEBUG)
        self._secrets = secrets
        self.leaks: dict[tuple[str, str], str] = {}

    def look(self, output: str, text: str, where: str) -> None:
        """Note the secrets in a text; of each the first place in an output."""
        for name in self._secrets.names_in(text):
            self.leaks.setdefault((name, output), where)

    def emit(self, record: logging.LogRecord) -> None:
        """Look at a record."""
        self.look("the log", self.format(record), f"logger {record.name}, {record.pathname}:{record.lineno}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Look at everything that is logged and printed in this block."""
        root = logging.getLogger()
        level, streams = root.level, (sys.stdout, sys.stderr)
        root.addHandler(self)
        root.setLevel(logging.DEBUG)
        sys.stdout, sys.stderr = (
            _Watched(streams[0], self, "standard output"),
            _Watched(streams[1], self, "standard error"),
        )
        try:
            yield
        finally:
            sys.stdout, sys.stderr = streams
            root.setLevel(level)
            root.removeHandler(self)


class _Watched:
    """A stream that is looked at."""

    def __init__(self, stream: TextIO, recording: Recording, name: str) -> None:
        self._stream = stream
        self._recording = recording
        self._name = name

    def write(self, text: str) -> int:
        """Write a text, after a look at it."""
        self._recording.look(self._name, text, f"what the connector prints on {self._name}")
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _texts(f"{path}.{key}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(path, item)
    elif isinstance(value, str):
        yield path, value
