"""What is a secret, and what is not."""

from __future__ import annotations

import json

import pytest

from omni_connector.masking import secrets_in, secrets_in_settings
from omni_connector.masking.rules import is_secret_name

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"


def test_every_text_in_the_credentials_is_a_secret_at_any_depth():
    credentials = {"token": "abcdef123", "nested": {"keys": ["s3cr3t-key", 5, None]}, "raw": b"byt3s-key"}
    assert secrets_in(credentials) == {"abcdef123", "s3cr3t-key", "byt3s-key"}
    assert secrets_in(None) == secrets_in({}) == frozenset()


@pytest.mark.parametrize(
    "text",
    ["admin", "80", "8080", "20261129", "true", "False", "null", "", "      ", "******", "Bearer", "GitHub", "service_account",
     "googleapis.com", "https://jira.example.com", "https://jira.example.com/"],
)  # fmt: skip
def test_short_and_common_words_and_small_numbers_and_hosts_are_none(text):
    assert secrets_in({"x": text}) == frozenset()


@pytest.mark.parametrize(
    "text",
    [
        "hunt3r",
        "pässwö",
        "https://[half/an-address",
        "1234567890",
        "a b c d",
        "ada@example.com",
        "correct horse",
    ],
)
def test_all_else_is(text):
    assert secrets_in({"x": text}) == {text}


def test_of_an_address_user_password_and_query_are_secrets_alone_as_well():
    found = secrets_in("postgres://ada.lovelace:p%40ssword@db/x?sslkey=k3y-of-it&x=1#access_token=fr4gment")
    assert {"ada.lovelace", "p%40ssword", "p@ssword", "k3y-of-it", "fr4gment"} <= found
    assert "https://hooks.example.com/services/T0/B0" in secrets_in(
        "https://hooks.example.com/services/T0/B0"
    )


def test_secrets_in_a_key_file_that_is_text_are_found():
    found = secrets_in({"service_account": json.dumps({"private_key": PEM, "client_id": "1234567890"})})
    assert {PEM, "1234567890"} <= found


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("api_key", True), ("apiKey", True), ("API-KEY", True), ("botToken", True), ("password", True), ("db_password", True),
        ("connectionString", True), ("clientSecret", True), ("x-api-key", True), ("SAS", True), ("refresh_token", True),
        ("page_token_field", False), ("key", False), ("monkey", False), ("primary_key", False), ("tokenizer", False),
        ("max_tokens_count", False), ("secretary", False), ("folder", False), ("token_url", False),
    ],
)  # fmt: skip
def test_the_name_of_a_setting_says_whether_it_is_a_secret(name, is_one):
    assert is_secret_name(name) is is_one


def test_settings_are_secret_by_name_by_declaration_and_in_addresses():
    settings = {
        "folder": "Reports of 2026",
        "auth": {"apiKey": "k3y-of-settings", "user": "ada.lovelace"},
        "proxies": [{"url": "http://ada:pr0xy-password@proxy:3128/?x=visible&sig=s1gnature"}],
        "pairs": {"left": "d3clared-one"},
    }
    found = secrets_in_settings(settings, ["pairs"])
    assert found == {"k3y-of-settings", "pr0xy-password", "s1gnature", "d3clared-one"}
    assert secrets_in_settings(None) == frozenset()
