"""Says what is missing when the ``mcp`` package is."""

import importlib.metadata
import importlib.util

from omni_connector.exceptions import ConfigurationError

NEEDED = 2
"""The major version of the ``mcp`` package that the bridge speaks to; as in setup.cfg."""

_TYPE = "Type: pip install 'omni-connector[mcp]'"


def require_mcp(connector_name: str) -> None:
    """Refuse to go on without the ``mcp`` package; it is not imported here, because that takes a while.

    Raises:
        ConfigurationError: it is missing, or of another version.
    """
    if importlib.util.find_spec("mcp") is None:
        raise ConfigurationError(
            f"{connector_name} mirrors an MCP server (mcp_server), which needs the extra [mcp]. {_TYPE}"
        )
    version = importlib.metadata.version("mcp")
    if version.partition(".")[0] != str(NEEDED):
        raise ConfigurationError(
            f"{connector_name} mirrors an MCP server (mcp_server), which needs version {NEEDED} of the package mcp; "
            f"installed is {version}. {_TYPE}"
        )
