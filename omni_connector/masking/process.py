"""Turns masking on in this process."""

from omni_connector.masking.crashes import mask_crashes
from omni_connector.masking.records import mask_log
from omni_connector.masking.register import register_for_ever


def protect_process() -> None:
    """Mask the log and what is written about crashes, from now on. Repeatable, and cheap when it was done."""
    mask_log()
    mask_crashes()


def register_secret(text: str) -> None:
    """Mask a secret wherever text leaves this process, from now on: a token that a method of the connector has fetched, say.

    In ``sync()`` use ``ctx.add_secret``, which forgets it with the run. The last thousand are remembered. A text that is short
    or a common word is not masked (docs/how-to/secrets.md).

    Args:
        text: the secret, of at least 6 characters.
    """
    protect_process()
    register_for_ever(text)
