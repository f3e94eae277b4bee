"""The methods of ``requests.Session`` as methods that return the answers of a source's session."""

from typing import Any, cast

import requests

from omni_connector.sources.responses import SourceResponse


class TypedMethods(requests.Session):
    """Says for type checkers what the methods return; they do what those of ``requests`` do."""

    def get(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send a GET."""
        return cast("SourceResponse", super().get(url, **kwargs))

    def post(self, url: str | bytes, data: Any = None, json: Any = None, **kwargs: Any) -> SourceResponse:
        """Send a POST.

        Args:
            url: absolute, or relative to ``base_url``.
            data: the body, as in ``requests``: bytes, text, a file, or a dict of form fields.
            json: the body instead, as a value that becomes JSON.
            kwargs: as for ``request``.
        """
        return cast("SourceResponse", super().post(url, data=data, json=json, **kwargs))

    def put(self, url: str | bytes, data: Any = None, **kwargs: Any) -> SourceResponse:
        """Send a PUT.

        Args:
            url: as for ``post``.
            data: the body, as in ``requests``: bytes, text, a file, or a dict of form fields.
            kwargs: as for ``request``.
        """
        return cast("SourceResponse", super().put(url, data=data, **kwargs))

    def patch(self, url: str | bytes, data: Any = None, **kwargs: Any) -> SourceResponse:
        """Send a PATCH.

        Args:
            url: as for ``post``.
            data: the body, as in ``requests``: bytes, text, a file, or a dict of form fields.
            kwargs: as for ``request``.
        """
        return cast("SourceResponse", super().patch(url, data=data, **kwargs))

    def delete(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send a DELETE."""
        return cast("SourceResponse", super().delete(url, **kwargs))

    def head(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send a HEAD."""
        return cast("SourceResponse", super().head(url, **kwargs))

    def options(self, url: str | bytes, **kwargs: Any) -> SourceResponse:
        """Send an OPTIONS."""
        return cast("SourceResponse", super().options(url, **kwargs))
