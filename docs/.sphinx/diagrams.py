"""Mermaid diagrams, drawn in the reader's browser by the file that the pages bring along: no other host is asked.

``sphinxcontrib-mermaid`` was tried. It imports an ES module, which a browser refuses to load from a disk, and whose 60 files
come from another host unless all of them are shipped; one classic script does both.
"""

import gzip
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

SCRIPT = Path(__file__).parent / "mermaid-11.12.1.min.js.gz"
"""``dist/mermaid.min.js`` of the npm package ``mermaid``; compressed, so that searches in the repository do not read it."""


class Mermaid(SphinxDirective):
    """A fenced block of Mermaid's language; its ``accDescr`` says in words what is drawn."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the text of the diagram, which the script replaces."""
        self.env.metadata[self.env.docname]["has_diagrams"] = True
        text = "\n".join(self.content)
        described = re.search(r"accDescr: *(.+)", text)
        if described is None:
            raise self.error("A diagram needs a line 'accDescr: ...' for readers who do not see it.")
        return [_Diagram("", nodes.literal_block(text=text), alt=described[1])]


class _Diagram(nodes.Element):
    """A diagram with its text in it."""


def _write(translator: Any, node: _Diagram) -> None:
    alt = translator.attval(node["alt"])
    text = translator.encode(node.astext())
    translator.body.append(f'<pre class="mermaid" role="img" aria-label="{alt}">{text}</pre>\n')
    raise nodes.SkipNode


def _unpack(app: Sphinx) -> None:
    if app.builder.format == "html":
        static = Path(app.outdir) / "_static"
        static.mkdir(parents=True, exist_ok=True)
        (static / "mermaid.min.js").write_bytes(gzip.decompress(SCRIPT.read_bytes()))


def _add_scripts(app: Sphinx, page: str, _template: str, _context: dict[str, Any], _tree: Any) -> None:
    if app.env.metadata.get(page, {}).get("has_diagrams"):
        app.add_js_file("mermaid.min.js")
        app.add_js_file("diagrams.js")


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    app.add_node(_Diagram, html=(_write, None), text=(_write_text, None))
    app.add_directive("mermaid", Mermaid)
    app.connect("builder-inited", _unpack)
    app.connect("html-page-context", _add_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _write_text(translator: Any, node: _Diagram) -> None:
    translator.add_text(node["alt"])
    raise nodes.SkipNode
