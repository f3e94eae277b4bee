"""Parts of the reference that are made of the package itself, so that each fact is written once.

``public-names`` documents the names of a module's ``__all__``: those that are listed, else all. The tables of environment
variables, metrics, endpoints and exit statuses are made where these are declared.
"""

import ast
import enum
import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import yaml
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective

from omni_connector.cli.exit_codes import STATUSES
from omni_connector.config.variables import VARIABLES
from omni_connector.telemetry.families import FAMILIES

PUBLIC_MODULES = (
    "omni_connector",
    "omni_connector.models",
    "omni_connector.server",
    "omni_connector.sources",
    "omni_connector.bridges.dlt",
    "omni_connector.bridges.singer",
    "omni_connector.bridges.loaders",
    "omni_connector.testing",
)
"""A name that is in several is documented in the first."""

_OPENAPI = Path(__file__).parents[1] / "protocol" / "connector.openapi.yaml"
NOT_CONSTRUCTED = ("omni_connector.SyncContext", "omni_connector.ContentStorage", "omni_connector.Inventory")
"""A connector is given these; how they are made is not public."""

_PAGE = re.compile(r"(?:``)?docs/([\w/-]+)\.md(?:``)?")
_SECTION = re.compile(r"(Args|Attributes|Example|Raises|Returns|Yields):$")


class _Generated(SphinxDirective):
    """A directive whose content is written in reStructuredText by its ``lines``."""

    def run(self) -> list[nodes.Node]:
        """Parse the lines."""
        container = nodes.container()
        self.state.nested_parse(StringList(list(self.lines()), self.name), self.content_offset, container)
        return container.children

    def lines(self) -> Iterable[str]:
        """Return what is parsed."""
        raise NotImplementedError


class PublicNames(_Generated):
    """Names of a module, with their docstrings."""

    required_arguments = 1
    has_content = True

    def lines(self) -> Iterable[str]:
        """Return a directive of autodoc for each name."""
        module = import_module(self.arguments[0])
        for name in " ".join(self.content).split() or sorted(module.__all__, key=str.lower):
            value = getattr(module, name)
            full = f"{module.__name__}.{name}"
            home = public_name(value) or full
            if home.rpartition(".")[2] != name:
                yield from (f".. py:class:: {full}", "", f"   Another name of :py:obj:`~{home}`.", "")
            elif home == full:
                kind, options = _kind(value)
                yield f".. auto{kind}:: {full}"
                yield from (f"   :{option}:" for option in options)
                yield ""


class PublicErrors(PublicNames):
    """All errors among the names of the package."""

    required_arguments = 0
    has_content = False

    def lines(self) -> Iterable[str]:
        """Return a directive of autodoc for each error, the base first."""
        import omni_connector  # noqa: PLC0415 - as the other modules.

        names = [name for name in omni_connector.__all__ if name.endswith("Error")]
        self.arguments = ["omni_connector"]
        self.content = StringList(["ConnectorError", *(name for name in names if name != "ConnectorError")])
        return super().lines()


def _kind(value: object) -> tuple[str, list[str]]:
    """Return the directive and the options that show a value."""
    if not isinstance(value, type):
        return ("function" if callable(value) else "data"), []
    if issubclass(value, enum.Enum):
        return "class", ["members", "undoc-members"]
    # Inherited members are shown here, unless they are in the reference already, or come from elsewhere.
    known = [
        each.__name__
        for each in value.__mro__[1:]
        if public_name(each) or not each.__module__.startswith("omni_connector")
    ]
    kind = "exception" if issubclass(value, BaseException) else "class"
    return kind, ["members", f"inherited-members: {', '.join(known)}"]


@cache
def _public_names() -> dict[int, str]:
    names: dict[int, str] = {}
    for module in map(import_module, reversed(PUBLIC_MODULES)):
        for name in module.__all__:
            value = getattr(module, name)
            is_alias = getattr(value, "__name__", name) != name
            if not is_alias or id(value) not in names:
                names[id(value)] = f"{module.__name__}.{name}"
    return names


def public_name(value: object) -> str:
    """Return the name under which a class or function is documented, or an empty text."""
    return _public_names().get(id(value), "")


class ModuleDocstring(_Generated):
    """The docstring of a module that cannot be imported, because it starts what it is there for."""

    required_arguments = 1

    def lines(self) -> Iterable[str]:
        """Return the docstring below the module's name."""
        name = self.arguments[0]
        path = Path(__file__).parents[2].joinpath(*name.split(".")).with_suffix(".py")
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        lines = docstring.splitlines()
        _mark_code(lines)
        yield from (f".. py:module:: {name}", "", f"**{name}**", "", *lines, "")


