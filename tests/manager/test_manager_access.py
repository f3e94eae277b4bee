"""``CONNECTOR_MANAGER_*``: headers, authorities, a client certificate, and a proxy, over both wires."""

from __future__ import annotations

import logging
import subprocess

import pytest
from support.certificates import Authority
from support.forward_proxy import ForwardProxy
from support.raw_server import ParallelServer, ok, read_request

from omni_connector import ConfigurationError, SdkClient, SdkClientError, Settings
from omni_connector.manager import wires

HEADERS = "X-Api-Key: s3cret: with a colon\n\n  Authorization:Bearer abc  "


@pytest.fixture(params=["curl", "session"])
def wire(request, monkeypatch):
    if request.param == "session":
        monkeypatch.setattr(wires, "CurlWire", None)
    elif wires.CurlWire is None:
        pytest.skip("pycurl is not installed")
    return request.param


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def heads():
    """Of the requests that came."""
    return []


@pytest.fixture
def manager(authority, heads):
    """A manager that takes clients with a certificate only."""

    def script(connection, _number):
        while (request := read_request(connection)) is not None:
            heads.append(request[0].decode())
            connection.sendall(ok(b'{"status": "ok"}'))

    with ParallelServer(script, tls=authority.server(asks_for_client=True)) as server:
        yield server


@pytest.fixture
def environ(authority, manager):
    certificate, key = authority.client()
    return {
        "CONNECTOR_MANAGER_URL": manager.url,
        "CONNECTOR_MANAGER_HEADERS": HEADERS,
        "CONNECTOR_MANAGER_CA": str(authority.file),
        "CONNECTOR_MANAGER_CERT": certificate,
        "CONNECTOR_MANAGER_KEY": key,
    }


def call(client):
    """Make calls in a run and outside of any, which go other ways."""
    with client:
        client.heartbeat("run-1")
        client.increment_scanned("run-1", 1)
        client.send_events("run-1", "source-1", [b'{"type": "document_created"}'])


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(
    "make", [SdkClient.from_environ, lambda environ: SdkClient.of(Settings.from_environ(environ))]
)
@pytest.mark.parametrize("is_one_file", [False, True])
def test_every_call_brings_headers_and_a_certificate(environ, authority, heads, make, is_one_file):
    if is_one_file:
        environ = {**environ, "CONNECTOR_MANAGER_CERT": authority.client_in_one_file()}
        del environ["CONNECTOR_MANAGER_KEY"]
    call(make(environ))
    assert len(heads) == 3
    for head in heads:
        lines = head.split("\r\n")
        assert "X-Api-Key: s3cret: with a colon" in lines
        assert "Authorization: Bearer abc" in lines


@pytest.mark.usefixtures("wire")
def test_through_a_proxy(environ, heads, monkeypatch):
    with ForwardProxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setattr("omni_connector.manager.sessions._is_loopback", lambda _: False)
        call(SdkClient.from_environ(environ))
    assert len(heads) == 3
    assert proxy.lines
    # What is for the manager is not for the proxy.
    assert not any("s3cret" in line for line in proxy.lines)


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize(
    "missing", [["CONNECTOR_MANAGER_CA"], ["CONNECTOR_MANAGER_CERT", "CONNECTOR_MANAGER_KEY"]]
)
def test_without_them_there_is_no_connection(environ, heads, missing):
    environ = {name: value for name, value in environ.items() if name not in missing}
    settings = Settings.from_environ({**environ, "CONNECTOR_RETRY_SECONDS": "1"})
    with SdkClient.of(settings) as client, pytest.raises(SdkClientError):
        client.heartbeat("run-1")
    assert heads == []


def test_headers_stay_out_of_what_is_shown(environ, caplog):
    SdkClient.from_environ({**environ, "CONNECTOR_MANAGER_HEADERS": "X-Key: zk4-Gateway-Key"}).close()
    logging.getLogger("host").warning("sent zk4-Gateway-Key")
    assert "zk4-Gateway-Key" not in caplog.text
    settings = Settings.from_environ(environ)
    assert "s3cret" not in repr(settings)
    assert Settings.beside_manager("http://m", "http://me", environ).access.headers == ()


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ("s3cret", "a line is not a header with a name, a colon and a value"),
        ("X Y: s3cret", "a line is not a header"),
        ("X-Key:", "a line is not a header"),
        ("X-Key: s3cret\x00", "'X-Key' is not a header"),
        ("X-Key: s3cretä", "'X-Key' is not a header"),
        ("Content-length: 5", "Content-length is a header of each request itself"),
        ("Host: s3cret", "Host is a header of each request itself"),
    ],
)
def test_a_header_that_cannot_be_sent_is_named_without_its_value(headers, problem):
    environ = {"CONNECTOR_MANAGER_URL": "http://manager", "CONNECTOR_MANAGER_HEADERS": f"A: b\n{headers}"}
    for read in (Settings.from_environ, SdkClient.from_environ):
        with pytest.raises(ConfigurationError, match=problem) as caught:
            read(environ)
        assert "s3cret" not in str(caught.value)


def test_a_key_without_a_certificate_is_named():
    environ = {"CONNECTOR_MANAGER_URL": "http://manager", "CONNECTOR_MANAGER_KEY": "key.pem"}
    with pytest.raises(
        ConfigurationError, match="CONNECTOR_MANAGER_KEY is set without CONNECTOR_MANAGER_CERT"
    ):
        Settings.from_environ(environ)


def test_authorities_that_cannot_be_read_are_named_with_their_variable(monkeypatch, tmp_path):
    monkeypatch.setenv("CONNECTOR_MANAGER_CA", str(tmp_path / "none.pem"))
    monkeypatch.setenv("CONNECTOR_MANAGER_URL", "https://manager")
    with pytest.raises(ConfigurationError, match=r"CONNECTOR_MANAGER_CA=.*none\.pem cannot be used"):
        SdkClient.from_environ()


def test_a_key_with_a_password_is_refused_and_not_asked_for(environ, tmp_path):
    key = tmp_path / "locked.key"
    plain = environ["CONNECTOR_MANAGER_KEY"]
    command = ["openssl", "pkey", "-in", plain, "-out", str(key), "-aes256", "-passout", "pass:x"]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ConfigurationError, match=r"The client certificate .*locked\.key cannot be used"):
        SdkClient.from_environ({**environ, "CONNECTOR_MANAGER_KEY": str(key)})
