"""How Sphinx builds the pages: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / ".sphinx"))

from sphinx.domains.python import PyObject

from omni_connector import __version__

for field in PyObject.doc_field_types:
    if field.name == "variable":
        field.label = "Attributes"  # As the docstrings call them.

project = "omni-connector"
author = "The authors of omni-connector"
copyright = author  # noqa: A001 - Sphinx reads this name.
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_click",
    "diagrams",
    "generated_reference",
]
exclude_patterns = [".sphinx"]
nitpicky = True
nitpick_ignore_regex = [
    # Names of other packages, and annotations with types of ours that are not public.
    (r"py:.*", r"(?!omni_connector\b).*"),
    (r"py:class", r"omni_connector\.\w+\..*"),
]

myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 90
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = f"omni-connector {version}"
html_static_path = [".sphinx/static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sphinx = False
