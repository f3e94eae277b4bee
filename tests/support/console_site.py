"""An embedded manager with its console, and a connector beside it with something to see: for browser tests and screenshots."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from attrs import define
from flask import Response

from omni_connector import (
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    SearchOperator,
    SkillDefinition,
    SyncContext,
    action,
    secret,
    setting,
)
from omni_connector.console import Console, install
from omni_connector.local import LocalManager
from omni_connector.local_service import LocalService
from support.local_manager import QUICK

WAIT_SECONDS = 30.0

TITLES = (
    "How we plan a quarter", "Holidays and leave", "Setting up your laptop", "Who is on call", "Style guide for release notes",
    "Retrospective of the September release", "Salary bands", "Reading list for new engineers", "Incident 2026-07: lost e-mails",
    "Budget of the design team",
)  # fmt: skip


@define
class WikiSettings:
    """What is read of the wiki.

    Attributes:
        base_url: Address of the wiki, without a path.
        spaces: Names of the spaces that are read; all of them if there is none.
        since: Pages that were not changed since then are left out.
        pages: How many pages the wiki has.
        visibility: Who may find the pages.
        behaviour: What happens in a run, for demonstrations.
    """

    base_url: str
    spaces: list[str] = setting(factory=list)
    since: datetime | None = None
    pages: Annotated[int, "How many pages the wiki has."] = 24
    visibility: Literal["as in the wiki", "public"] = "as in the wiki"
    archived: Annotated[bool, "Also read archived pages."] = False
    behaviour: Literal["well", "has refusals", "fails", "waits"] = "well"


@define
class WikiToken:
    """What opens the wiki."""

    token: str = secret("An access token with the right to read pages.")


class WikiConnector(Connector[WikiSettings, WikiToken]):
    """Reads a made-up wiki; a run that ``waits`` goes on when ``go_on`` is set."""

    name = "wiki"
    display_name = "Company wiki"
    description = "Pages of the company's wiki, with who may read them."
    version = "1.4.0"
    source_types: ClassVar = ["confluence"]
    sync_modes: ClassVar = ["full", "incremental"]
    search_operators: ClassVar = [SearchOperator(operator="space", attribute_key="space")]
    skills: ClassVar = [
        SkillDefinition(
            id="wiki_style",
            title="Answering from the wiki",
            content="Quote the page's title, and link to it.",
        )
    ]

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.half_way = threading.Event()

    def check_connection(self, config: WikiSettings, _credentials: WikiToken) -> str | None:
        """Take web addresses alone."""
        return None if config.base_url.startswith("http") else f"{config.base_url} is no web address."

    def sync(
        self, config: WikiSettings, credentials: WikiToken, state: dict | None, ctx: SyncContext
    ) -> None:
        """Emit the pages; the ninth of ten cannot be read, and the manager refuses the tenth where the settings say so."""
        number = (state or {}).get("runs", 0) + 1
        ctx.emit_group_membership("design@example.com", ["ann@example.com", "bob@example.com"], "Design")
        ctx.emit_group_membership("engineering@example.com", ["cleo@example.com"], "Engineering")
        for index in range(config.pages):
            ctx.increment_scanned()
            if index == config.pages // 2:
                self._half_way(config, ctx)
            if index % 10 == 8:
                ctx.emit_error(f"page-{index}", "The wiki answered 500 for this page.")
                continue
            page = self._page(index, number, config)
            if config.behaviour == "has refusals" and index % 10 == 9:
                self._emit_what_is_refused(page, ctx)
            else:
                ctx.emit(page)
        ctx.complete(new_state={"runs": number})

    @staticmethod
    def _emit_what_is_refused(page: Document, ctx: SyncContext) -> None:
        """Emit a page whose content the manager does not have, in a batch of its own: batches are refused whole."""
        ctx.save_state({"runs": 0})
        page.content, page.content_id = None, "content-that-was-lost"
        ctx.emit(page)
        ctx.save_state({"runs": 0})

    def _half_way(self, config: WikiSettings, ctx: SyncContext) -> None:
        ctx.save_state({"runs": 0})
        self.half_way.set()
        if config.behaviour == "fails":
            reason = f"{config.base_url} refuses the token: log in to the wiki and make a new one"
            raise ConnectionError(reason)
        if config.behaviour == "waits":
            while not self.go_on.wait(0.05):
                ctx.raise_if_cancelled()

    def _page(self, index: int, number: int, config: WikiSettings) -> Document:
        title = TITLES[index % len(TITLES)] + (
            f" ({index // len(TITLES) + 1})" if index >= len(TITLES) else ""
        )
        everybody = config.visibility == "public" or index % 3 == 0
        groups = ["design@example.com"] if index % 3 == 1 else ["engineering@example.com"]
        space = ("people", "design", "engineering")[index % 3]
        return Document(
            external_id=f"page-{index}",
            title=title,
            content=f"{title}\n\nPage {index} of the space {space}, as of run {number}. "
            + "All of it is made up. " * 12,
            metadata=DocumentMetadata(
                url=f"{config.base_url}/pages/{index}",
                author="bob@example.com",
                updated_at=datetime(2026, 9, 1 + index % 28, 8, 30, tzinfo=UTC),
                path=f"/{space}",
            ),
            permissions=DocumentPermissions(
                public=everybody,
                users=[] if everybody else ["dana@example.com"],
                groups=[] if everybody else groups,
            ),
            attributes={"space": space, "version": number},
        )

    @action(mode="read")
    def page_history(self, page: Annotated[str, "The page's number or title."], versions: int = 5) -> dict:
        """List the last versions of a page."""
        return {
            "page": page,
            "versions": [{"number": each, "by": "bob@example.com"} for each in range(versions, 0, -1)],
        }

    @action(mode="read")
    def export_space(self, space: Literal["people", "design"]) -> Response:
        """Export a space as a table."""
        headers = {"Content-Disposition": f'attachment; filename="{space}.csv"'}
        return Response("page,title\n1,Salary bands\n", content_type="text/csv", headers=headers)

    @action(admin_only=True)
    def rebuild(self):
        """Build the wiki's own index anew."""
        raise RuntimeError("the wiki is read-only until Friday")


