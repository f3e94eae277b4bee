"""Index the texts on the default branch of a Git repository.

    pip install dulwich
    omni-connector run examples/git_connector.py --config repository.json --credentials login.json

``repository.json``: ``{"url": "https://git.example.com/manual.git", "readers": ["example.com"]}``.
``login.json``: ``{"username": "...", "password": "..."}``, or a token as the password.

Each run fetches what was committed since the last one, and compares the tree of the newest commit with what was sent. Git
names each version of a file by a hash, so that no version is read twice, and neither a renamed file nor a rewritten history needs a
rule of its own. The fetched commits stay in ``mirrors``, which is a cache: without it, the next run fetches the newest commit as a whole.

Git lets a person read a repository or not: ``readers`` are the groups that the server lets in.

dulwich is used, and not the ``git`` command: it needs no program in the container's image, and the password stands in no command
line and no file. For repositories of many gigabytes pygit2 would be faster.
"""

import stat
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

from attrs import define
from dulwich.client import get_transport_and_path
from dulwich.config import ConfigDict
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Commit, ObjectID
from dulwich.refs import Ref
from dulwich.repo import Repo

from omni_connector import (
    ConfigurationError,
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidValueError,
    SyncContext,
    secret,
    setting,
)
from omni_connector.sources import decode_text

HEAD, MIRRORED = Ref(b"HEAD"), Ref(b"refs/heads/mirrored")
CONFIG = ConfigDict()
CONFIG.set("http", "timeout", "60")


@define
class Settings:
    """The repository."""

    url: str
    readers: list[str] = setting("Groups or domains that may read the repository.")
    include: list[str] = setting("Patterns of paths.", factory=lambda: ["*.md", "*.rst", "*.txt"])
    mirrors: str = setting("Folder for copies of repositories.", default="~/.cache/omni-git")


@define
class Login:
    """An account that may read the repository."""

    username: str
    password: str = secret()


class GitConnector(Connector[Settings, Login]):
    """Reads a repository."""

    name = "git"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["file_system"]

    def sync(self, config: Settings, credentials: Login, _state: object, ctx: SyncContext) -> None:
        """Fetch the default branch, and send the files that have changed."""
        client, remote = get_transport_and_path(
            config.url, CONFIG, username=credentials.username, password=credentials.password
        )
        folder = Path(config.mirrors, ctx.source_id).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        inventory = ctx.inventory(version=config.readers)
        with Repo(str(folder)) if (folder / "HEAD").exists() else Repo.init_bare(str(folder)) as mirror:
            head = client.fetch(remote, mirror, default_branch, depth=1).refs[HEAD]
            commit = mirror[head] if head else None
            if not isinstance(commit, Commit):
                raise ConfigurationError(f"url: {config.url} has no commit on its default branch")
            mirror.refs[MIRRORED] = commit.id
            for entry in iter_tree_contents(mirror.object_store, commit.tree):
                path = entry.path.decode(errors="backslashreplace")
                if not stat.S_ISREG(entry.mode) or not any(fnmatch(path, each) for each in config.include):
                    continue
                ctx.increment_scanned()
                try:
                    if inventory.changed(path, entry.sha):
                        text = decode_text(mirror[entry.sha].as_raw_string())
                        ctx.emit(document(path, text, config.readers))
                except InvalidValueError as error:  # A path of more than 500 characters.
                    ctx.emit_error(path, error)
        inventory.finish()


def document(path: str, text: str, readers: list[str]) -> Document:
    """Return a file as a document."""
    return Document(
        external_id=path,
        title=path.rpartition("/")[2],
        content=text,
        metadata=DocumentMetadata(path=path),
        permissions=DocumentPermissions(groups=readers),
    )


def default_branch(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
    """Return what is fetched."""
    del depth
    return [refs[HEAD]] if HEAD in refs else []
