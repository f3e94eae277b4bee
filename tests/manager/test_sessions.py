"""Settings of a session that cannot work are said by name, when a client is made."""

from __future__ import annotations

import pytest
import requests

from omni_connector import ConfigurationError, SdkClient

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("content", [None, "no certificates", ""])
@pytest.mark.parametrize("make", [lambda: None, requests.Session])
def test_a_ca_bundle_that_cannot_be_used_is_named_with_its_variable(
    monkeypatch, tmp_path, variable, content, make
):
    path = tmp_path / "bundle.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(ConfigurationError) as caught:
        SdkClient("https://manager.example:8090", session=make())
    assert f"{variable}={path} cannot be used" in str(caught.value)


def test_a_ca_bundle_is_not_looked_at_without_tls(monkeypatch, tmp_path):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "missing"))
    SdkClient("http://manager.example:8090").close()


def test_a_client_certificate_that_is_not_there_is_named(tmp_path):
    session = requests.Session()
    session.cert = str(tmp_path / "client.pem")
    with pytest.raises(ConfigurationError, match=r"client certificate .*client\.pem cannot be used"):
        SdkClient("https://manager.example", session=session)


@pytest.mark.parametrize(
    "url",
    [
        "http://connector..manager:8090",
        "http://.manager",
        "http://my manager:8090",
        "http://*manager",
        f"http://{'a' * 64}.example",
        "http://[::1",
        "http://manager:port",
        "ftp://manager",
    ],
)
def test_an_address_that_cannot_be_one_is_our_own_error(url):
    with pytest.raises(ConfigurationError, match="not an http or https address"):
        SdkClient(url)
    with pytest.raises(ConfigurationError, match="CONNECTOR_MANAGER_URL is not an http or https address"):
        SdkClient.from_environ({"CONNECTOR_MANAGER_URL": url})