class ConsoleSite:
    """A manager on real sockets with its console, and the wiki connector registered with it.

    Attributes:
        manager: the manager; it does not tick by itself.
        connector: the connector.
        app: the console's application.
        client: its test client, which asks under the manager's own name and as its own pages do.
    """

    def __init__(self, data_dir, *, schedule=False, settings=QUICK):
        self.manager = LocalManager(data_dir, settings=settings, schedule=schedule)
        self.connector = WikiConnector()
        self.console = Console(manager=self.manager)
        self.app = install(self.console)

    def __enter__(self):
        self.manager.start()
        self._service = LocalService(self.connector, self.manager)
        return self

    def __exit__(self, *_):
        self.connector.go_on.set()
        self._service.close()
        self.manager.close()

    @property
    def url(self):
        return self.manager.url

    @property
    def client(self):
        client = self.app.test_client()
        client.environ_base["HTTP_ORIGIN"] = "http://localhost"
        return client

    def add_source(self, name="Company wiki", **config):
        """Add a source of the wiki's."""
        return self.manager.add_source(
            source_type="confluence",
            name=name,
            config={"base_url": "https://wiki.example.com", **config},
            credentials={"token": "wiki-s3cret-token"},
        )

    def sync(self, source, mode="full"):
        """Run a sync to its end, and return the run."""
        return self.manager.wait_for_run(self.manager.trigger(source.id, mode), WAIT_SECONDS)

    def begin(self, source, mode="full"):
        """Start a run and return its id when it is half way; for a source whose behaviour is ``waits``."""
        self.connector.half_way.clear()
        self.connector.go_on.clear()
        run_id = self.manager.trigger(source.id, mode)
        assert self.connector.half_way.wait(WAIT_SECONDS)
        return run_id
