"""The list of runs, and one run: live while it is in progress, a report when it has ended."""

from typing import Any

from flask import (
    Blueprint,
    Response,
    flash,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from omni_connector.console.live_streams import Event
from omni_connector.console.page import Entry, Page, console
from omni_connector.console.run_chart import RunChart
from omni_connector.console.run_view import RunView
from omni_connector.local import LocalManagerError, browse

blueprint = Blueprint("runs", __name__, url_prefix="/console/runs")
page = Page(blueprint, Entry("Runs", "runs.index", 20))

SHOWN_RUNS = 20
"""Counting what a run of 100,000 documents did takes 12 ms of CPU."""
STATUSES = {"running": "Running", "completed": "Completed", "failed": "Failed", "cancelled": "Cancelled"}
LAST_LOOKS = 3
"""After the manager says that a run has ended, its connector has something to say for a moment."""


@blueprint.get("")
def index() -> str:
    """List the runs, the newest first."""
    manager = console().manager
    source_id, status, before = (request.args.get(name) or None for name in ("source", "status", "before"))
    with browse.reading(manager.data_dir) as db:
        found = browse.list_runs(db, source_id, status=status, before=before, limit=SHOWN_RUNS)
    older = found.next and url_for("runs.index", source=source_id, status=status, before=found.next)
    return render_template(
        "runs.html",
        runs=found.items,
        sources=[each for each in manager.sources() if not each.is_deleted],
        source_id=source_id,
        status=status,
        statuses=STATUSES,
        older=older,
        newest=url_for("runs.index", source=source_id, status=status) if before else None,
        is_live=not before and any(each.run.is_running for each in found.items),
    )


@blueprint.get("/<run_id>")
def run(run_id: str) -> str:
    """Show one run."""
    console().rates.look()
    view = RunView.of(console(), run_id)
    return render_template("run.html", last_line=_last_line(view), **_of_state(view))


@blueprint.get("/<run_id>/live")
def live(run_id: str) -> Response:
    """Stream what is new of a run."""
    seen = request.headers.get("Last-Event-ID") or request.args.get("after", "")
    news = RunNews(run_id, int(seen) if seen.isdecimal() else 0)
    return Response(
        stream_with_context(console().streams.stream(news.look)),
        content_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


@blueprint.post("/<run_id>/cancel")
def cancel(run_id: str) -> AnyResponse:
    """Cancel a run that is in progress."""
    try:
        console().manager.cancel(run_id)
    except LocalManagerError as error:
        flash(error.message, "error")
    else:
        flash("The run was cancelled.")
    return redirect(url_for("runs.run", run_id=run_id), 303)


class RunNews:
    """What a page does not know yet of a run.

    Args:
        after: number of the last line of its log that the page has.
    """

    def __init__(self, run_id: str, after: int) -> None:
        self._run_id = run_id
        self._after = after
        self._state = ""
        self._last_looks = LAST_LOOKS

    def look(self) -> tuple[list[Event], bool]:
        """Return what is new, and whether the run, and its log, have ended."""
        console().rates.look()
        view = RunView.of(console(), self._run_id)
        events = []
        state = render_template("run_state.html", **_of_state(view))
        if state != self._state:
            self._state = state
            events.append(Event(name="state", data=state))
        lines = [line for line in (view.log.lines if view.log else ()) if line.number > self._after]
        if lines:
            self._after = lines[-1].number
            text = render_template("run_lines.html", lines=lines)
            events.append(Event(name="lines", data=text, number=self._after))
        is_over = not view.run.is_running and self._is_silent(view)
        if is_over:
            events.append(Event(name="ended", data=view.run.status))
        return events, is_over

    def _is_silent(self, view: RunView) -> bool:
        self._last_looks -= 1
        return view.log is None or bool(view.log.outcome) or self._last_looks <= 0


def _of_state(view: RunView) -> dict[str, Any]:
    return {
        "view": view,
        "run": view.run,
        "source": view.source,
        "chart": RunChart.of(view.rates),
    }


def _last_line(view: RunView) -> int:
    return view.log.lines[-1].number if view.log and view.log.lines else 0
