"""Connectors that use everything that a connector can be; copy what you need.

``tracker_connector.py``  an issue tracker: every mode, every kind of event, people, groups, user filters, skills; mirrors an
                          MCP server over stdio. ``tracker_sync.py`` has what a run does, ``tracker_actions.py`` the actions.
``wiki_connector.py``     a wiki, ``async def``: reads everything from an MCP server over streamable HTTP, with the
                          accounts that people connect (OAuth).
``app.py``                both in one Flask application, with the receiver of the tracker's webhooks.

So that nothing external is needed, ``tracker.py`` is a tracker in a folder, ``tracker_mcp.py`` its MCP server, and
``wiki_mcp.py`` the wiki with its server. ``app.py`` describes how to run all of it.
"""
