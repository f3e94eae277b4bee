"""Finds what looks like a secret by what stands around it: in an address, a header, a form or JSON."""

import re
from collections.abc import Iterator

from omni_connector.masking.rules import QUERY_NAMES

_QUERY = "|".join(sorted(map(re.escape, QUERY_NAMES), key=len, reverse=True))
_FIELDS = (
    "access_?token|refresh_?token|id_?token|session_?token|auth_?token|api[_-]?key|api_?token|client_?secret|client_?assertion"
    "|private_?key|secret_?access_?key|secret_?key|password|passwd|passphrase"
)
_HEADERS = "(?:proxy-)?authorization|x-api-key|api-key|x-auth-token|private-token|x-amz-security-token"
_SCHEMES = "bearer|basic|negotiate|ntlm|token|apikey|oauth"
_NO_VALUE = r"(?!(?:none|null|true|false|\*\*\*)\b)"

_USERINFO = re.compile(r"(?<=://)[^/\s\"'<>@]+(?:@[^/\s\"'<>@]+)*(?=@)")
_SCHEME = re.compile(r"(?i)\b(?:bearer|basic|negotiate)\s+(?P<value>[a-z0-9._~+/=%-]{6,})")
_HEADER = re.compile(
    rf"(?i)\b(?:{_HEADERS})\\?(?:[\"']\s*[:=,]|[:=])\s*(?:"
    rf"b?\\?(?P<quote>[\"'])(?:(?:{_SCHEMES})\s+)?(?P<quoted>(?:(?!(?P=quote))[^\n])+)"
    rf"|(?P<several>(?:digest|aws4)[^\r\n]*)"
    rf"|(?:(?:{_SCHEMES})\s+)?(?P<bare>(?!\.\.\.)[^\s\"',;]+))"
)
_COOKIE = re.compile(r"(?i)\bcookie\\?[\"']?\s*[:=]\s*\\?(?:[\"'])?(?P<value>[^\s=;\"']+=[^\r\n\"']*)")
_PARAMETER = re.compile(
    rf"(?i)(?:[?&#;]|&amp;|%26|%3F)(?:{_QUERY})(?:=|%3D)(?P<value>[^&#;\s\"'<>\\)\]}}*%]+(?:%(?!26)[^&#;\s\"'<>\\)\]}}*%]+)*)"
)
_FORM = re.compile(
    rf"(?i)(?<![a-z0-9])(?:{_FIELDS})=[bu]?[\"']?{_NO_VALUE}(?P<value>[^&\s\"'<>,;)\]}}]{{4,}})"
)
_JSON = re.compile(
    rf"(?i)\\?[\"'](?:[a-z0-9_-]*_)?(?:{_FIELDS})\\?[\"']\s*:\s*[bu]?(?P<quote>\\?[\"'])(?P<value>(?:(?!(?P=quote))[^\n])+)"
)

_ALL = (
    (("://",), _USERINFO),
    (("earer", "EARER", "asic", "BASIC", "egotiate"), _SCHEME),
    (("uthoriz", "AUTHORIZ", "-token", "-Token", "-TOKEN", "-key", "-Key", "-KEY"), _HEADER),
    (("ookie", "COOKIE"), _COOKIE),
    (("=", "%3D", "%3d"), _PARAMETER),
    (("=",), _FORM),
    (("':", '":', "' :", '" :'), _JSON),
)
"""What a text has in it that could match, and how."""


def spans_of_patterns(text: str) -> Iterator[tuple[int, int]]:
    """Yield where values of that kind are in ``text``."""
    for hints, pattern in _ALL:
        for hint in hints:
            if hint in text:
                break
        else:
            continue
        for match in pattern.finditer(text):
            yield match.span(match.lastgroup or 0)
