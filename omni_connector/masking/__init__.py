"""Keeps secrets out of text that leaves the process: what is a secret, how it is written, where it is masked.

``rules`` says what is a secret; ``forms`` how one is written; ``matcher`` and ``patterns`` find it in a text; ``register``
knows the secrets of this process; ``records`` masks the log, ``crashes`` what Python writes when something ends in an error.
"""

from omni_connector.masking.errors import error_text, masked_traceback
from omni_connector.masking.process import protect_process, register_secret
from omni_connector.masking.register import SecretScope, mask, mask_json, mask_values, owning
from omni_connector.masking.rules import secrets_in, secrets_in_settings

__all__ = [
    "SecretScope", "error_text", "mask", "mask_json", "mask_values", "masked_traceback", "owning",
    "protect_process", "register_secret", "secrets_in", "secrets_in_settings",
]  # fmt: skip
