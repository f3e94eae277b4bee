"""Which requests of browsers the manager answers; those of other clients are all answered."""

from __future__ import annotations

import http.client
import json
import re
from urllib.parse import urlsplit

import pytest
from support.console_site import ConsoleSite

from omni_connector.local import LocalManager, LocalSettings
from omni_connector.local.browser_guard import BrowserGuard

ROUTES = (
    "/",
    "/console/sources",
    "/sdk/source/x/sync-config",
    "/sdk/credentials/x",
    "/local/documents",
    "/health",
)


def status(guard, path="/sdk/credentials/x", method="GET", host="127.0.0.1:8090", **headers):
    """Return what a request is answered; a header None is not sent."""
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path}
    for name, value in {"host": host, **headers}.items():
        if value is not None:
            environ[f"HTTP_{name.upper()}"] = value
    statuses = []
    list(guard(environ, lambda line, _: statuses.append(int(line[:3]))))
    return statuses[0]


def fine(environ, start_response):
    start_response("200 OK", [])
    return []


@pytest.fixture
def guard():
    return BrowserGuard(fine, ["manager.internal", "Other"])


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200),
        ("localhost:8090", 200),
        ("LOCALHOST:8090", 200),
        ("localhost.", 200),
        ("console.localhost:8090", 200),
        ("127.0.0.1:8090", 200),
        ("127.9.9.9", 200),
        ("[::1]:8090", 200),
        ("192.168.1.20:8090", 200),
        ("[fe80::1]", 200),
        ("manager.internal:8090", 200),
        ("other", 200),
        (None, 200),  # No browser leaves it out.
        ("evil.example", 403),
        ("evil.example:8090", 403),
        ("127.0.0.1.nip.io", 403),
        ("localhost.evil.example", 403),
        ("notlocalhost", 403),
        ("evil.manager.internal", 403),
        ("127.0.0.1@evil.example", 403),
        ("127.0.0.1/evil.example", 403),
        ("127.0.0.1:port", 403),
        ("", 403),
    ],
)
def test_only_own_names_and_addresses_are_answered(guard, host, expected):
    assert [status(guard, path, host=host) for path in ROUTES] == [expected] * len(ROUTES)


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 200),
        ("http://127.0.0.1:8090", 200),
        ("https://127.0.0.1:8090", 200),  # A proxy with TLS before it.
        ("null", 403),
        ("", 403),
        ("http://evil.example", 403),
        ("http://127.0.0.1:3000", 403),  # Another server of this machine.
        ("http://127.0.0.1:8090.evil.example", 403),
        ("file://127.0.0.1:8090", 403),
    ],
)
def test_a_page_of_another_origin_is_answered_nothing(guard, origin, expected):
    for path in ROUTES:
        answers = [status(guard, path, method, origin=origin) for method in ("GET", "POST", "OPTIONS")]
        assert answers == [expected] * 3, path


@pytest.mark.parametrize(
    ("site", "expected"),
    [(None, 200), ("none", 200), ("same-origin", 200), ("same-site", 403), ("cross-site", 403)],
)
def test_a_page_of_another_site_is_answered_nothing(guard, site, expected):
    script = {"sec_fetch_site": site, "sec_fetch_mode": "no-cors", "sec_fetch_dest": "script"}
    assert [status(guard, path, **script) for path in ROUTES] == [expected] * len(ROUTES)
    assert [status(guard, path, "POST", **script) for path in ROUTES] == [expected] * len(ROUTES)


@pytest.mark.parametrize(
    ("path", "method", "dest", "expected"),
    [
        ("/", "GET", "document", 200),
        ("/console/documents", "GET", "document", 200),
        ("/consoles", "GET", "document", 403),
        ("/sdk/credentials/x", "GET", "document", 403),
        ("/", "GET", "iframe", 403),
        ("/console/theme", "POST", "document", 403),
    ],
)
def test_a_link_on_another_site_opens_pages_and_nothing_else(guard, path, method, dest, expected):
    headers = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": dest}
    assert status(guard, path, method, **headers) == expected


def test_nodes_fetch_is_no_browser(guard):
    """Connectors in TypeScript send this header and no other of them."""
    assert status(guard, "/sdk/register", "POST", sec_fetch_mode="cors") == 200


def ask(manager, host):
    connection = http.client.HTTPConnection(urlsplit(manager.url).netloc, timeout=60)
    try:
        connection.request("GET", "/sdk/sources/by-type/web", headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_manager_that_listens_everywhere_is_called_by_address_and_by_allowed_names(tmp_path):
    settings = LocalSettings(allowed_hosts=("manager",))
    with LocalManager(tmp_path / "data", settings=settings, host="0.0.0.0", schedule=False) as manager:
        assert ask(manager, "172.17.0.2:8090")[0] == 200
        assert ask(manager, "manager:8090")[0] == 200
        refused = ask(manager, "host.docker.internal:8090")
    assert refused == (
        403,
        (
            "Refused: the host 'host.docker.internal' is not this manager's. If it is, start the manager with"
            " --allow-host host.docker.internal.\n"
        ),
    )


@pytest.fixture
def guarded_site(tmp_path):
    with ConsoleSite(tmp_path / "data") as site:
        yield site


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors"},
    ],
)
def test_every_route_refuses_other_names_and_other_sites(guarded_site, headers):
    """Over a real socket, those of the console and the one that is answered beside Flask as well."""
    rules = [*guarded_site.manager.app.url_map.iter_rules(), *guarded_site.app.url_map.iter_rules()]
    asked = {
        (method, re.sub("<[^>]*>", "x", rule.rule)) for rule in rules for method in rule.methods - {"HEAD"}
    }
    assert {
        ("POST", "/sdk/content"),
        ("GET", "/sdk/credentials/x"),
        ("GET", "/console/documents/one/text"),
    } <= asked
    connection = http.client.HTTPConnection(urlsplit(guarded_site.url).netloc, timeout=60)
    body = json.dumps({"sync_run_id": "x", "content": "x"})
    answered = {}
    for method, path in sorted(asked):
        connection.request(method, path, body=body, headers={"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 403 or not text.startswith(b"Refused: "):
            answered[method, path] = (answer.status, text[:80])
    connection.close()
    assert answered == {}
