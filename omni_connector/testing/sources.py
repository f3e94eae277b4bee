"""The sources of tests: one for each connector by default, so that a second run continues the first."""

from http import HTTPStatus
from typing import TypedDict, Unpack

from omni_connector.connector_base import ConnectorBase
from omni_connector.local import LocalManager, LocalManagerError, SourceRow
from omni_connector.local.keywords import check_keywords
from omni_connector.manager import SdkClient
from omni_connector.models.json_values import JsonValue
from omni_connector.typed.state_class import plain_state


class SourceOptions(TypedDict, total=False):
    """The source of a test.

    Attributes:
        source_id: one made of the connector's name, unless given.
        config: the source's settings, a dict or an instance of the connector's class; None leaves those of an existing source
            as they are.
        credentials: its secrets; the same.
        source_type: the connector's first, unless given.
    """

    source_id: str | None
    config: JsonValue
    credentials: JsonValue
    source_type: str | None


def put_source(manager: LocalManager, connector: ConnectorBase, **options: Unpack[SourceOptions]) -> str:
    """Add a source, or change the one that is there; None leaves its config and credentials as they are.

    A new source gets a credential row even without secrets: the manager runs no action without one.
    """
    check_keywords("put_source", options, SourceOptions)
    source_id = options.get("source_id") or f"source-of-{connector.name}"
    config, credentials = plain_state(options.get("config")), plain_state(options.get("credentials"))
    found = _find(manager, source_id)
    if found is None:
        manager.add_source(
            source_id=source_id,
            source_type=options.get("source_type") or connector.source_types[0],
            name=connector.name,
            config={} if config is None else config,
            credentials={} if credentials is None else credentials,
        )
        return source_id
    if config is not None:
        manager.set_source(source_id, config=config)
    if credentials is not None:
        manager.add_credential(source_id, credentials)
    return source_id


def publish_state(manager: LocalManager, source_id: str, state: JsonValue) -> None:
    """Give the source a completed run that left ``state``.

    Only a completed run publishes a checkpoint, and without one the manager turns the first incremental run into a
    full one (PROTOCOL, sections 5 and 6).

    Raises:
        LocalManagerError: a run of the source is in progress.
    """
    request = {"source_id": source_id, "sync_type": "full"}
    answer = manager.app.test_client().post("/sdk/sync/create", json=request)
    if answer.status_code != HTTPStatus.OK:
        raise LocalManagerError(answer.status_code, answer.get_data(as_text=True))
    run_id = answer.get_json()["sync_run_id"]
    with SdkClient(manager.url) as client:
        saved = plain_state(state)
        client.save_checkpoint(run_id, saved, source_id=source_id)
        client.complete(run_id, scanned=0, updated=0, new_state=saved)


def _find(manager: LocalManager, source_id: str) -> SourceRow | None:
    return next((source for source in manager.sources() if source.id == source_id), None)
