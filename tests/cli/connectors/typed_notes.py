"""A connector with typed settings: it says what it was given."""

import datetime as dt
import logging

from attrs import define, field

from omni_connector import Connector, Document, SyncContext, secret, setting

log = logging.getLogger(__name__)


@define
class Place:
    """Where.

    Attributes:
        city: name of it.
    """

    city: str
    zip_code: str = ""


@define
class Settings:
    folder: str = setting("Folder that is read.")
    pin: str = secret()
    version: str = "1"
    count: int = setting("At most.", default=5)
    deep: bool = False
    share: float | None = None
    since: dt.date | None = None
    include: list[str] = field(factory=list)
    kinds: list[str] = setting("Kinds that are read.", factory=lambda: ["note"])
    place: Place = field(factory=lambda: Place("Ulm"))


@define
class Token:
    token: str = secret("Of the account.")
    attempts: int = 1


class TypedNotes(Connector[Settings, Token]):
    name = "typed-notes"
    version = "1.0.0"
    source_types = ["web"]

    def sync(self, config: Settings, credentials: Token, state: object, ctx: SyncContext) -> None:
        log.warning("the pin is %s", config.pin)
        text = f"{config} {credentials.attempts + 1}"
        ctx.emit(Document(external_id="1", title="Settings", content=text))
