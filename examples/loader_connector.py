"""Index a folder through a LangChain loader.

    pip install omni-connector langchain-community
    omni-connector run examples/loader_connector.py --set folder=handbook --set 'users=["ann@example.com"]'

Any other loader of LangChain, or reader of LlamaIndex, can take the place of this one.
"""

from typing import Any

from langchain_community.document_loaders import (  # pyright: ignore[reportMissingImports]
    DirectoryLoader,
    TextLoader,
)

from omni_connector import DocumentPermissions
from omni_connector.bridges.loaders import Loaded, LoaderConnector


class HandbookConnector(LoaderConnector):
    """Reads the Markdown files below a folder, for the people who are named in the settings."""

    name = "handbook"
    version = "1.0.0"
    source_types = ["local_files"]

    def loader(self, config: dict[str, Any], credentials: dict[str, Any]) -> Any:
        """Return the loader of the folder."""
        del credentials
        return DirectoryLoader(config["folder"], glob="**/*.md", loader_cls=TextLoader)

    def permissions(self, loaded: Loaded, config: dict[str, Any]) -> DocumentPermissions:
        """Return who finds the files."""
        del loaded
        return DocumentPermissions(users=config["users"])
