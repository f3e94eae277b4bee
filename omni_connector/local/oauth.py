"""Refreshing OAuth tokens (PROTOCOL, section 16; manager.openapi.yaml, ``/sdk/credentials``)."""

from __future__ import annotations

import logging

import requests

from omni_connector.local.errors import LocalManagerError
from omni_connector.local.rows import CredentialRow
from omni_connector.local.strict_json import JSON

log = logging.getLogger(__name__)

_DEFAULT_LIFETIME_SECONDS = 3600.0


def needs_refresh(credential: CredentialRow, moment: int) -> bool:
    """Return whether an OAuth credential with a refresh token expires before a moment (microseconds)."""
    return (
        credential.auth_type == "oauth"
        and credential.expires_at is not None
        and credential.expires_at <= moment
        and isinstance(credential.credentials, dict)
        and bool(credential.credentials.get("refresh_token"))
    )


class TokenRefresher:
    """Asks a provider's token endpoint for new tokens."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds

    def refresh(
        self, credential: CredentialRow, provider_config: JSON
    ) -> tuple[dict[str, JSON], float] | None:
        """Return the new token values and their lifetime in seconds.

        None when the client id or the token endpoint is known neither to the credential nor to the
        provider's configuration. Raises ``LocalManagerError`` (500) when the endpoint refuses.
        """
        known = provider_config if isinstance(provider_config, dict) else {}
        held = credential.credentials
        client_id = held.get("client_id") or known.get("oauth_client_id")
        endpoint = held.get("token_uri") or known.get("oauth_token_endpoint")
        if not client_id or not endpoint:
            return None
        form = {
            "grant_type": "refresh_token",
            "refresh_token": held["refresh_token"],
            "client_id": client_id,
            "client_secret": held.get("client_secret") or known.get("oauth_client_secret"),
        }
        answer = self._ask(str(endpoint), {key: value for key, value in form.items() if value})
        tokens: dict[str, JSON] = {
            key: answer[key] for key in ("access_token", "refresh_token", "token_type") if key in answer
        }
        return tokens, float(answer.get("expires_in") or _DEFAULT_LIFETIME_SECONDS)

    def _ask(self, endpoint: str, form: dict[str, str]) -> dict[str, JSON]:
        try:
            with requests.Session() as session:
                session.trust_env = False
                response = session.post(endpoint, data=form, timeout=self._timeout_seconds)
                response.raise_for_status()
                answer = response.json()
        except (requests.RequestException, ValueError) as error:
            # The error's text can quote the request, tokens included: only its type is shown.
            reason = f"token endpoint {endpoint}: {type(error).__name__}"
            raise LocalManagerError(500, f"Failed to refresh OAuth token: {reason}") from error
        if not isinstance(answer, dict) or not isinstance(answer.get("access_token"), str):
            raise LocalManagerError(
                500, f"Failed to refresh OAuth token: {endpoint} answered without access_token"
            )
        return answer