class Table(_Generated):
    """A table of rows, each a list of cells."""

    headings: ClassVar[tuple[str, ...]]
    widths: ClassVar[str] = "auto"

    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return the rows."""
        raise NotImplementedError

    def lines(self) -> Iterable[str]:
        """Return a ``list-table``."""
        yield from (".. list-table::", "   :header-rows: 1", f"   :widths: {self.widths}", "")
        for row in (self.headings, *self.rows()):
            for number, cell in enumerate(row):
                yield f"   {'* -' if number == 0 else '  -'} {cell}"


class EnvironmentVariables(Table):
    """All variables, in the order in which they are declared."""

    headings = ("variable", "meaning", "default")
    widths = "30 50 20"

    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return a row for each variable."""
        return ((f"``{each.name}``", each.meaning, each.default) for each in VARIABLES)


class Metrics(Table):
    """All metrics."""

    headings = ("metric", "labels", "meaning")
    widths = "35 15 50"

    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return a row for each family."""
        for family in FAMILIES:
            labels = ", ".join(f"``{label}``" for label in family.labels)
            yield f"``{family.name}`` ({family.kind})", labels, family.text


class ExitStatuses(Table):
    """All exit statuses of the command."""

    headings = ("status", "meaning")

    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return a row for each status."""
        return ((str(status), meaning) for status, meaning in STATUSES.items())


class Endpoints(Table):
    """All endpoints that a connector serves to the manager."""

    headings = ("endpoint", "purpose")

    def rows(self) -> Iterable[tuple[str, ...]]:
        """Return a row for each operation of the protocol's document."""
        paths: dict[str, dict[str, Any]] = yaml.safe_load(_OPENAPI.read_text(encoding="utf-8"))["paths"]
        for path, operations in paths.items():
            for method, operation in operations.items():
                if "summary" in operation:
                    yield f"``{method.upper()} {path}``", operation["summary"]


def _process_docstring(_app: Sphinx, _what: str, *arguments: Any) -> None:
    lines: list[str] = arguments[-1]
    _mark_code(lines)
    _link_pages(lines)


def _restore_sentence(_app: Sphinx, what: str, *arguments: Any) -> None:
    """Put back the beginning of a property's or attribute's docstring: napoleon takes what is before a colon for its type."""
    lines: list[str] = arguments[-1]
    types = [line for line in lines if line.startswith(":type:")]
    if what in {"property", "attribute", "data"} and types:
        lines[:] = [line for line in lines if line not in types]
        first = next(number for number, line in enumerate(lines) if line)
        lines[first] = f"{types[0].removeprefix(':type:').strip()}: {lines[first]}"


def _process_click(_app: Sphinx, _context: Any, lines: list[str]) -> None:
    _link_pages(lines)


def _drop_exit_statuses(_app: Sphinx, context: Any, lines: list[str]) -> None:
    if context.parent is None:
        lines.clear()  # They have a section of their own.


def _link_pages(lines: list[str]) -> None:
    lines[:] = [_PAGE.sub(r":doc:`/\1`", line) for line in lines]


def _process_signature(_app: Sphinx, _what: str, name: str, *_: Any) -> tuple[str, None] | None:
    return ("", None) if name in NOT_CONSTRUCTED else None


def _mark_code(lines: list[str]) -> None:
    """Mark indented blocks of a docstring as code, unless they are in one of its sections."""
    marked: list[str] = []
    last, in_section, in_code = "", False, False
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line and indent == 0:
            in_section, in_code = _SECTION.match(line) is not None, False
        begins = bool(line) and indent > 0 and marked[-1:] == [""] and not in_section and not in_code
        if begins and not last.lstrip().startswith(("- ", "* ")):
            marked += ["::", ""]
            in_code = True
        marked.append(line)
        last = line or last
    lines[:] = marked


def _find_public(
    _app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node
) -> nodes.Node | None:
    """Lead a reference to a class, which annotations name by the module where it is defined, to its public name."""
    target = str(node.get("reftarget", ""))
    if node.get("refdomain") != "py" or not target.startswith("omni_connector."):
        return None
    module, _, name = target.rpartition(".")
    try:
        found = public_name(getattr(import_module(module), name))
    except (ImportError, AttributeError):
        return None
    if not found or found == target:
        return None
    domain = env.domains.python_domain
    return domain.resolve_xref(env, node["refdoc"], env.app.builder, "obj", found, node, content)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("public-names", PublicNames)
    app.add_directive("public-errors", PublicErrors)
    app.add_directive("module-docstring", ModuleDocstring)
    app.add_directive("environment-variables", EnvironmentVariables)
    app.add_directive("metrics", Metrics)
    app.add_directive("exit-statuses", ExitStatuses)
    app.add_directive("endpoints", Endpoints)
    app.connect("autodoc-process-docstring", _process_docstring, priority=100)
    app.connect("autodoc-process-docstring", _restore_sentence, priority=900)  # After napoleon.
    app.connect("autodoc-process-signature", _process_signature)
    app.connect("sphinx-click-process-description", _process_click)
    app.connect("sphinx-click-process-epilog", _drop_exit_statuses)
    app.connect("missing-reference", _find_public)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
