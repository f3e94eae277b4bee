"""dlt sources as connectors; needs the extra ``[dlt]``."""

import datetime as dt
import importlib.util
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import define, field

from omni_connector.bridges.filing import Filing, Pace, documents_of, lacking, made_by, with_config
from omni_connector.bridges.omissions import Omissions
from omni_connector.bridges.reading import read
from omni_connector.connector import Connector
from omni_connector.connector_base.base import Config, Credentials
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.document import Document, DocumentPermissions
from omni_connector.sync.context import SyncContext

if TYPE_CHECKING:  # It imports dlt.
    from omni_connector.bridges.dlt_extraction import Reached, Rows

__all__ = ["DltConnector"]


class DltConnector(Connector[Config, Credentials]):
    """Reads dlt sources and resources. A subclass has a ``name``, a ``version``, a ``source`` and a ``document``.

        class Issues(DltConnector):
            name = "issues"
            version = "1.0.0"

            def source(self, config, credentials):
                return rest_api_source({"client": {"base_url": config["url"]}, "resources": ["issues"]})

            def document(self, row, resource):
                return Document(external_id=row["id"], title=row["title"], content=row["body"])

    What dlt remembers (the last value of an ``incremental``, ``dlt.current.resource_state()``) is kept in the checkpoint.
    No pipeline runs, no files of dlt's are written or read, and nothing is sent to its makers.

    Attributes:
        reconcile_every: how often incremental resources are read from their beginning, to find what is gone; a day.
        append_only: resources whose documents stay when their rows are gone.
    """

    sync_modes = ["full", "incremental"]
    reconcile_every: dt.timedelta | None = dt.timedelta(days=1)
    append_only: list[str] = []

    def source(self, config: Config, credentials: Credentials) -> Any:
        """Return a dlt source or resource, or several. Give it all its settings: dlt looks for none elsewhere.

        Called in the thread that reads it.

        Args:
            config: the source's settings.
            credentials: the source's secrets.
        """
        del config, credentials
        raise lacking(self, "source(config, credentials)")

    def document(
        self, row: Any, resource: str, *_args: Any, **_kwargs: Any
    ) -> Document | Iterable[Document] | None:
        """Return what is indexed of a row: a document, several, or None. Ids are unique over all resources.

        An override may also take ``config``, the settings of the source; so may one of ``permissions``.

        Args:
            row: as the resource has yielded it, usually a dict.
            resource: the resource's name.
        """
        del row, resource
        raise lacking(self, "document(row, resource)")

    def permissions(self, row: Any, resource: str, *_args: Any, **_kwargs: Any) -> DocumentPermissions | None:
        """Return who finds the documents of a row that have no permissions of their own; None keeps them private.

        Args:
            row: as for ``document``.
            resource: as for ``document``.
        """
        del row, resource
        return None

    def sync(self, source_config: Config, credentials: Credentials, state: Any, ctx: SyncContext, /) -> None:
        """Read what changed since ``state``, and find out what is gone."""
        require_dlt(self.name)
        from omni_connector.bridges.dlt_extraction import Extraction, Rows  # noqa: PLC0415 - needs the extra.

        whole = Filing(ctx, "")
        progress = Progress.of(state, ctx.sync_run_id)
        if not progress.is_resumed:
            progress.reads_all = not progress.dlt_state or whole.is_due()
        if progress.reads_all and not progress.is_resumed:
            progress.dlt_state = {}
        pace = Pace()
        extraction = Extraction(
            make=partial(made_by, self.source, source_config, credentials),
            saved=progress.dlt_state,
            skipped=frozenset(progress.finished),
            begun=progress.begun,
            due=pace.is_due,
        )
        scopes: dict[str, Filing] = {}
        omissions = Omissions()
        start = partial(omissions.over, extraction.pages)
        with closing(read(ctx, f"dlt of {self.name}", start)) as pages:
            for page in pages:
                if isinstance(page, Rows):
                    if page.resource not in scopes:
                        scopes[page.resource] = Filing(ctx, page.resource)
                    self._file(page, scopes[page.resource], source_config)
                else:
                    if not self._finish(page, scopes, ctx, omissions) and progress.reads_all:
                        whole.leave_unread()
                    progress.reached(page)
                    ctx.save_state(progress.checkpoint())
                    pace.begin()
        whole.finish(is_complete=progress.reads_all)
        ctx.complete({"dlt": progress.dlt_state})

    def _file(self, page: "Rows", filing: Filing, config: Config) -> None:
        document = with_config(self.document, config)
        permissions = with_config(self.permissions, config)
        for number, row in enumerate(page.rows, page.first):
            with filing.one(f"row {number}"):
                documents = documents_of(document(row, page.resource))
                if page.marks_deleted(row):
                    filing.remove(documents)
                elif documents:
                    filing.file(documents, permissions(row, page.resource))

    def _finish(
        self, page: "Reached", scopes: dict[str, Filing], ctx: SyncContext, omissions: Omissions
    ) -> bool:
        """End the listings of resources that were read to their end; False if one of them is to be read again."""
        ended = []
        omitted = omissions.reason() if any(page.finished.values()) else ""
        for resource, is_whole in page.finished.items():
            filing = scopes.pop(resource, None) or Filing(ctx, resource)
            is_complete = is_whole and resource not in self.append_only
            ended.append(filing.finish(is_complete=is_complete, omitted=omitted))
        return all(ended)


@define
class Progress:
    """How far a run is, as its checkpoint has it.

    Attributes:
        run_id: the run that the other fields are about.
        dlt_state: what dlt remembers.
        reads_all: the run was begun without what dlt remembers.
        begun: resources that the run reads from their beginning.
        finished: resources that it has read to their end; after an interruption they are not read again.
        is_resumed: it was interrupted, and goes on.
    """

    run_id: str
    dlt_state: dict[str, Any] = field(factory=dict)
    reads_all: bool = False
    begun: list[str] = field(factory=list)
    finished: list[str] = field(factory=list)
    is_resumed: bool = False

    @classmethod
    def of(cls, state: Any, run_id: str) -> "Progress":
        """Return what a checkpoint says; of another run's, only what dlt remembers."""
        state = state or {}
        if state.get("run") == run_id:
            parts = (state["dlt"], state["reads_all"], list(state["begun"]), list(state["finished"]))
            return cls(run_id, *parts, is_resumed=True)
        return cls(run_id, state.get("dlt", {}))

    def reached(self, page: "Reached") -> None:
        """Note a point at which a checkpoint is saved."""
        self.dlt_state = page.state
        self.begun = page.begun
        self.finished.extend(page.finished)

    def checkpoint(self) -> dict[str, Any]:
        """Return it for the checkpoint."""
        return {
            "dlt": self.dlt_state,
            "run": self.run_id,
            "reads_all": self.reads_all,
            "begun": self.begun,
            "finished": self.finished,
        }


def require_dlt(name: str) -> None:
    """Refuse to read without dlt.

    Raises:
        ConfigurationError: it is not installed.
    """
    if importlib.util.find_spec("dlt") is None:
        raise ConfigurationError(
            f"{name} reads dlt sources, which needs the extra [dlt]. Type: pip install 'omni-connector[dlt]'"
        )
