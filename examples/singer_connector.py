"""Index the posts of a REST API through a Singer tap.

    uv tool install tap-rest-api-msdk --with 'setuptools<80'
    omni-connector run examples/singer_connector.py --set api_url=https://api.example.com

Each post has an ``id``, a ``title``, a ``body`` and the address of its ``author``. The tap reads all of them each time, so that
those which are gone are found.
"""

from typing import Any

from omni_connector import Document, DocumentPermissions
from omni_connector.bridges.singer import SingerConnector, Stream


class PostsConnector(SingerConnector):
    """Reads ``/posts`` of an API."""

    name = "posts"
    version = "1.0.0"
    source_types = ["web"]
    tap = "tap-rest-api-msdk"

    def tap_config(self, config: dict[str, Any], credentials: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of the tap (``tap-rest-api-msdk --about`` lists them)."""
        posts = {"name": "posts", "path": "/posts", "primary_keys": ["id"], "records_path": "$.[*]"}
        return {**config, **credentials, "streams": [posts]}

    def document(self, record: dict[str, Any], stream: Stream) -> Document:
        """Return the document of a post, which its author finds."""
        users = DocumentPermissions(users=[record["author"]])
        title, text = record["title"], record["body"]
        return Document(external_id=stream.key(record), title=title, content=text, permissions=users)
