"""The web console: pages that show what an embedded manager has, at ``/`` and below ``/console``.

``install(Console(manager=...))`` puts it on a ``LocalManager`` before that is started. It is a Flask application of its own,
so that its error pages, cookies and headers are not the manager's.

docs/development.md says how to add a page.
"""

from omni_connector.console.application import install
from omni_connector.console.page import Console

__all__ = ["Console", "install"]
