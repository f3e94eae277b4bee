"""What is a secret, and what is too short or too common to be one."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

SHORTEST = 6
"""Characters; shorter values (a flag, a port, ``admin``) would blank out ordinary words."""

SHORTEST_NUMBER = 10
"""Digits; shorter ones are ports, counts, dates and ids."""

COMMON = frozenset(
    """
    access_token account administrator api.github.com api_key apikey apitoken application application/json atlassian
    atlassian.net authorization authorization_code authorized_user basic_auth bearer client client_credentials client_secret
    client_secret_basic client_secret_post confluence connector credentials custom default development disabled dropbox
    enabled example.com external_account false gitlab gitlab.com github github.com gmail.com google google.com
    googleapis.com hubspot id_token impersonated_service_account internal localhost microsoft noauth normal notion oauth2
    oauth1 offline online password personal personal_access_token postgres private private_key production public read_only
    readonly refresh_token root salesforce sandbox secret service service_account service-account sharepoint slack.com
    source staging system tenant testing token_type undefined unknown user_read user_write username
    """.split()  # noqa: SIM905 - ninety quoted words would fill a screen.
)
"""Words that credentials hold without being secret (kinds of accounts and grants, providers, environments), in lower case."""

SECRET_NAMES = frozenset(
    """
    accesskey accountkey apikey apitoken authkey authorization bearer clientsecret connectionstring consumersecret cookie
    credential credentials dsn encryptionkey keyfile pass passphrase passwd password pat privatekey pwd sas secret secretkey
    secrets servicekey sharedkey signature signingkey sessionid token tokens webhookurl
    """.split()  # noqa: SIM905 - as above.
)
"""How the names of secret settings end, without separators: ``api_key``, ``bot-token``, ``clientSecret``."""

QUERY_NAMES = frozenset(
    """
    access_key access_token api_key api-key apikey api_token auth auth_token authtoken awsaccesskeyid client_secret code
    code_verifier id_token jwt key pass passwd password pwd refresh_token sas secret session_token sig signature subscription-key token
    x-amz-credential x-amz-security-token x-amz-signature x-api-key x-goog-signature
    """.split()  # noqa: SIM905 - as above.
)
"""Parameters of addresses whose values are secret, in lower case."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAME_OF_AN_ADDRESS = re.compile(r"(?i)[a-z][a-z0-9+.-]*://")
_NOT_A_VALUE = re.compile(r"(?i)-----.*|true|false|null|none|nan|\W+")


def is_secret(text: str) -> bool:
    """Say whether a text that stands where secrets stand is one: not short, no common word, no small number."""
    text = text.strip()
    if len(text) < SHORTEST or text.casefold() in COMMON or _NOT_A_VALUE.fullmatch(text):
        return False
    return not (text.isdigit() and len(text) < SHORTEST_NUMBER)


def secrets_in(credentials: Any) -> frozenset[str]:
    """Return the secrets in credentials: every text in them, at any depth, also of a key file that is JSON in a string.

    Of an address these are the user, the password, the values of its query and fragment, and the address itself when there
    is more to it than a host: the host alone stands in every line about the source.
    """
    return frozenset(secret for text in _texts(credentials) for secret in _secrets_of(text))


def secrets_in_settings(settings: Any, declared: Iterable[str] = ()) -> frozenset[str]:
    """Return the secrets in settings: what ``declared`` names, what has a name that says so, and those of addresses.

    Args:
        settings: ``source_config``, say, or the connector state.
        declared: names of keys at any depth, with everything below them.
    """
    return frozenset(_in_settings(settings, frozenset(declared)))


def _in_settings(value: Any, declared: frozenset[str]) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            if name in declared or is_secret_name(str(name)):
                yield from secrets_in(item)
            else:
                yield from _in_settings(item, declared)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _in_settings(item, declared)
    elif isinstance(value, str) and _NAME_OF_AN_ADDRESS.match(value):
        yield from (secret for secret in _parts_of_address(value, QUERY_NAMES) if is_secret(secret))


def is_secret_name(name: str) -> bool:
    """Say whether a setting of this name holds a secret: ``api_key``, ``botToken``, ``PASSWORD``; not ``page_token_field``."""
    words = [word.lower() for word in _WORD.findall(name)]
    return any("".join(words[-count:]) in SECRET_NAMES for count in (1, 2))


def _secrets_of(text: str) -> Iterator[str]:
    if not _NAME_OF_AN_ADDRESS.match(text):
        if is_secret(text):
            yield text
        return
    try:
        parts = urlsplit(text)
    except ValueError:  # It only looks like an address.
        yield text
        return
    if parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc:
        yield text
    yield from filter(is_secret, _parts_of_address(text, None))


def _parts_of_address(text: str, names: frozenset[str] | None) -> Iterator[str]:
    """Yield user, password and values of the query, as they are written and as they are meant; of ``names`` only, if given."""
    try:
        parts = urlsplit(text)
        values = parse_qsl(parts.query) + parse_qsl(parts.fragment)
    except ValueError:
        return
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    for part in (user, password) if names is None or password else (user,):
        yield part
        yield unquote(part)
    for name, value in values:
        if names is None or name.lower() in names:
            yield value


def _in_json(text: str) -> Any:
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        inner = _in_json(value)
        if inner is None:
            yield value
        else:  # A key file, say: what is in it is secret, not its punctuation.
            yield from _texts(inner)
    elif isinstance(value, bytes):
        yield value.decode(errors="replace")
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _texts(item)
