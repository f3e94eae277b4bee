"""How people connect their own accounts (PROTOCOL, section 17; manager.openapi.yaml, OAuthManifestConfig)."""

from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from omni_connector.awaitables import AwaitableValue
from omni_connector.models import fields
from omni_connector.models.model import Model, WireModel

CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105 - the name of a method, no secret.
CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - as above.
NO_CLIENT_SECRET = "none"  # noqa: S105 - as above.


@define(kw_only=True)
class OAuthScopeSet(Model):
    """The OAuth scopes that one source type needs: ``read`` also for syncing, ``write`` for actions that write."""

    read: list[str] = field(factory=list, converter=fields.to_text_list, validator=fields.text_list)
    write: list[str] = field(factory=list, converter=fields.to_text_list, validator=fields.text_list)


def _to_scope_sets(value: Any) -> Any:
    """Make scope sets of plain dicts, as they are on the wire; leave the rest for the validator."""
    if not isinstance(value, Mapping):
        return value
    return {
        key: OAuthScopeSet(**each) if isinstance(each, Mapping) and set(each) <= {"read", "write"} else each
        for key, each in value.items()
    }


@fields.Rule
def _scope_sets(value: Any) -> str | None:
    if isinstance(value, dict) and all(
        isinstance(key, str) and isinstance(each, OAuthScopeSet) for key, each in value.items()
    ):
        return None
    return 'give a dict of OAuthScopeSet by source type, such as {"web": OAuthScopeSet(read=["files.read"])}'


@fields.Rule
def _parameters(value: Any) -> str | None:
    fits = isinstance(value, dict) and fields.is_text_by_name(value)
    return None if fits else 'give a dict of strings, such as {"prompt": "consent"}'


@define(kw_only=True)
class OAuthManifestConfig(WireModel, AwaitableValue):
    """The authorization-code flow of a provider, by which the web app lets people connect their accounts.

    Attributes:
        provider: stored as the credential's provider; also the key of the administrator's client settings.
        userinfo_endpoint: where the account's e-mail address is requested.
        userinfo_email_field: the key of the address in the answer.
        identity_scopes: requested in any case.
        scopes: by source type.
        extra_auth_params: for ``auth_endpoint``.
        enrich_endpoint: not used by any manager so far.
        registration_endpoint: for dynamic client registration.
        token_endpoint_auth_method: ``client_secret_post``, ``client_secret_basic`` or ``none``.
        resource: RFC 8707 resource indicator.
    """

    provider: str = field(validator=fields.nonempty_text)
    auth_endpoint: str = field(validator=fields.nonempty_text)
    token_endpoint: str = field(validator=fields.nonempty_text)
    userinfo_endpoint: str = field(validator=fields.text())
    userinfo_email_field: str = field(default="email", validator=fields.nonempty_text)
    identity_scopes: list[str] = field(
        factory=list, converter=fields.to_text_list, validator=fields.text_list
    )
    scopes: dict[str, OAuthScopeSet] = field(factory=dict, converter=_to_scope_sets, validator=_scope_sets)
    extra_auth_params: dict[str, str] = field(factory=dict, validator=_parameters)
    scope_separator: str = field(default=" ", validator=fields.nonempty_text)
    enrich_endpoint: str | None = field(default=None, validator=fields.optional_text)
    registration_endpoint: str | None = field(default=None, validator=fields.optional_text)
    token_endpoint_auth_method: str = field(
        default=CLIENT_SECRET_POST,
        validator=fields.one_of(CLIENT_SECRET_POST, CLIENT_SECRET_BASIC, NO_CLIENT_SECRET),
    )
    resource: str | None = field(default=None, validator=fields.optional_text)


@frozen(kw_only=True)
class CredentialReadyRequest(Model):
    """Body of ``POST /oauth/credential-ready`` (connector.openapi.yaml).

    Attributes:
        provider: as in ``OAuthManifestConfig``.
        flow: ``user_read`` or ``user_write`` today.
        user_id: whose account was connected, or None for the source's own.
        credentials: McpCredentials: ``credentials``, ``config``, ``auth_type``, maybe ``principal_email``.
    """

    source_id: str
    provider: str
    flow: str
    user_id: str | None = None
    credentials: Any = field(default=None, repr=False)
