"""How Sphinx builds the pages: ``make docs``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / ".sphinx"))

from omni_connector import __version__

project = "omni-connector"
author = "The authors of omni-connector"
copyright = author  # noqa: A001 - Sphinx reads this name.
version = release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "diagrams",
]
exclude_patterns = [".sphinx"]
nitpicky = True
nitpick_ignore_regex = [
    # What comes of other packages, and of modules that are not public.
    (r"py:.*", r"(?!omni_connector\b).*"),
]

myst_enable_extensions = ["colon_fence"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"omni-connector {version}"
html_static_path = [".sphinx/static"]
html_copy_source = False
html_show_sphinx = False
