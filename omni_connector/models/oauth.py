"""How people connect their own accounts (PROTOCOL, section 17; manager.openapi.yaml, OAuthManifestConfig)."""

from collections.abc import Mapping
from typing import Any

from attrs import Factory, define, field, frozen

from omni_connector.awaitables import AwaitableValue
from omni_connector.models import fields
from omni_connector.models.model import Model, WireModel

CLIENT_SECRET_POST = "client_secret_post"  # noqa: S105 - the name of a method, no secret.
CLIENT_SECRET_BASIC = "client_secret_basic"  # noqa: S105 - as above.
NO_CLIENT_SECRET = "none"  # noqa: S105 - as above.


@define(kw_only=True)
class OAuthScopeSet(Model):
    """The OAuth scopes that one source type needs.

    Attributes:
        read: for syncing and for actions that read.
        write: for actions that write.
    """

    read: list[str] = field(default=Factory(list), converter=fields.to_text_list, validator=fields.text_list)
    write: list[str] = field(default=Factory(list), converter=fields.to_text_list, validator=fields.text_list)


def _to_scope_sets(value: Any) -> Any:
    """Take plain dicts, as they are on the wire, for scope sets as well."""
    if not isinstance(value, Mapping):
        return value  # The validator refuses it by name.
    return {key: OAuthScopeSet(**each) if _is_plain(each) else each for key, each in value.items()}


def _is_plain(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) <= {"read", "write"}


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
        auth_endpoint: where people consent.
        token_endpoint: where codes and refresh tokens are exchanged.
        userinfo_endpoint: where the account's address is asked for.
        userinfo_email_field: the key of the address in the answer.
        identity_scopes: scopes that are asked for in any case.
        scopes: scopes by source type.
        extra_auth_params: more parameters for ``auth_endpoint``.
        scope_separator: between scopes, a blank unless the provider wants another.
        enrich_endpoint: not used by any manager so far.
        registration_endpoint: for dynamic client registration, or None.
        token_endpoint_auth_method: ``client_secret_post``, ``client_secret_basic`` or ``none``.
        resource: RFC 8707 resource indicator, or None.

    Raises:
        InvalidValueError: a value has the wrong type.
    """

    provider: str = field(validator=fields.text(empty=False))
    auth_endpoint: str = field(validator=fields.text(empty=False))
    token_endpoint: str = field(validator=fields.text(empty=False))
    userinfo_endpoint: str = field(validator=fields.text())
    userinfo_email_field: str = field(default="email", validator=fields.text(empty=False))
    identity_scopes: list[str] = field(
        default=Factory(list), converter=fields.to_text_list, validator=fields.text_list
    )
    scopes: dict[str, OAuthScopeSet] = field(
        default=Factory(dict), converter=_to_scope_sets, validator=_scope_sets
    )
    extra_auth_params: dict[str, str] = field(default=Factory(dict), validator=_parameters)
    scope_separator: str = field(default=" ", validator=fields.text(empty=False))
    enrich_endpoint: str | None = field(default=None, validator=fields.optional(fields.text()))
    registration_endpoint: str | None = field(default=None, validator=fields.optional(fields.text()))
    token_endpoint_auth_method: str = field(
        default=CLIENT_SECRET_POST,
        validator=fields.one_of(CLIENT_SECRET_POST, CLIENT_SECRET_BASIC, NO_CLIENT_SECRET),
    )
    resource: str | None = field(default=None, validator=fields.optional(fields.text()))


@frozen(kw_only=True)
class CredentialReadyRequest(Model):
    """Body of ``POST /oauth/credential-ready`` (connector.openapi.yaml).

    Attributes:
        source_id: the source whose account was connected.
        user_id: whose account, or None for the source's own.
        provider: as in ``OAuthManifestConfig``.
        flow: ``user_read`` or ``user_write`` today.
        credentials: McpCredentials: ``credentials``, ``config``, ``auth_type``, maybe ``principal_email``.
    """

    source_id: str
    provider: str
    flow: str
    user_id: str | None = None
    credentials: Any = field(default=None, repr=False)
