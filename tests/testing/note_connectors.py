"""Connectors that the tests of the test kit sync."""

from omni_connector import (
    ActionDefinition,
    ActionResponse,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
)

EVERYBODY = DocumentPermissions(public=True)


class Notes(Connector):
    """Emits the notes of its config, deletes what is gone since its state."""

    name = "notes"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["web"]
    actions = [ActionDefinition(name="count", description="Count the notes", mode="read")]

    def sync(self, source_config, credentials, state, ctx):
        if credentials.get("token") == "wrong":
            raise PermissionError("the token is wrong")
        notes = source_config["notes"]
        for name in (state or {}).get("seen", []):
            if name not in notes:
                ctx.emit_deleted(name)
        for name, text in notes.items():
            ctx.increment_scanned()
            if text is None:
                ctx.emit_error(name, "it is empty")
                continue
            metadata = DocumentMetadata(url=f"https://notes.example/{name}")
            ctx.emit(
                Document(
                    external_id=name,
                    title=name.title(),
                    content=text,
                    metadata=metadata,
                    permissions=EVERYBODY,
                    attributes={"kind": "note"},
                )
            )
        ctx.complete({"seen": sorted(notes)})

    def execute_action(self, action, params, credentials, actor_email=None):
        if action != "count":
            return ActionResponse.not_supported(action)
        return ActionResponse.success({"notes": len(params["notes"]), "actor": actor_email})


class Untyped(Notes):
    """Of a type that the real manager does not know."""

    name = "untyped"
    source_types = ["notes-of-mine"]
