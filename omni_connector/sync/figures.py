"""What a run, or a part of one, has done so far, in numbers."""

import operator
from collections.abc import Callable
from typing import Self

from attrs import astuple, frozen


@frozen(kw_only=True)
class Figures:
    """Sums since the beginning, which are added and subtracted as a whole.

    Attributes:
        scanned: documents counted by the connector.
        updated: documents that the manager accepted, added or changed.
        emitted: documents given to ``emit`` and ``emit_updated``.
        deleted: documents given to ``emit_deleted``.
        unread: documents that the connector could not read.
        accepted: events that the manager accepted.
        refused: documents, groups and people that were refused when they were sent.
        errors: entries of the ledger, those about documents that arrived all the same included.
    """

    scanned: int = 0
    updated: int = 0
    emitted: int = 0
    deleted: int = 0
    unread: int = 0
    accepted: int = 0
    refused: int = 0
    errors: int = 0

    def __add__(self, other: Self) -> Self:
        return self._joined(operator.add, other)

    def __sub__(self, other: Self) -> Self:
        return self._joined(operator.sub, other)

    def _joined(self, join: Callable[[int, int], int], other: Self) -> Self:
        names = (attribute.name for attribute in type(self).__attrs_attrs__)
        return type(self)(**dict(zip(names, map(join, astuple(self), astuple(other)), strict=True)))
