"""Lists in pages: where the next page begins, and the way back."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen
from flask import request, url_for

from omni_connector.local import browse

_LONGEST_WAY_BACK: Final = 30
_LARGEST_CURSOR: Final = 2**62


@frozen
class Position:
    """The place of a page in a list that goes on by numbers, read of the address and written into those of its neighbours.

    ``after`` is where this page begins; ``way`` where the pages before it began.
    """

    after: int
    way: tuple[int, ...]

    @classmethod
    def of_request(cls) -> "Position":
        """Read it of the address of this request; what is not a number is the beginning."""
        way = [_number(part) for part in request.args.get("way", "").split("-") if part]
        return cls(_number(request.args.get("after", "")), tuple(way[-_LONGEST_WAY_BACK:]))

    def neighbours(self, page: browse.Page[Any]) -> tuple[str | None, str | None]:
        """Return the addresses of the previous and the next page."""
        previous = next_page = None
        if self.after:
            before = self.way[-1] if self.way else 0
            previous = same_page(after=before or None, way=_joined(self.way[:-1]))
        if page.next is not None:
            next_page = same_page(after=page.next, way=_joined((*self.way, self.after)))
        return previous, next_page


def same_page(**changes: object) -> str:
    """Return the address of this page with other arguments; None leaves one out."""
    arguments: dict[str, Any] = {name: value for name, value in request.args.items() if value}
    arguments |= dict(request.view_args or {}) | changes
    endpoint = request.endpoint or ""
    return url_for(endpoint, **{name: value for name, value in arguments.items() if value is not None})


def chosen(name: str, choices: Mapping[str, str]) -> str | None:
    """Return an argument of the address, if it is one of the choices."""
    value = request.args.get(name, "")
    return value if value in choices else None


def text_argument(name: str) -> str | None:
    """Return an argument of the address without blanks around it; None for an empty one."""
    return request.args.get(name, "").strip() or None


def _joined(way: tuple[int, ...]) -> str | None:
    return "-".join(map(str, way[-_LONGEST_WAY_BACK:])) or None


def _number(text: str) -> int:
    return min(int(text), _LARGEST_CURSOR) if text.isascii() and text.isdigit() and len(text) < 20 else 0  # noqa: PLR2004 - digits of 64 bits.
