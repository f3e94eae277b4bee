"""Which process of a server this is: servers load an application in processes that never answer a request."""

import contextlib
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from types import CodeType, FrameType

from flask.cli import ScriptInfo
from gunicorn.arbiter import Arbiter
from werkzeug.serving import is_running_from_reloader

from omni_connector.exceptions import ConfigurationError

_SPAWNING = {"uvicorn", "hypercorn", "granian"}
"""Servers that start their workers with ``multiprocessing``; they give no other sign of having several."""

_UWSGI = "uwsgi"
"""A module that is there in processes of uWSGI only."""

_RELOADER = "werkzeug._reloader"
"""Its functions are on the stack of the main thread while Werkzeug's reloader runs, in the parent and in the child."""

_LOADING = frozenset(
    {
        "importlib._bootstrap",
        "flask.sansio.app",
        "flask.sansio.blueprints",
        "flask.app",
        "flask.cli",
        "werkzeug.serving",
    }
)
"""One of these is on that stack while a module is imported, a blueprint is mounted, or Flask's server is about to start."""

_FLASKS_SERVER = "socketserver"
"""On that stack while Flask's server answers requests."""


def is_inside_gunicorn() -> bool:
    """Say whether gunicorn is loading the application, in the master or in a worker."""
    return not {Arbiter.__init__.__code__, Arbiter.run.__code__}.isdisjoint(_callers())


def is_preloading() -> bool:
    """Say whether this is gunicorn's master process, which loads the application but never serves it."""
    return is_inside_gunicorn() and Arbiter.spawn_worker.__code__ not in set(_callers())


def is_loaded_by_flask() -> bool:
    """Say whether the command ``flask`` is loading the application."""
    return ScriptInfo.load_app.__code__ in set(_callers())


def workers_of_server() -> int | None:
    """Return how many processes the server has that is loading the application here; None for a server that has one only."""
    is_spawned = multiprocessing.parent_process() is not None
    found: int | None = None
    for frame in outwards(sys._getframe()):  # noqa: SLF001 - as above.
        if frame.f_code in {Arbiter.setup.__code__, Arbiter.spawn_worker.__code__}:
            return int(frame.f_locals["self"].cfg.workers)
        server = frame.f_globals.get("__name__", "").partition(".")[0]
        if is_spawned and server in _SPAWNING:
            found = max(found or 1, getattr(frame.f_locals.get("config"), "workers", 1))
    if found is None and _UWSGI in sys.modules and sys.modules[_UWSGI].numproc > 1:
        found = int(sys.modules[_UWSGI].numproc)
    return found


@contextlib.contextmanager
def as_account_of_workers() -> Iterator[None]:
    """Have the rights of the account under which the workers will run.

    ``gunicorn --preload --user`` loads the application in its master as root; what is made or checked there would not
    be what the workers find.
    """
    settings = next(
        (
            frame.f_locals["self"].cfg
            for frame in outwards(sys._getframe())  # noqa: SLF001 - as above.
            if frame.f_code is Arbiter.setup.__code__
        ),
        None,
    )
    if settings is None or os.geteuid() != 0 or settings.uid == 0:
        yield
        return
    own_group = os.getegid()
    os.setegid(settings.gid)
    os.seteuid(settings.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(own_group)


def is_reloader_parent() -> bool | None:
    """Say whether this process only watches a child that serves: ``flask run --debug``, ``app.run(debug=True)``.

    It has loaded the application like the child, with a manifest that gets old when a file changes. It is known for the
    parent only once ``run`` was called: None while the main thread loads the application, or is about to serve it.
    """
    if is_running_from_reloader():
        return False
    main = sys._current_frames().get(threading.main_thread().ident or 0)  # noqa: SLF001 - the documented way to see another thread.
    frames = list(outwards(main))
    modules = {frame.f_globals.get("__name__") for frame in frames}
    if _RELOADER in modules:
        return True
    is_loading = bool(frames) and (frames[0].f_code.co_name == "<module>" or not modules.isdisjoint(_LOADING))
    return None if is_loading and _FLASKS_SERVER not in modules else False


def _callers() -> Iterator[CodeType]:
    """Yield the code of every function on this thread's stack."""
    return (frame.f_code for frame in outwards(sys._getframe()))  # noqa: SLF001 - the documented way to look at one's own stack.


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """Yield a frame, the one that called it, and so on."""
    while frame is not None:
        yield frame
        frame = frame.f_back


GUNICORN_REMEDY = "gunicorn --worker-class gthread --threads 64 (or -c python:omni_connector.gunicorn_conf, which says the same)"
CELERY_REMEDY = "celery -A omni_connector.worker worker --pool threads (or --pool prefork)"


def require_real_threads(remedy: str = GUNICORN_REMEDY) -> None:
    """Refuse a process whose threads were replaced by greenlets: ``-k gevent`` of gunicorn, ``--pool gevent`` of Celery, say.

    Tried with gevent 26.9: greenlets of one thread share its running event loop, so that the second run of an async
    connector fails; a sync that computes, or waits in a C library, holds up ``/health``, time-outs and heartbeats.

    Raises:
        ConfigurationError: says what to use instead.
    """
    monkey = sys.modules.get("gevent.monkey")
    patcher = sys.modules.get("eventlet.patcher")
    if monkey is not None and monkey.is_module_patched("threading"):
        library = "gevent"
    elif patcher is not None and patcher.is_monkey_patched("thread"):
        library = "eventlet"
    else:
        return
    raise ConfigurationError(
        f"{library} has replaced the threads of this process by greenlets, in which a sync that computes holds up "
        f"everything else and async connectors fail. Type: {remedy}"
    )


def require_own_process() -> None:
    """Refuse uWSGI where it would fork after the application was loaded, or run no threads.

    It forks without informing Python: the child has the locks and the connections of its parent, and no threads.

    Raises:
        ConfigurationError: says which options are missing.
    """
    server = sys.modules.get(_UWSGI)
    if server is None:
        return
    given = {name if isinstance(name, str) else name.decode() for name in server.opt}
    is_forked = ("master" in given or server.numproc > 1) and given.isdisjoint({"lazy-apps", "lazy"})
    missing = ["--lazy-apps"] if is_forked else []
    if given.isdisjoint({"enable-threads", "threads"}):
        missing.append("--enable-threads")
    if missing:
        options = " ".join(missing)
        raise ConfigurationError(
            f"uWSGI without {options} gives an application no threads of its own in the process that serves, and syncs "
            f"need them. Type: uwsgi {options} ..."
        )
