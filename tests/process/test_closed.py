"""Real processes between the manager and a connector: nginx that adds a token, gunicorn that demands certificates."""

from __future__ import annotations

import os
import re
import shutil
import socket
from contextlib import ExitStack

import pytest
import requests
from support.certificates import Authority
from support.ports import free_port
from support.processes import ROOT, Process, start_gunicorn, start_uvicorn

TOKEN = "a-token-of-this-test-0123456789"
PAGE = (ROOT / "docs" / "how-to" / "closing.md").read_text(encoding="utf-8")
COUNTING = "support.counting:Counting"
NGINX = """
{user} daemon off; pid {folder}/nginx.pid; error_log stderr notice;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {server}
}}
"""


def block(language):
    """Return the example of the page in that language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return found


def nginx_conf(folder, server):
    """Return a whole configuration; as root, nginx would change to an account that may not write into the folder."""
    return NGINX.format(folder=folder, server=server, user="user root;" if os.geteuid() == 0 else "")


@pytest.fixture
def nginx(tmp_path, address):
    """The proxy of the page, before the connector at ``address``; its address."""
    command = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    assert command, "nginx is missing. Type: apt-get install nginx-light"
    port = free_port()
    server = (
        block("nginx")
        .replace("listen 8080", f"listen 127.0.0.1:{port}")
        .replace("allow 10.0.0.7", "allow 127.0.0.1")
    )
    server = server.replace("http://127.0.0.1:8000", address.url).replace("TOKEN", TOKEN)
    config = tmp_path / "nginx.conf"
    config.write_text(nginx_conf(tmp_path, server))
    with Process(command, "-e", "stderr", "-p", str(tmp_path), "-c", str(config)) as process:
        process.wait_for("start worker process ")
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize(
    "by", ["CONNECTOR_AUTH_TOKEN", pytest.param("CONNECTOR_AUTH_TOKEN_FILE", marks=pytest.mark.slow)]
)
def test_the_manager_syncs_through_the_proxy_of_the_page_and_others_are_refused(
    manager, address, nginx, tmp_path, by
):
    (tmp_path / "token").write_text(TOKEN)
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_URL": nginx}
    env[by] = TOKEN if by == "CONNECTOR_AUTH_TOKEN" else str(tmp_path / "token")
    with start_gunicorn(address, COUNTING, "--workers", "2", env=env) as process:
        manager.wait_for_connector(process, "web")
        source = manager.add_source("web", {"documents": 12, "seconds": 0})
        assert manager.wait(manager.trigger(source))["status"] == "completed"
        assert len(manager.documents(source)) == 12
        assert requests.get(f"{address.url}/health", timeout=60).status_code == 200
        for method, path in (
            ("GET", "/manifest"),
            ("POST", "/sync"),
            ("POST", "/cancel"),
            ("GET", "/nowhere"),
        ):
            refused = requests.request(method, address.url + path, timeout=60)
            assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (
                401,
                'Bearer realm="omni-connector"',
            )
        assert requests.get(f"{nginx}/manifest", timeout=60).status_code == 200
        # The proxy's own limit of 1 MiB is off.
        large = requests.post(f"{nginx}/sync", json="x" * 3_000_000, timeout=60)
        assert (large.status_code, large.json()["field"]) == (400, "body")
        assert not any(TOKEN in line for line in process.lines)


SERVERS = {
    "gthread": lambda address, **env: start_gunicorn(address, COUNTING, env=env),
    "sync": lambda address, **env: start_gunicorn(address, COUNTING, env=env, bare=True),
    "uvicorn": lambda address, **env: start_uvicorn(
        address, CONNECTOR_URL=address.url, OMNI_CONNECTOR=COUNTING, **env
    ),
}


@pytest.mark.parametrize(
    "server", ["gthread", *(pytest.param(each, marks=pytest.mark.slow) for each in ("sync", "uvicorn"))]
)
def test_answers_to_bodies_that_are_not_read_pass_the_proxy(manager, address, nginx, server):
    """A connection that is reset while nginx still sends would be a 502."""
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_MAX_BODY_BYTES": "1000000"}
    with SERVERS[server](address, **env):
        assert requests.get(f"{nginx}/health", timeout=60).status_code == 200
        for content_type, size, status in (
            ("text/plain", 900_000, 415),
            ("application/json", 8_000_000, 413),
        ):
            found = [
                requests.post(
                    f"{nginx}/sync", data=b"x" * size, headers={"Content-Type": content_type}, timeout=60
                ).status_code
                for _ in range(5)
            ]
            assert found == [status] * 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("token", "problem"), [("", "CONNECTOR_AUTH_TOKEN is empty"), ("short", "less than 16 characters")]
)
def test_a_token_that_protects_nothing_stops_the_start(manager, address, token, problem):
    env = {"CONNECTOR_MANAGER_URL": manager.url, "CONNECTOR_AUTH_TOKEN": token}
    with start_gunicorn(address, COUNTING, env=env) as process:
        process.wait_for(problem)
        assert process.popen.wait(60) != 0
        assert not any("Traceback" in line for line in process.lines)


# -- mutual TLS -------------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def start_with_tls(authority, address, tmp_path):
    """Start gunicorn with the options of the page."""

    def start(env):
        certificate, key = authority.server_files()
        options = re.search(r"--certfile .*--cert-reqs 2", PAGE)[0]
        options = options.replace("server.pem", certificate).replace("server.key", key)
        options = options.replace("clients-ca.pem", str(authority.file)).split()
        url = address.url.replace("http:", "https:")
        return start_gunicorn(address, COUNTING, *options, env={"CONNECTOR_URL": url, **env}), url

    return start


@pytest.mark.slow
def test_only_clients_with_a_certificate_reach_gunicorn(
    manager, address, authority, start_with_tls, tmp_path_factory
):
    process, url = start_with_tls({"CONNECTOR_MANAGER_URL": manager.url})
    with process, requests.Session() as session:
        session.trust_env = False
        session.verify = str(authority.file)
        session.cert = authority.client()
        assert session.get(f"{url}/health", timeout=60).json()["status"] == "healthy"
        session.close()
        session.cert = None
        with pytest.raises(requests.ConnectionError):
            session.get(f"{url}/health", timeout=60)
        stranger = Authority(tmp_path_factory.mktemp("stranger"))
        session.cert = stranger.client()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{url}/health", timeout=60)
        session.close()
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{address.url}/health", timeout=60)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01\x00\x01"], ids=["nothing", "a part"])
def test_clients_that_never_finish_their_handshake_hold_up_nothing(
    manager, address, authority, start_with_tls, sent
):
    process, url = start_with_tls({"CONNECTOR_MANAGER_URL": manager.url})
    with process, requests.Session() as session:
        session.trust_env = False
        session.verify, session.cert = str(authority.file), authority.client()
        assert session.get(f"{url}/health", timeout=60).status_code == 200  # It is up.
        session.close()
        with ExitStack() as clients:
            for _ in range(70):
                client = socket.create_connection(("127.0.0.1", address.port), timeout=60)
                clients.enter_context(client).sendall(sent)
            # The manager waits 5 s.
            assert session.get(f"{url}/health", timeout=60).status_code == 200


@pytest.mark.slow
def test_the_connector_calls_a_manager_that_demands_certificates_and_headers(
    manager, address, authority, tmp_path
):
    """Through nginx as a gateway, which checks both and passes the calls on."""
    command = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    port = free_port()
    certificate, key = authority.server_files()
    gateway = f"""server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate}; ssl_certificate_key {key};
        ssl_client_certificate {authority.file}; ssl_verify_client on;
        client_max_body_size 0;
        if ($http_x_gateway_key != "{TOKEN}") {{ return 403; }}
        location / {{ proxy_pass {manager.url}; }}
    }}"""
    config = tmp_path / "nginx.conf"
    config.write_text(nginx_conf(tmp_path, gateway))
    client_certificate, client_key = authority.client()
    env = {
        "CONNECTOR_MANAGER_URL": f"https://127.0.0.1:{port}",
        "CONNECTOR_MANAGER_CA": str(authority.file),
        "CONNECTOR_MANAGER_CERT": client_certificate,
        "CONNECTOR_MANAGER_KEY": client_key,
        "CONNECTOR_MANAGER_HEADERS": f"X-Gateway-Key: {TOKEN}",
    }
    with (
        Process(command, "-e", "stderr", "-p", str(tmp_path), "-c", str(config)) as proxy,
        start_gunicorn(address, COUNTING, env=env) as process,
    ):
        proxy.wait_for("start worker process ")
        manager.wait_until_registered("web")
        source = manager.add_source("web", {"documents": 12, "seconds": 0})
        assert manager.wait(manager.trigger(source))["status"] == "completed"
        assert len(manager.documents(source)) == 12
        assert not any(TOKEN in line for line in process.lines)
