"""What is answered before a handler runs (manager.openapi.yaml, "Errors raised before a handler runs")."""

import pytest

PARSE = "Failed to parse the request body as JSON: "
SHAPE = "Failed to deserialize the JSON body into the target type: "


def assert_plain(answer, status, text):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == text


def test_an_unknown_route_is_an_empty_404_without_a_content_type(api):
    for path in ("/nope", "/sdk/source/", "/sdk//events", "/health/"):
        answer = api.get(path)
        assert (answer.status_code, answer.content) == (404, b"")
        assert "content-type" not in answer.headers


def test_another_method_is_an_empty_405_that_names_the_allowed_ones(api):
    answer = api.get("/sdk/events")
    assert (answer.status_code, answer.content, answer.headers["allow"]) == (405, b"", "POST")
    assert "content-type" not in answer.headers
    assert api.post("/health").headers["allow"] == "GET,HEAD"


def test_every_answer_carries_cors_headers_and_preflights_are_answered(api):
    assert api.get("/health").headers["access-control-allow-origin"] == "*"
    assert api.get("/nope").headers["access-control-allow-origin"] == "*"
    preflight = api("OPTIONS", "/sdk/events", headers={"Access-Control-Request-Method": "POST"})
    assert (preflight.status_code, preflight.headers["access-control-allow-methods"]) == (200, "*")


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/jsonx", "application/json; \u00e9", ""]
)
def test_a_missing_or_other_content_type_is_a_415(api, content_type):
    if content_type:
        content_type = content_type.encode("latin-1")
    answer = api.raw("/sdk/events", b"{", content_type=content_type)
    assert_plain(answer, 415, "Expected request with `Content-Type: application/json`")


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"]
)
def test_json_content_types_are_accepted(api, run_id, content_type):
    assert (
        api.raw(f"/sdk/sync/{run_id}/scanned", b'{"count": 2}', content_type=content_type).status_code == 200
    )


def test_what_is_not_json_is_a_400_in_plain_text(api):
    assert_plain(api.raw("/sync", b""), 400, f"{PARSE}EOF while parsing a value at line 1 column 0")
    assert_plain(
        api.raw("/sync", b"\n{'a'"),
        400,
        f"{PARSE}expecting property name enclosed in double quotes at line 2 column 2",
    )


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/sync", b"{}", "missing field `source_id` at line 1 column 2"),
        ("/sync", b"[]", "invalid type: sequence, expected struct TriggerSyncRequest at line 1 column 2"),
        (
            "/sync",
            b'{"source_id": 5}',
            "source_id: invalid type: integer `5`, expected a string at line 1 column 16",
        ),
        (
            "/sync",
            b'{"source_id": "x", "sync_mode": "half"}',
            "sync_mode: unknown variant `half`, expected one of `full`, `incremental`, `realtime` at line 1 column 39",
        ),
        (
            "/sync",
            b'{"source_id": "x", "sync_mode": 5}',
            "sync_mode: invalid type: integer `5`, expected string or map at line 1 column 34",
        ),
        (
            "/sync",
            b'{"source_id": "x",\n "source_id": "y"}',
            "duplicate field `source_id` at line 2 column 18",
        ),
        (
            "/sdk/sync/x/scanned",
            b'{"count": 1.0}',
            "count: invalid type: floating point `1.0`, expected i32 at line 1 column 14",
        ),
        (
            "/sdk/sync/x/scanned",
            b'{"count": 2147483648}',
            "count: invalid value: integer `2147483648`, expected i32 at line 1 column 21",
        ),
        (
            "/sdk/sync/x/scanned",
            b'{"count": null}',
            "count: invalid type: null, expected i32 at line 1 column 15",
        ),
        (
            "/sdk/sync/x/scanned",
            b'{"count": true}',
            "count: invalid type: boolean `true`, expected i32 at line 1 column 15",
        ),
    ],
)
def test_json_of_the_wrong_shape_is_a_422_that_names_the_path(api, path, body, text):
    assert_plain(api.raw(path, body), 422, SHAPE + text)


def test_null_for_a_word_of_a_list_is_a_400(api):
    answer = api.raw("/sdk/sync/create", b'{"source_id": "x", "sync_type": null}')
    assert_plain(answer, 400, f"{PARSE}sync_type: expected value at line 1 column 37")


def test_a_path_that_is_not_utf8_is_a_400(api):
    answer = api.get("/sdk/source/%ff")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.startswith("Invalid URL: ")


def test_an_encoded_slash_belongs_to_the_segment(api):
    assert api.get("/sdk/source/a%2Fb").json() == {"error": "Source not found: a/b"}


def test_u0000_in_an_id_is_a_500(api):
    answer = api.get("/sdk/source/a%00b")
    assert answer.status_code == 500
    assert answer.json() == {
        "error": 'error returned from database: invalid byte sequence for encoding "UTF8": 0x00'
    }


def test_health_says_healthy(api):
    assert api.get("/health").json() == {"status": "healthy"}


def test_an_unexpected_failure_is_a_json_500_and_logged(manager, caplog):
    def broken():
        raise ValueError("something broke")

    manager.app.view_functions["admin.health"] = broken
    answer = manager.app.test_client().get("/health")
    assert (answer.status_code, answer.json) == (500, {"error": "something broke"})
    assert "something broke" in caplog.text


def test_what_the_framework_refuses_by_itself_is_json(manager):
    from werkzeug.exceptions import RequestEntityTooLarge

    def refused():
        raise RequestEntityTooLarge

    manager.app.view_functions["admin.health"] = refused
    answer = manager.app.test_client().get("/health")
    assert answer.status_code == 413
    assert "exceeds the capacity" in answer.json["error"]
