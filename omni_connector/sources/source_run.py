"""What reading a source needs of a run, and of the other processes that read the same source."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol, TypeVar
from weakref import WeakSet

from omni_connector.forking import begins_anew
from omni_connector.masking import register_secret
from omni_connector.sources.rates import RateGate, RequestRate, paid

T = TypeVar("T")

KEPT_SESSIONS = 16
"""Of one run."""

RUN_PATIENCE_SECONDS = 7200.0
"""How long one request of a run waits for a rate limit: hourly quotas come back; a daily one is an error."""
LOOK_SECONDS = 0.5
"""Between two looks whether a run that waits for another thread was asked to stop."""
CALL_PATIENCE_SECONDS = 30.0
"""The same in an action, whose caller waits for the answer."""


class TokenPlace(Protocol):
    """Keeps tokens of one source, each under a name."""

    def read(self, name: str) -> dict[str, Any] | None:
        """Return the newest token of that name, whichever process has saved it; None when there is none."""

    def save(self, name: str, token: dict[str, Any]) -> None:
        """Keep a token in place of the last one; when this returns, it is kept."""


class SharedSources(Protocol):
    """What all threads and processes that read the same sources have in common. Safe to use from many threads."""

    def gate(self, source_id: str, host: str) -> RateGate:
        """Return what makes all requests to a host wait after it has said that it allows no more for a while."""
        ...

    def spend(self, source_id: str, rate: RequestRate) -> float:
        """Pay for a request; return for how many seconds to wait before it is sent."""
        ...

    def lock(self, run: "SourceRun", name: str) -> AbstractContextManager[None]:
        """Hold a name of a run's source that one thread of one process at a time holds.

        Raises:
            SyncCancelledError: the run was asked to stop while it waits.
        """
        ...

    def kept_tokens(self, source_id: str) -> TokenPlace:
        """Return where rotating refresh tokens are kept; durable."""
        ...

    def cached_tokens(self, source_id: str) -> TokenPlace:
        """Return where access tokens are kept that can be had again."""
        ...

    def beside_tokens(self, source_id: str, notes: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        """Yield a connector's notes as they are to be saved as the connector state: with the tokens that are kept there."""
        ...


