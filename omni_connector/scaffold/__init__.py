"""Makes the project of a new connector from a template: behind ``omni-connector new``; needs the extra ``[new]``.

copier fills the template in. cookiecutter was tried as well: it leaves out files by scripts of the template only, and writes into the
home directory.
"""

import importlib.util
import json
import keyword
import re
import shlex
import sys
from importlib.metadata import distributions
from pathlib import Path

from attrs import frozen

from omni_connector._version import __version__
from omni_connector.exceptions import ConfigurationError

TEMPLATE = Path(__file__).parent / "template"

_CLONE = "../omni-connector"
"""In a README, in place of a folder of the author's machine."""

TESTING = ("mypy>=1.13", "pyright>=1.1.400", "pytest>=9.0", "ruff>=0.9")


@frozen
class Variant:
    """What a connector can begin with.

    Attributes:
        summary: what it reads, for the help.
        extra: of omni-connector, that it needs; empty for none.
        requirements: what it needs beside that.
    """

    summary: str
    extra: str = ""
    requirements: tuple[str, ...] = ()


VARIANTS = {
    "plain": Variant("any source, with blocking code"),
    "async": Variant("any source, with async def"),
    "files": Variant("the files of a folder"),
    "rest": Variant("a REST API: pages, a token, rate limits"),
    "sql": Variant("a table of any database, with SQLAlchemy", requirements=("sqlalchemy>=2.0",)),
    "dlt": Variant("a dlt source", extra="dlt"),
    "singer": Variant("a Singer tap"),
}


@frozen
class ProjectName:
    """The name of a connector and what is derived from it.

    Attributes:
        name: as it was given, such as ``acme-notes``.
    """

    name: str

    @property
    def package(self) -> str:
        """Name of the Python package."""
        return self.name.replace("-", "_")

    @property
    def class_name(self) -> str:
        """Name of the connector's class: it ends with Connector, once."""
        words = [word.capitalize() for word in self.name.split("-")]
        return "".join(words if words[-1] == "Connector" and len(words) > 1 else [*words, "Connector"])

    @property
    def title(self) -> str:
        """Name for people."""
        return self.name.replace("-", " ").capitalize()

    def require_usable(self) -> None:
        """Look whether a package can have this name.

        Raises:
            ConfigurationError: says why not.
        """
        if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", self.name) or len(self.name) > LONGEST_NAME:
            raise ConfigurationError(
                f"{self.name!r} cannot be the name of a connector: give small letters and digits, in words joined by "
                f"hyphens, at most {LONGEST_NAME} characters, such as acme-notes."
            )
        taken = self.package in sys.stdlib_module_names or keyword.iskeyword(self.package)
        if taken or self.package == "tests" or importlib.util.find_spec(self.package) is not None:
            raise ConfigurationError(
                f"{self.name!r} cannot be the name of a connector: there is a Python module {self.package} already, which it "
                "would hide. Give another name, such as acme-notes."
            )


LONGEST_NAME = 38
"""Characters, so that the lines that hold the name are not too long."""


def make_project(name: str, variant: str, parent: Path) -> Path:
    """Make the folder ``parent/name`` with the project, and return it.

    Raises:
        ConfigurationError: the name cannot be used, the folder exists, or copier is not installed.
    """
    project = ProjectName(name)
    project.require_usable()
    folder = parent / name
    if folder.exists():
        raise ConfigurationError(
            f"{folder}: there is such a folder already. Give another name, or remove it."
        )
    try:
        from copier import run_copy  # noqa: PLC0415 - an extra.
    except ImportError as error:
        raise ConfigurationError(
            f"omni-connector new needs the package copier ({error}). Install omni-connector[new], or copier itself."
        ) from error
    chosen = VARIANTS[variant]
    extra = f"[{chosen.extra}]" if chosen.extra else ""
    answers = {
        "name": name,
        "package": project.package,
        "class_name": project.class_name,
        "title": project.title,
        "variant": variant,
        "requirements": [f"omni-connector{extra}>={__version__}", *chosen.requirements],
        "test_requirements": list(TESTING),
        "wheel_command": wheel_command(_CLONE if is_local(origin()) else origin()),
    }
    run_copy(str(TEMPLATE), folder, data=answers, defaults=True, quiet=True)
    return folder


def wheel_command(source: str) -> str:
    """Return the line that puts the wheel of omni-connector into ``vendor/``."""
    return f"pip wheel --no-deps --wheel-dir vendor {shlex.quote(source)}"


def is_local(source: str) -> bool:
    """Say whether others do not have it, so that it stands in no file that is committed."""
    return source.startswith("file:")


def origin() -> str:
    """Return what pip was given when this was installed (PEP 610); of an index, name and version."""
    # More than one is found in a checkout, whose egg-info holds no such record.
    records = [each.read_text("direct_url.json") for each in distributions(name="omni-connector")]
    recorded = next((each for each in records if each is not None), None)
    if recorded is None:
        return f"omni-connector=={__version__}"
    found = json.loads(recorded)
    url: str = found["url"]
    vcs = found.get("vcs_info")
    if vcs is not None:
        return f"{vcs['vcs']}+{url}@{vcs['commit_id']}"
    return url
