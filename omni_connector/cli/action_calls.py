"""Runs an action: of a connector that is loaded here, or through the manager that uses the data directory."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from omni_connector.cli.command_name import command_name
from omni_connector.cli.errors import CommandError
from omni_connector.cli.inputs import SourceInputs
from omni_connector.cli.logs import BriefLog
from omni_connector.cli.manager_calls import ManagerCalls
from omni_connector.cli.output import Output, one_line
from omni_connector.cli.session import Session, session
from omni_connector.cli.source import StoredSource
from omni_connector.cli.stored import chosen, only_one, unknown
from omni_connector.cli.typed_inputs import texts_kept
from omni_connector.exceptions import ConfigurationError, SdkClientError
from omni_connector.local import LocalManager, open_store, running_manager
from omni_connector.models.json_values import JsonValue
from omni_connector.testing.actions import ActionAnswer
from omni_connector.testing.served import ServedConnector, serve_connector
from omni_connector.typed.from_text import converted_texts
from omni_connector.typed.schema import Schema


@frozen(kw_only=True)
class ActionCall:
    """An action as it was typed.

    Attributes:
        name: of the action.
        params: its parameters, ``--param`` included.
        assignments: ``--param``, as it was typed.
        person: address of the user who acts, or None.
        source: whose settings and credentials it is given.
        source_type: of the source; its own, or the connector's first, if None.
    """

    name: str
    params: dict[str, JsonValue]
    assignments: list[tuple[str, str]]
    person: str | None
    source: StoredSource
    source_type: str | None

    def converted(self, manifests: Sequence[Mapping[str, Any]], where: str) -> JsonValue:
        """Return the parameters, texts converted to what the action declares.

        Raises:
            CommandError: no such action is offered, or it has no such parameter.
        """
        actions = {each["name"]: each for manifest in manifests for each in manifest.get("actions", ())}
        if self.name not in actions:
            raise unknown(f"{where} has no action {one_line(self.name)}", self.name, list(actions))
        schema = actions[self.name].get("input_schema") or {}
        self._require_known(schema)
        return converted_texts(texts_kept(self.params, self.assignments, schema), schema)

    def _require_known(self, schema: Schema) -> None:
        """Refuse a parameter that the schema does not name; connectors ignore it, because managers add keys of their own."""
        known: list[str] = list(schema.get("properties") or ())
        if not known or schema.get("additionalProperties"):
            return
        if "file_id" in known:
            known.append("document_id")  # The manager makes a file_id of it.
        for name in self.params:
            if name not in known:
                raise unknown(f"{one_line(self.name)} has no parameter {one_line(name)}", name, known)


def call_connector(
    target: str,
    call: ActionCall,
    inputs: SourceInputs,
    output: Output,
    log: contextlib.AbstractContextManager[BriefLog | None],
) -> ActionAnswer:
    """Load the connector, serve it beside an embedded manager of its own, and run the action.

    Raises:
        ConfigurationError: the connector cannot be used.
    """
    with (
        session(target, inputs, output, log=log, stored=call.source) as opened,
        tempfile.TemporaryDirectory(prefix="omni-action-") as folder,
        LocalManager(folder, schedule=False) as manager,
        _served(opened, manager) as served,
    ):
        name, credentials = opened.connector.name, opened.inputs.credentials or {}
        types = [str(each) for each in opened.connector.source_types]
        if call.source_type is not None and call.source_type not in types:
            problem = f"--source-type {call.source_type}: {name} does not read such a source"
            raise unknown(problem, call.source_type, types)
        if served.service.mirror is not None:
            served.load_mcp_catalogue(credentials)  # The tools of its MCP server are actions, too.
        known = call.source.find(opened.connector)
        source_id = served.put_source(
            source_id=None if known is None else known.id,
            config=opened.inputs.config,
            credentials=credentials,
            source_type=call.source_type or (None if known is None else known.source_type),
        )
        params = call.converted([served.service.manifest()], name)
        return served.call_action(call.name, params, source_id=source_id, actor_email=call.person)


def call_manager(call: ActionCall) -> ActionAnswer:
    """Run the action through the manager that uses the data directory.

    Raises:
        CommandError: there is no such manager, source or action.
    """
    data_dir, name = call.source.data_dir, call.source.name
    sources = [each for each in open_store(data_dir).sources() if not each.is_deleted]
    source = only_one(sources) if name is None else chosen(sources, name)
    url = running_manager(data_dir)
    if url is None:
        raise CommandError(
            f"No manager uses {data_dir}, so that no connector serves the source {one_line(source.name)}. Name a TARGET, or "
            f"start {command_name()} dev TARGET --data {data_dir}."
        )
    calls = ManagerCalls(url)
    manifests = [each for each in calls.manifests() if source.source_type in each["source_types"]]
    if not manifests:
        raise CommandError(
            f"No connector for {one_line(source.source_type)} is registered at {url}. Start it beside the manager."
        )
    request = {
        "source_id": source.id,
        "action": call.name,
        "params": call.converted(manifests[:1], str(manifests[0]["name"])),
    }
    if call.person is not None:
        request["user_id"] = calls.user_id(call.person)
    return calls.action(request)


@contextlib.contextmanager
def _served(opened: Session, manager: LocalManager) -> Iterator[ServedConnector]:
    try:
        served: ServedConnector = serve_connector(opened.connector, manager)
    except SdkClientError as error:
        raise ConfigurationError(
            f"{opened.connector.name}: the manager refuses its manifest. {error}"
        ) from error
    with served:
        yield served
