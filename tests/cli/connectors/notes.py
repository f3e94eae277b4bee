"""A connector that does what its source's configuration says."""

import os
import time

from flask import Response

from omni_connector import (
    ActionDefinition,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    SkillDefinition,
    SyncContext,
    SyncRefusedError,
    action,
)

PUBLIC = DocumentPermissions(public=True)


class Notes(Connector):
    name = "notes"
    version = "1.2.3"
    sync_modes = ["full", "incremental"]
    source_types = ["local_files", "web"]
    actions = [ActionDefinition(name="ping", description="Answers.")]

    def sync(self, config, credentials, state, ctx: SyncContext):
        print("the connector prints")  # noqa: T201 - a connector may print.
        if config.get("tell_secret"):
            raise ValueError(f"bad token {credentials['token']}")
        begin = (state or {}).get("next", 0)
        for number in range(begin, begin + config.get("notes", 3)):
            ctx.increment_scanned()
            ctx.emit(
                Document(
                    external_id=f"note-{number}",
                    title=f"Note {number}",
                    content=f"The quick brown fox number{number} jumps over the lazy dog.",
                    metadata=DocumentMetadata(url=f"https://notes.example/{number}"),
                    permissions=DocumentPermissions(users=config["users"]) if "users" in config else PUBLIC,
                )
            )
        for external_id in config.get("broken", []):
            ctx.emit_error(external_id, ValueError(f"{external_id} cannot be read"))
        for external_id in config.get("lost", []):
            ctx.emit(
                Document(external_id=external_id, title="Lost", content_id="nowhere", permissions=PUBLIC)
            )
        ctx.save_state({"next": begin + config.get("notes", 3)})
        if "fail" in config:
            raise ValueError(config["fail"])
        if "tell" in config:
            os.write(config["tell"], b"!")
        if config.get("wait"):
            print("waiting", flush=True)  # noqa: T201 - a connector may print.
            ctx.sleep(60)
            return
        if config.get("stubborn"):
            print("waiting", flush=True)  # noqa: T201 - a connector may print.
            time.sleep(60)


class Watching(Notes):
    """The same in realtime: comes back at once, or waits."""

    name = "watching"
    sync_modes = ["realtime"]


class OwnType(Notes):
    name = "own-type"
    source_types = ["own_type"]


class BadSchema(Notes):
    name = "bad-schema"
    actions = [
        ActionDefinition(
            name="ping", description="Answers.", input_schema={"properties": {"a": {"$ref": "#"}}}
        )
    ]


class BadInMany(Notes):
    name = "in-many"
    skills = [
        SkillDefinition(id="s", title="S", content="s"),
        SkillDefinition(id="s", title="T", content="t"),
    ]
    actions = [ActionDefinition(name="ping", description="Answers.", source_types=["webb"])]


class BadMode(Notes):
    name = "bad-mode"
    sync_modes = ["sometimes"]


class Typeless(Notes):
    name = "typeless"
    source_types = []


class Buggy(Notes):
    name = "buggy"

    @property
    def display_name(self):
        raise RuntimeError("an unexpected state")


class Refusing(Notes):
    name = "refusing"

    def validate_sync_request(self, source_config):
        raise SyncRefusedError("No folder is given; add --set folder=...")


class WrongSignature(Notes):
    name = "wrong-signature"

    def sync(self, ctx):
        pass


class Acting(Notes):
    """Has actions that return values, errors and files."""

    name = "acting"
    source_types = ["web"]
    actions = []

    @action
    def add(self, first: int, credentials, source, actor_email, second: int = 1) -> dict:
        """Add numbers."""
        token = credentials.get("token")
        return {"sum": first + second, "config": source.config, "token": token, "actor": actor_email}

    @action
    def fail(self):
        """Fail."""
        raise ValueError("there is no such note")

    @action
    def export(self, name: str = "all notes.pdf"):
        """Return a file."""
        headers = {"Content-Type": "application/pdf", "Content-Disposition": f'attachment; filename="{name}"'}
        return Response(b"%PDF\x00\xff", headers=headers)
