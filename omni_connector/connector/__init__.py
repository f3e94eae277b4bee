"""What an author subclasses."""

from omni_connector.connector_base import ConnectorBase
from omni_connector.connector_base.base import Config, Credentials, State

__all__ = ["Connector"]


class Connector(ConnectorBase[Config, Credentials, State]):
    """Reads a source and hands over its documents.

    A subclass has a ``name``, a ``version`` and a ``sync``; everything else has a default. Names and lists may be
    properties or plain class attributes; every method may be ``def`` or ``async def``. There is nothing to set up:
    a subclass with an ``__init__`` of its own need not call this one's.

    One connector object serves all sources, and runs of several sources call its ``sync`` at the same time, each in a
    thread of its own. Keep what belongs to one run in local variables: an attribute that ``sync`` sets on ``self`` is seen, and
    overwritten, by the runs of other sources. Attributes that are set once in ``__init__`` are safe.

        class Notes(Connector):
            name = "notes"
            version = "1.0.0"

            def sync(self, source_config, credentials, state, ctx):
                for note in read_notes(source_config["folder"]):
                    ctx.emit(Document(external_id=note.id, title=note.title, content=note.text))

    ``Connector[Settings, Token, State]``, or the attributes ``config``, ``credentials`` and ``state``, declare attrs classes or
    dataclasses: ``sync`` is then given instances, and settings that do not fit are refused before a run is accepted
    (docs/how-to/settings.md).
    """

    def serve(self, port: int | None = None, host: str = "0.0.0.0") -> None:  # noqa: S104 - a service is to be reached.
        """Serve the connector protocol with gunicorn until the process is asked to stop.

        Args:
            port: where to listen; left out, the variable ``PORT``, then 8000.
            host: address to listen on.
        """
        from omni_connector.server import serve  # noqa: PLC0415 - a server is loaded only where one is needed.

        serve(self, port=port, host=host)
