"""The web console: pages that show what an embedded manager has, at ``/`` and below ``/console``.

``install(Console(manager=...))`` puts it on a ``LocalManager`` before that is started. It is a Flask application of its own,
so that its error pages, cookies and headers are not the manager's.

To add a page, add a module to this folder; nothing else is edited:

    blueprint = Blueprint("runs", __name__, url_prefix="/console/runs")
    page = Page(blueprint, entry=Entry("Runs", "runs.index", position=15))   # or within="runs" for further pages of that entry

    @blueprint.get("/<run_id>")
    def run(run_id: str) -> str:
        return render_template("run.html", run=console().manager.run(run_id))

- ``console()`` is the ``Console`` that serves the request. What a page reads of the store is a method of ``LocalManager`` or a
  function of ``omni_connector.local.browse``. A ``LocalManagerError`` becomes an error page with its status and its message.
- The template begins with ``{% extends "base.html" %}{% import "ui.html" as ui %}`` and fills the blocks ``title`` and ``content``. The macros
  of ``ui.html`` (table, pager, badge, moment, json, form fields, empty state) and the classes of ``static/console.css`` are all the
  look there is. The content security policy allows no inline script or style: a width is an SVG attribute, ``<meter>`` or ``<progress>``.
- A change is a POST from a form with ``method="post"``; requests from other sites never arrive. Answer it with ``flash(text)``
  and ``redirect(url_for(...), 303)``, so that reloading does not repeat it. It must work without script; htmx may improve it.
- A form from a JSON Schema is ``SchemaForm`` of ``schema_form.py`` with the macro ``ui.fields``.
- A moment is shown by ``ui.moment``, a number by the filter ``number``, a run's status by ``ui.badge``.

Its tests are in ``tests/console``: marked ``slow`` in a browser (fixtures ``site`` and ``page`` of ``conftest.py``; the browser's console,
page errors and requests to other hosts fail the test by themselves; ``assert_accessible(page)`` runs axe in both themes and widths),
and quick ones by ``site.client``, Flask's test client.
"""

from omni_connector.console.application import install
from omni_connector.console.page import Console

__all__ = ["Console", "install"]
