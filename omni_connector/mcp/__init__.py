"""The bridge to an MCP server that a connector mirrors (PROTOCOL, section 17).

The ``mcp`` package, an extra, is imported in ``connecting`` and ``failures`` only, and those only when a connector has
an MCP server.
"""
