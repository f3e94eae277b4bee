"""LangChain loaders and LlamaIndex readers as connectors, recognised by their methods; neither has to be installed."""

from collections.abc import Iterable
from contextlib import closing
from functools import partial
from typing import Any

from omni_connector.bridges.filing import Filing, Pace, documents_of, lacking, with_config
from omni_connector.bridges.loader_documents import Ids, Loaded, default_document
from omni_connector.bridges.loader_reading import LoaderReading
from omni_connector.bridges.omissions import Omissions
from omni_connector.bridges.reading import read
from omni_connector.connector import Connector
from omni_connector.connector_base.base import Config, Credentials
from omni_connector.models.document import Document, DocumentPermissions
from omni_connector.sync.context import SyncContext

__all__ = ["Loaded", "LoaderConnector"]

DOCUMENTS_AHEAD = 20


class LoaderConnector(Connector[Config, Credentials]):
    """Reads a LangChain loader or a LlamaIndex reader. A subclass has a ``name``, a ``version`` and a ``loader``.

        class Handbook(LoaderConnector):
            name = "handbook"
            version = "1.0.0"

            def loader(self, config, credentials):
                return DirectoryLoader(config["folder"], glob="**/*.md", loader_cls=TextLoader)

    Loaders read everything each time; only what is new or changed is sent, and what is gone is deleted.

    Attributes:
        trusts_ids: ids that look random (UUIDs of version 4) are the source's own, and stay the same.
        is_complete: the loader gives all documents each time. False for one that skips over errors or gives the latest only:
            then nothing is deleted.
    """

    sync_modes = ["full", "incremental"]
    trusts_ids = False
    is_complete = True

    def loader(self, config: Config, credentials: Credentials) -> Any:
        """Return a loader or a reader, a function that gives their documents, or an iterable of them, also an async one.

            return TextLoader(config["path"])
            return partial(StringIterableReader().load_data, texts=["a", "b"])

        Called in the thread that reads it.

        Args:
            config: the source's settings.
            credentials: the source's secrets.
        """
        del config, credentials
        raise lacking(self, "loader(config, credentials)")

    def document(self, loaded: Loaded, *_args: Any, **_kwargs: Any) -> Document | Iterable[Document] | None:
        """Return what is indexed: a document, several, or None. By default one, made of the text and the metadata.

        An override may also take ``config``, the settings of the source; so may one of ``permissions``.

        Args:
            loaded: one document of the loader: its text, metadata and id.
        """
        return default_document(loaded)

    def permissions(self, loaded: Loaded, *_args: Any, **_kwargs: Any) -> DocumentPermissions | None:
        """Return who finds the documents that have no permissions of their own; None keeps them private.

        Args:
            loaded: as for ``document``.
        """
        del loaded
        return None

    def sync(self, source_config: Config, credentials: Credentials, state: Any, ctx: SyncContext, /) -> None:
        """Read everything; send what changed, delete what is gone."""
        del state
        filing, read_so_far = Filing(ctx, ""), 0
        pace, ids = Pace(), Ids(trusts_ids=self.trusts_ids)
        reading = LoaderReading(self, source_config, credentials, ctx.on_stop)
        document = with_config(self.document, source_config)
        permissions = with_config(self.permissions, source_config)
        omissions = Omissions()
        start = partial(omissions.over, reading.documents)
        with closing(read(ctx, f"loader of {self.name}", start, ahead=DOCUMENTS_AHEAD)) as found:
            for each in found:
                read_so_far += 1
                with filing.one(f"document {read_so_far}"):
                    loaded = ids.loaded(each)
                    documents = documents_of(document(loaded))
                    filing.file(documents, permissions(loaded))
                if pace.is_due():
                    ctx.save_state({"documents": read_so_far})
                    pace.begin()
        filing.finish(is_complete=self.is_complete and not reading.skips_errors, omitted=omissions.reason())
        # Without a checkpoint, the manager schedules full runs only.
        ctx.complete({"documents": read_so_far})
