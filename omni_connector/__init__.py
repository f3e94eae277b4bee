"""Python SDK for writing Omni connectors."""

from omni_connector._version import __version__

__all__ = ["__version__"]