class SourceRun(Protocol):
    """One run, action or script that reads a source."""

    @property
    def source_id(self) -> str:
        """Id of the source; empty where there is none."""
        ...

    @property
    def shared(self) -> SharedSources:
        """What others that read the source have in common with it."""
        ...

    @property
    def patience_seconds(self) -> float:
        """How long one request waits for a rate limit in all."""
        ...

    def raise_if_stopped(self) -> None:
        """Raise SyncCancelledError when the run was asked to stop."""

    def on_stop(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call ``callback`` when the run is asked to stop, at once if it was; return how to forget it."""
        ...

    def alive(self, what: str) -> AbstractContextManager[None]:
        """Around a request: meanwhile the run makes progress."""
        ...

    def wait(self, seconds: float, why: str) -> None:
        """Wait for a rate limit or before a repeat.

        Raises:
            SyncCancelledError: the run was asked to stop, also while it waits.
        """

    def add_secret(self, text: str) -> None:
        """Mask a secret from now on."""

    def credentials(self, fresh: bool) -> dict[str, Any]:  # noqa: FBT001 - from a face where it has a name.
        """Return the source's credentials; ``fresh`` asks the manager for them."""
        ...

    def do(self, work: Callable[[], T]) -> T:
        """Do work that blocks: here and now, or in a thread, with an awaitable in place of its value."""
        ...

    @property
    def sessions(self) -> "Sessions":
        """Those that the run has open."""
        ...


class Session(Protocol):
    """A session, as far as its run is concerned."""

    is_closed: bool

    def close(self) -> None:
        """Close its connections."""


S = TypeVar("S", bound=Session)


class Sessions:
    """The sessions of one run: one for equal options, so that one which is asked for again and again is not made again.

    The ``KEPT_SESSIONS`` that were asked for last are kept. Others live as long as the connector holds them, for there may be
    one for each of thousands of accounts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # Protects the following.
        self._kept: dict[object, Any] = {}  # The one asked for last is at the end.
        self._all: WeakSet[Any] = WeakSet()

    def opened(self, options: object, make: Callable[[], S]) -> S:
        """Return the session with these options."""
        with self._lock:
            found: S | None = self._kept.pop(options, None)
            if found is None or found.is_closed:
                found = make()
                self._all.add(found)
            self._kept[options] = found
            if len(self._kept) > KEPT_SESSIONS:
                del self._kept[next(iter(self._kept))]
            return found

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            sessions = list(self._all)
            self._kept.clear()
        for session in sessions:
            session.close()


class LocalSources:
    """What the threads of one process have in common; tokens are kept in memory."""

    def __init__(self) -> None:
        begins_anew(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Forget the parent's threads; its tokens are still good."""
        self._guard = threading.Lock()  # Protects the following.
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._gates: dict[tuple[str, str], RateGate] = {}
        self._budgets: dict[tuple[str, str], float] = {}
        self._tokens: dict[str, MemoryTokens] = {}

    def gate(self, source_id: str, host: str) -> RateGate:
        """Return the gate of a host."""
        with self._guard:
            return self._gates.setdefault((source_id, host), RateGate())

    def spend(self, source_id: str, rate: RequestRate) -> float:
        """Pay for a request."""
        key = ("", rate.budget) if rate.budget else (source_id, "")
        with self._guard:
            self._budgets[key], wait = paid(
                self._budgets.get(key), time.monotonic(), 1, (rate.per_second, rate.burst)
            )
        return wait

    @contextmanager
    def lock(self, run: "SourceRun", name: str) -> Iterator[None]:
        """Hold a name against the other threads of this process."""
        with self._guard:
            lock = self._locks.setdefault((run.source_id, name), threading.Lock())
        while not lock.acquire(timeout=LOOK_SECONDS):
            run.raise_if_stopped()
        try:
            yield
        finally:
            lock.release()

    def kept_tokens(self, source_id: str) -> TokenPlace:
        """Return a place in memory."""
        return self.cached_tokens(source_id)

    def beside_tokens(self, source_id: str, notes: dict[str, Any]) -> AbstractContextManager[dict[str, Any]]:
        """Yield the notes: no tokens are kept there."""
        del source_id
        return nullcontext(notes)

    def cached_tokens(self, source_id: str) -> TokenPlace:
        """Return a place in memory."""
        with self._guard:
            return self._tokens.setdefault(source_id, MemoryTokens())


class MemoryTokens:
    """Keeps tokens as long as the process lives."""

    def __init__(self) -> None:
        self._tokens: dict[str, dict[str, Any]] = {}

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a token."""
        return self._tokens.get(name)

    def save(self, name: str, token: dict[str, Any]) -> None:
        """Keep a token."""
        self._tokens[name] = token


class NoRun:
    """Reads a source outside of a run: in an action, a script or a test.

    Args:
        source_id: id of the source, where there is one.
        shared: what others have in common with it; left out, nothing.
    """

    def __init__(
        self,
        source_id: str = "",
        *,
        shared: SharedSources | None = None,
        credentials: Callable[[], dict[str, Any]] | None = None,
    ) -> None:
        self.source_id = source_id
        self.shared: SharedSources = shared or LocalSources()
        self.patience_seconds = RUN_PATIENCE_SECONDS if shared is None else CALL_PATIENCE_SECONDS
        self._credentials = credentials

    def raise_if_stopped(self) -> None:
        """Nothing stops it."""

    def on_stop(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Nothing stops it."""
        del callback
        return _nothing

    def alive(self, what: str) -> AbstractContextManager[None]:
        """Nothing watches it."""
        del what
        return nullcontext()

    def wait(self, seconds: float, why: str) -> None:
        """Hold the thread."""
        del why
        time.sleep(seconds)

    def add_secret(self, text: str) -> None:
        """Mask a secret."""
        register_secret(text)

    def credentials(self, fresh: bool) -> dict[str, Any]:  # noqa: FBT001 - as in the interface.
        """Ask the manager, where there is one."""
        del fresh
        return {} if self._credentials is None else self._credentials()

    def do(self, work: Callable[[], T]) -> T:
        """Do it here and now."""
        return work()

    @property
    def sessions(self) -> "Sessions":
        """None is kept: each belongs to who asks for it."""
        return Sessions()


def _nothing() -> None:
    """Nothing was noted."""
