"""What an error says, without secrets."""

import traceback

from omni_connector.masking.register import mask

LONGEST_TEXT = 4000
"""Characters of an error text that are kept or reported."""


def error_text(error: str | BaseException) -> str:
    """Return what an error says, type and message, even where its own ``__str__`` fails; at most 4,000 characters, masked."""
    if isinstance(error, str):
        return mask(error)[:LONGEST_TEXT]
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - a broken exception must not hide that there was one.
        text = type(error).__name__
    return mask(text)[:LONGEST_TEXT]


def masked_traceback(error: BaseException) -> str:
    """Return the traceback of ``error`` with its causes, for a log, masked."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException:  # noqa: BLE001 - notes or causes of an odd kind; the error is reported all the same.
        return error_text(error)
    return mask(text)
