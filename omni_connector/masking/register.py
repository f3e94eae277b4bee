"""The secrets of this process, and the masking of texts that leave it."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from omni_connector.forking import begins_anew
from omni_connector.masking.matcher import Matcher, Span
from omni_connector.masking.patterns import spans_of_patterns
from omni_connector.masking.rules import secrets_in

MASK = "***"

KEPT_REGISTERED = 1000
"""Secrets of ``register_secret`` that are remembered, and those that one run adds; the oldest are forgotten first."""

KEPT_RELEASED = 200
"""Secrets that no run owns any longer and that are masked still: a line may come late, and the next run has the same ones."""


class SecretRegister:
    """Counts who owns which secret. Safe to use from many threads, and in a handler of signals.

    New secrets get a matcher of their own; small ones are joined, so that one more run costs little beside hundreds.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # Protects everything below.
        self._owners: Counter[str] = Counter()
        self._released: OrderedDict[str, None] = OrderedDict()
        self._new: set[str] = set()  # Known to no matcher.
        self._matchers: tuple[Matcher, ...] = ()  # The larger ones first.
        begins_anew(self)

    def after_fork(self) -> None:
        """Keep the secrets; the lock may be that of a thread of the parent."""
        self._lock = threading.RLock()

    def add(self, secrets: Iterable[str]) -> None:
        """Own these secrets once more."""
        with self._lock:
            for secret in secrets:
                if secret not in self._owners and self._released.pop(secret, self) is self:
                    self._new.add(secret)
                self._owners[secret] += 1

    def remove(self, secrets: Iterable[str]) -> None:
        """Own these secrets once less."""
        with self._lock:
            for secret in secrets:
                if self._owners.get(secret, 0) > 1:
                    self._owners[secret] -= 1
                elif self._owners.pop(secret, 0):
                    self._released[secret] = None

    def clear(self) -> None:
        """Forget all, for tests."""
        with self._lock:
            self._owners.clear()
            self._released.clear()
            self._new.clear()
            self._matchers = ()

    def spans(self, text: str) -> list[Span]:
        """Return where secrets are in ``text``."""
        matchers = self._renewed() if self._new else self._matchers
        return [span for matcher in matchers for span in matcher.spans(text)]

    def _renewed(self) -> tuple[Matcher, ...]:
        with self._lock:
            while len(self._released) > KEPT_RELEASED:
                self._released.popitem(last=False)
            new, kept, joined = set(self._new), list(self._matchers), []
            live = len(self._owners) + len(self._released)
            is_stale = sum(len(matcher.secrets) for matcher in kept) > 2 * live
            while kept and (is_stale or len(kept[-1].secrets) <= 2 * len(new)):
                joined.append(kept.pop())
                new |= joined[-1].secrets.keys()
            alive = frozenset(each for each in new if each in self._owners or each in self._released)
            self._matchers = (*kept, Matcher(alive, joined))
            self._new.clear()
            return self._matchers


class SecretScope:
    """Secrets that are masked as long as something is in progress. ``close`` it, or use it as a context manager.

    Args:
        secrets: those that are known at the beginning.
    """

    def __init__(self, secrets: frozenset[str] = frozenset()) -> None:
        self._lock = threading.Lock()  # Protects everything below.
        self._secrets = secrets
        self._added: OrderedDict[str, None] = OrderedDict()
        self._is_closed = False
        _register.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these, too; nothing happens after the end."""
        with self._lock:
            if self._is_closed:
                return
            for secret in secrets:
                if secret in self._secrets:
                    continue
                if secret not in self._added:
                    _register.add([secret])
                self._added[secret] = None
                self._added.move_to_end(secret)
            while len(self._added) > KEPT_REGISTERED:
                _register.remove([self._added.popitem(last=False)[0]])

    def name(self, text: str) -> None:
        """Mask what an author calls a secret, unless it is short or common."""
        if not isinstance(text, str):
            raise TypeError(f"A secret is a str, not {type(text).__name__}")
        self.add(secrets_in(text))

    def forget(self) -> None:
        """Forget what was added."""
        with self._lock:
            _register.remove(self._added)
            self._added.clear()

    def close(self) -> None:
        """End it. Repeatable."""
        with self._lock:
            if not self._is_closed:
                self._is_closed = True
                _register.remove((*self._secrets, *self._added))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def owning(*secrets: frozenset[str]) -> Iterator[SecretScope]:
    """Mask these secrets for the length of a block."""
    with SecretScope(frozenset().union(*secrets)) as scope:
        yield scope


def register_for_ever(text: str) -> None:
    """Mask this as long as the process lives, unless a thousand others follow."""
    _registered.name(text)


def mask(text: str) -> str:
    """Return ``text`` with ``***`` in place of secrets, and of what looks like one in an address, a header or a form.

    Mask before anything is cut off: the rest of a secret is not recognised.
    """
    spans = _register.spans(text)
    spans.extend(spans_of_patterns(text))
    return _replaced(text, spans) if spans else text


def mask_values(text: str) -> str:
    """Return ``text`` without the secrets that are known; what only looks like one stays."""
    spans = _register.spans(text)
    return _replaced(text, spans) if spans else text


def mask_json(value: Any, mask_text: Callable[[str], str] = mask) -> Any:
    """Return a JSON value with every text in it masked, the names of its members included."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, dict):
        return {
            mask_text(name) if isinstance(name, str) else name: mask_json(item, mask_text)
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [mask_json(item, mask_text) for item in value]
    return value


def forget_secrets() -> None:
    """Forget every secret, between two tests."""
    _registered.forget()
    _register.clear()


def _replaced(text: str, spans: list[Span]) -> str:
    spans.sort()
    parts, done, end = [], 0, -1
    for start, stop in spans:
        if start > end:  # Spans that touch become one.
            parts += [text[max(done, 0) : start], MASK]
        end = max(end, stop)
        done = end
    return "".join([*parts, text[done:]])


_register = SecretRegister()
_registered = SecretScope()
