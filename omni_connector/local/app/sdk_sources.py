"""What connectors ask about their sources."""

from __future__ import annotations

from flask import Blueprint, Response

from omni_connector.local.app.access import answer, body, ok, services
from omni_connector.local.errors import LocalManagerError
from omni_connector.local.manager_dates import Since
from omni_connector.local.rows import SourceRow
from omni_connector.local.shapes import any_json
from omni_connector.local.store import storable
from omni_connector.local.strict_json import JSON
from omni_connector.local.vocabulary import SOURCE_TYPES

blueprint = Blueprint("sdk_sources", __name__, url_prefix="/sdk")


@blueprint.get("/source/<source_id>")
def source(source_id: str) -> Response:
    """Return the whole row, inactive and deleted sources included."""
    return answer(_without_later_keys(services().sources.get(source_id).to_wire()))


@blueprint.get("/source/<source_id>/sync-config")
def sync_config(source_id: str) -> Response:
    """Return what one sync needs. Tokens are not refreshed here."""
    found = services().sources.get(source_id)
    _check_native(found)
    credential = services().credentials.owner(found)
    config = {
        "config": found.config,
        "credentials": {} if credential is None else credential.credentials,
        "connector_state": found.connector_state,
        "checkpoint": found.checkpoint,
        "source_type": found.source_type,
        "user_filter_mode": found.user_filter_mode,
        "user_whitelist": found.user_whitelist,
        "user_blacklist": found.user_blacklist,
    }
    if not services().settings.has(Since.USER_FILTERS):
        del config["source_type"]
    return answer(_without_later_keys(config))


@blueprint.put("/source/<source_id>/connector-state")
def connector_state(source_id: str) -> Response:
    """Replace the source's connector state by the body."""
    services().sources.save_connector_state(source_id, body(any_json))
    return ok()


@blueprint.get("/source/<source_id>/user-email")
def user_email(source_id: str) -> Response:
    """Return the address of the source's creator."""
    return answer({"email": services().users.email_of_creator(source_id)})


@blueprint.get("/credentials/<source_id>")
def credentials(source_id: str) -> Response:
    """Return the owner's credential, with its OAuth token refreshed if need be."""
    return answer(services().credentials.fresh_owner(services().sources.get(source_id)).to_wire())


@blueprint.get("/sources/by-type/<source_type>")
def sources_by_type(source_type: str) -> Response:
    """List the active sources of a type, newest first."""
    found = services().sources.all("is_active AND NOT is_deleted AND source_type = ?", storable(source_type))
    return answer([_without_later_keys(each.to_wire()) for each in found])


@blueprint.get("/connector-configs/<provider>")
def connector_config(provider: str) -> Response:
    """Return the configuration that an administrator stored for a provider."""
    return answer(services().credentials.config(provider))


def _without_later_keys(wire: dict[str, JSON]) -> dict[str, JSON]:
    """Leave out the keys that the emulated manager did not have yet."""
    settings = services().settings
    later = set() if settings.has(Since.CHECKPOINTS) else {"checkpoint"}
    if not settings.has(Since.USER_FILTERS):
        later |= {"user_filter_mode", "user_whitelist", "user_blacklist"}
    return {key: value for key, value in wire.items() if key not in later}


def _check_native(found: SourceRow) -> None:
    """Refuse sources of remote MCP servers and of types that are not built in; their rows can be read all the same."""
    if not found.is_native or found.source_type not in SOURCE_TYPES:
        raise LocalManagerError(
            400,
            f"Source {found.id} cannot be served to a native connector SDK:"
            f" unknown source type: {found.source_type}",
        )
