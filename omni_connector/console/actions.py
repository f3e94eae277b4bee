"""The actions of the registered connectors: a list, a form for each, and what running one has returned."""

import time
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from attrs import define, field, frozen
from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as AnyResponse

from omni_connector.console.page import Entry, Page, console
from omni_connector.console.schema_form import SchemaForm
from omni_connector.local import SourceRow
from omni_connector.models.codec import decode
from omni_connector.models.json_values import JsonValue
from omni_connector.testing.actions import ActionAnswer, post_action

blueprint = Blueprint("actions", __name__, url_prefix="/console/actions")
page = Page(blueprint, Entry("Actions", "actions.index", 60))

RESULTS_KEPT: Final = 20
RESULT_BYTES_KEPT: Final = 32 * 1024**2
TEXT_SHOWN: Final = 20_000
_RESULTS: Final = "omni_console_results"
_OTHERS: Final = "others"
"""The field for parameters that the schema does not name."""
_PICTURES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


@frozen
class Offered:
    """An action, and the connector that offers it."""

    manifest: Mapping[str, Any]
    action: Mapping[str, Any]

    @property
    def url(self) -> str:
        """The address of its form."""
        return url_for("actions.action", connector=self.manifest["connector_id"], name=self.action["name"])

    @property
    def schema(self) -> dict[str, Any]:
        """Of its parameters."""
        schema = self.action.get("input_schema")
        return schema if isinstance(schema, dict) else {}

    @property
    def takes_others(self) -> bool:
        """Whether there may be parameters that the schema does not name."""
        return not self.schema.get("properties") or bool(self.schema.get("additionalProperties"))

    def sources(self) -> list[SourceRow]:
        """Return the sources on which it can be run."""
        types = self.action.get("source_types") or self.manifest["source_types"]
        return [
            each
            for each in console().manager.sources()
            if not each.is_deleted
            and each.source_type in self.manifest["source_types"]
            and (each.source_type in types or not self.action.get("source_types"))
        ]


@frozen(kw_only=True)
class Result:
    """What running an action has returned."""

    offered: Offered
    source: SourceRow
    params: JsonValue
    answer: ActionAnswer
    seconds: float
    at: datetime

    @property
    def text(self) -> str | None:
        """The beginning of a file that is text; None for others."""
        file = self.answer.file
        if file is None or not file.content_type.startswith("text/"):
            return None
        return file.content.decode("utf-8", "replace")[:TEXT_SHOWN]

    @property
    def is_picture(self) -> bool:
        """Whether it is a file that a browser shows and does not execute."""
        return self.answer.file is not None and self.answer.file.content_type in _PICTURES

    @property
    def error(self) -> str:
        """What went wrong."""
        return (
            self.answer.error
            or self.answer.body.decode("utf-8", "replace")[:TEXT_SHOWN]
            or "Nothing was said."
        )


@define
class Results:
    """The last results, so that a page can be loaded again without running the action again."""

    _kept: OrderedDict[str, Result] = field(factory=OrderedDict)

    def add(self, result: Result) -> str:
        """Keep a result, and return its id."""
        key = uuid4().hex
        self._kept[key] = result
        while len(self._kept) > 1 and (len(self._kept) > RESULTS_KEPT or self._size() > RESULT_BYTES_KEPT):
            self._kept.popitem(last=False)
        return key

    def get(self, key: str) -> Result:
        """Return a result; answers 404 where it is not kept any more."""
        found = self._kept.get(key)
        if found is None:
            abort(
                404,
                f"The last {RESULTS_KEPT} results are kept, until the manager ends. Run the action again.",
            )
        return found

    def _size(self) -> int:
        return sum(len(each.answer.body) for each in list(self._kept.values()))


@blueprint.get("/")
def index() -> str:
    """List the actions by connector."""
    manifests = console().manager.manifests()
    offered = [
        (manifest, [Offered(manifest, each) for each in manifest["actions"]]) for manifest in manifests
    ]
    return render_template("actions.html", offered=offered)


@blueprint.get("/run")
def action() -> str:
    """Show the form of an action."""
    return _form(_offered(), {}, [])


@blueprint.post("/run")
def run() -> str | AnyResponse:
    """Run an action with what was typed."""
    offered = _offered()
    form = SchemaForm(offered.schema, prefix="param.")
    params = form.read(request.form, {})
    others, problem = _others(request.form.get(_OTHERS, ""))
    problems = form.problems(params) + ([problem] if problem else [])
    source = next((each for each in offered.sources() if each.id == request.form.get("source")), None)
    if source is None:
        problems.append("source: choose one; without a source an action cannot be run")
    if problems or source is None:
        return _form(offered, params, problems)
    began = time.monotonic()
    answer = post_action(
        console().manager,
        source.id,
        offered.action["name"],
        {**others, **params},
        request.form.get("person", "").strip() or None,
    )
    result = Result(
        offered=offered,
        source=source,
        params={**others, **params},
        answer=answer,
        seconds=time.monotonic() - began,
        at=datetime.now(UTC),
    )
    return redirect(url_for("actions.result", key=_results().add(result)), HTTPStatus.SEE_OTHER)


@blueprint.get("/results/<key>")
def result(key: str) -> str:
    """Show what an action has returned."""
    return render_template("action_result.html", result=_results().get(key), key=key)


@blueprint.get("/results/<key>/file")
def result_file(key: str) -> Response:
    """Hand out the file that an action has returned; pictures of kinds that hold no script are shown as well."""
    found = _results().get(key)
    file = found.answer.file
    if file is None:
        abort(404, "This action has returned no file.")
    is_shown = found.is_picture and "shown" in request.args
    response = Response(
        file.content, content_type=file.content_type if is_shown else "application/octet-stream"
    )
    response.headers.set("Content-Disposition", "inline" if is_shown else "attachment", filename=file.name)
    return response


def _form(offered: Offered, params: dict[str, JsonValue], problems: list[str]) -> str:
    form = SchemaForm(offered.schema, prefix="param.")
    chosen = request.values.get("source", "")
    return render_template(
        "action.html",
        offered=offered,
        fields=form.fields(params, problems),
        problems=form.unmatched(problems),
        sources=offered.sources(),
        chosen=chosen,
        person=request.form.get("person", ""),
        others=request.form.get(_OTHERS, ""),
    )


def _others(text: str) -> tuple[dict[str, JsonValue], str | None]:
    if not text.strip():
        return {}, None
    try:
        value = decode(text)
    except ValueError as error:
        return {}, f"Other parameters: this is not JSON ({error})."
    if not isinstance(value, dict):
        return {}, 'Other parameters: write a JSON object, such as {"key": "value"}.'
    return value, None


def _offered() -> Offered:
    wanted = request.args.get("connector"), request.args.get("name")
    all_offered = (
        Offered(manifest, each) for manifest in console().manager.manifests() for each in manifest["actions"]
    )
    for offered in all_offered:
        if (offered.manifest["connector_id"], offered.action["name"]) == wanted:
            return offered
    raise NotFound("No connector that is registered now offers this action. Is it running?")


def _results() -> Results:
    found: Results = current_app.extensions.setdefault(_RESULTS, Results())
    return found
