"""A part of a source that is read by itself."""

from typing import Any

from attrs import field, frozen

from omni_connector.models import fields
from omni_connector.models.codec import checkpoint_of
from omni_connector.models.model import Model

LONGEST_KEY = 500
"""Characters; a key stands in every checkpoint of the run."""


def _data(value: Any) -> dict[str, Any]:
    return checkpoint_of(value, name="Partition.data")


@frozen(kw_only=True)
class Partition(Model):
    """A part of a source that is read by itself: a drive, a project, a mailbox.

    Attributes:
        key: names it, and its saved state, from one run to the next; at most 500 characters. Numbers become text.
        data: a dict of JSON values that ``sync_partition`` needs to read it, such as a name or an address. It may travel to
            another process: give no secrets, which are in the credentials.
    """

    key: str = field(
        converter=fields.to_id, validator=fields.text(empty=False, maximum=LONGEST_KEY, clean=True)
    )
    data: dict[str, Any] = field(factory=dict, converter=_data)
