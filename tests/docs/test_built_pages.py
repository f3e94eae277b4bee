"""What ``make docs`` has built: every public name is in it, and no page asks another host for anything."""

from __future__ import annotations

import ast
import builtins
import html
import inspect
import os
import re
import sys
import textwrap
from functools import cache
from importlib import import_module
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.browser import open_browser

from omni_connector.cli.main import COMMANDS
from omni_connector.config.variables import VARIABLES
from omni_connector.manager import SdkClient
from omni_connector.telemetry.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "docs"

pytestmark = pytest.mark.docs

FETCHED = re.compile(
    r"""<(?:script|img|source|iframe|video|audio|embed)\b[^>]*\bsrc=["']?(?:https?:)?//
    | <link\b[^>]*\brel=["']?(?:stylesheet|preload|preconnect|icon)[^>]*href=["']?(?:https?:)?//
    | \burl\(\s*["']?(?:https?:)?// | @import\s+["'](?:https?:)?//""",
    re.VERBOSE,
)
SECTION = re.compile(r"^(Args|Raises):\n((?: +.*\n|\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^    \*{0,2}(\w+)(?: \([^)]*\))?:", re.MULTILINE)


@cache
def page(name):
    return (BUILT / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def generated():
    """Return the module that makes the reference."""
    sys.path.insert(0, str(ROOT / "docs" / ".sphinx"))
    yield import_module("generated_reference")
    sys.path.pop(0)


@pytest.fixture(scope="module")
def public(generated):
    """Return every public name with its object."""
    modules = map(import_module, generated.PUBLIC_MODULES)
    return {
        f"{module.__name__}.{name}": getattr(module, name) for module in modules for name in module.__all__
    }


def test_every_public_name_is_in_the_reference(generated, public):
    """In the first module that has it; a name of the package itself always, also where it is another's alias."""
    pages = "".join(path.read_text(encoding="utf-8") for path in (BUILT / "reference").glob("*.html"))
    shown = set(re.findall(r'<dt class="sig[^>]* id="([^"]+)"', pages))
    expected = {name for name in public if name.count(".") == 1}
    expected |= {generated.public_name(value) for value in public.values()}
    assert expected - shown == {"omni_connector.__version__"}


def test_no_sentence_was_taken_for_a_type():
    """Napoleon takes what is before a colon in the docstring of a property for its type."""
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (BUILT / "reference").glob("*.html")}
    assert [name for name, text in pages.items() if re.search(r'<dt class="field-\w+">Type<', text)] == []


def public_callables(public):
    """Return functions, classes and methods of ours, by name."""
    found = dict(public)
    for name, value in public.items():
        if inspect.isclass(value):
            methods = inspect.getmembers(value, inspect.isfunction)
            found |= {f"{name}.{key}": each for key, each in methods if not key.startswith("_")}
    return {
        name: each
        for name, each in found.items()
        if callable(each) and (each.__module__ or "").startswith("omni_connector")
    }


def test_docstrings_say_what_is_true_of_parameters_and_errors(public):
    """Each has one, and what it says of a parameter or an error is about one that exists."""
    modules = [module for name, module in sys.modules.items() if name.startswith("omni_connector")]
    errors = set(dir(builtins)).union(*map(dir, modules))
    wrong = []
    for name, value in public_callables(public).items():
        docstring = inspect.getdoc(value)
        if not docstring:
            wrong.append(f"{name} has no docstring")
            continue
        for kind, body in SECTION.findall(docstring + "\n"):
            parameters = inspect.signature(value).parameters
            if kind == "Args" and any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
                continue
            known = parameters if kind == "Args" else errors
            wrong += [f"{name}, {kind}: {entry}" for entry in ENTRY.findall(body) if entry not in known]
    assert wrong == []


UNEXPLAINED = ["HttpSession.prepare_request", "HttpSession.rebuild_auth"]  # As in requests, which calls them.
"""Methods with parameters that nothing explains. This list only shrinks."""


def test_parameters_are_explained(public):
    """In the docstring, in that of the class or of what it overrides, in one that it refers to, or on the page of common parameters."""
    page = (ROOT / "docs" / "reference" / "parameters.md").read_text(encoding="utf-8")
    first_cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    common = {"self", *re.findall(r"`(\w+)`", " ".join(first_cells))}
    unexplained = set()
    for value, text in documented_methods(public):
        needed = [
            each.name
            for each in inspect.signature(value).parameters.values()
            if each.name not in common and each.name[0] != "_" and each.kind < each.VAR_KEYWORD
        ]
        refers = re.search(r"\b(?:[Aa]s|[Ss]ee|as for) ``[\w.]+", inspect.getdoc(value) or "")
        is_explained = refers or all(
            re.search(rf"``{each}\b|^ +\*{{0,2}}{each}(?: \([^)]*\))?:", text, re.MULTILINE)
            for each in needed
        )
        if not is_explained:
            unexplained.add(value.__qualname__)
    assert sorted(unexplained) == UNEXPLAINED


def test_errors_that_a_method_raises_itself_are_named(public):
    unnamed = set()
    for value, text in documented_methods(public):
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(value))))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                if name[0].isupper() and name != "NotImplementedError" and name not in text:
                    unnamed.add(f"{value.__qualname__}: {name}")
    assert unnamed == set()


def documented_methods(public):
    """Return functions and methods with what is said of them: themselves, of what they override, and of their class."""
    for name, value in public_callables(public).items():
        if not inspect.isclass(value):
            owner, _, method = name.rpartition(".")
            classes = [*getattr(public.get(owner), "__mro__", ()), *SdkClient.__mro__]
            overridden = [vars(each)[method] for each in classes if method in vars(each)]
            yield value, "\n".join(inspect.getdoc(each) or "" for each in [value, *overridden, classes[0]])


def test_variables_commands_and_metrics_are_in_the_reference():
    assert [each.name for each in VARIABLES if f">{each.name}<" not in page("reference/environment")] == []
    assert [
        name for name in COMMANDS if f'id="omni-connector-{name}"' not in page("reference/command-line")
    ] == []
    assert [each.name for each in FAMILIES if f">{each.name}<" not in page("reference/metrics")] == []


def test_links_lead_somewhere():
    """Also to headings, and those of the files that are not pages. Sphinx looks at what it resolves itself, not at what it has made of it."""
    texts = {path: path.read_text(encoding="utf-8") for path in BUILT.rglob("*.html")}
    ids = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in texts.items()}
    links = {
        (path, html.unescape(link))
        for path, text in texts.items()
        for link in re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text)
    }
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"):
        for link in re.findall(r"\]\(docs/([^)]+\.md[^)]*)\)", (ROOT / name).read_text(encoding="utf-8")):
            links.add((BUILT / name, link.replace(".md", ".html")))
    broken = set()
    for path, link in links:
        address, _, anchor = link.partition("#")
        if ":" in address or address.startswith("//"):
            continue
        target = Path(os.path.normpath(path.parent / unquote(address))) if address else path
        has_anchor = not anchor or target not in ids or unquote(anchor) in ids[target]
        if not (target in ids or target.exists()) or not has_anchor:
            broken.add(f"{path.name}: {link}")
    assert broken == set()


def test_no_page_asks_another_host():
    asked = {
        str(path.relative_to(BUILT)): match[0]
        for pattern in ("*.html", "*.css")
        for path in BUILT.rglob(pattern)
        if (match := FETCHED.search(path.read_text(encoding="utf-8")))
    }
    assert asked == {}
    assert len(list(BUILT.rglob("*.html"))) > 30


@pytest.fixture(scope="module")
def browser():
    """Return a browser; it begins before a test has a folder of its own for temporary files, whose name is too long for it."""
    with open_browser() as opened:
        yield opened


SCALES = """[...document.querySelectorAll("pre.mermaid > svg")].map(
    drawing => drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width
)"""


def test_each_diagram_is_drawn_and_can_be_read_on_a_phone(browser):
    pages = [
        path for path in BUILT.rglob("*.html") if '<pre class="mermaid"' in path.read_text(encoding="utf-8")
    ]
    assert len(pages) >= 6
    said, asked = [], []
    tab = browser.new_page(viewport={"width": 390, "height": 800})
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    for path in pages:
        tab.goto(path.as_uri())
        tab.wait_for_selector("html[data-diagrams=light]")
        drawn = tab.locator("pre.mermaid > svg").count()
        assert (path.name, drawn) == (path.name, tab.locator("pre.mermaid").count())
        assert min(tab.evaluate(SCALES)) > 0.8, f"the letters of a diagram in {path.name} are too small"
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390, path.name
    tab.emulate_media(color_scheme="dark")  # The last one is drawn anew.
    tab.wait_for_selector("html[data-diagrams=dark]")
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_table_of_variables_fits_a_phone(browser):
    tab = browser.new_page(viewport={"width": 390, "height": 800})
    tab.goto((BUILT / "reference" / "environment.html").as_uri())
    assert (
        tab.evaluate(
            "[...document.querySelectorAll('article table')].map(each => each.getBoundingClientRect().right)"
        )[0]
        <= 390
    )
    tab.close()
