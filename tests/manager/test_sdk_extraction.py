"""Files whose text the manager extracts: busy managers are waited for, damaged files are not tried again."""

from __future__ import annotations

import io
from email import message_from_bytes
from email.policy import HTTP

import attrs
import pytest
from support.scripted_manager import RESET, Answer

from omni_connector import ExtractionError, SdkClient, SdkClientError, ServiceOverloadedError
from omni_connector.manager.retry import DEFAULT_POLICIES, RetryPolicy

ID = {"content_id": "01K3CCCCCCCCCCCCCCCCCCCCCC"}
BUSY = Answer(429, {"error": "Document extraction is busy. Try again later."}, {"Retry-After": "0"})
DAMAGED = Answer(500, {"error": "Content extraction failed: Failed to read DOCX"})


@pytest.fixture
def client(manager):
    policies = attrs.evolve(
        DEFAULT_POLICIES, extraction=RetryPolicy(attempts=4, first_delay_seconds=0.001, total_seconds=60)
    )
    with SdkClient(manager.url, policies=policies) as one:
        yield one


@pytest.fixture(params=["content", "text"])
def extract(request, client):
    def call(data=b"%PDF", mime_type="application/pdf", filename="a.pdf"):
        method = client.extract_content if request.param == "content" else client.extract_text
        return method("run-1", io.BytesIO(data), mime_type=mime_type, filename=filename)

    call.path = f"/sdk/extract-{request.param}"
    call.answer = Answer(200, {**ID, "text": "the text"})
    call.value = ID["content_id"] if request.param == "content" else "the text"
    return call


def form(request):
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + request.body, policy=HTTP).iter_parts()
    return {
        part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts
    }


def test_a_file_travels_as_a_form_and_its_result_comes_back(manager, extract):
    manager.script(extract.answer)
    assert extract() == extract.value
    (request,) = manager.requests
    assert (request.method, request.path) == ("POST", extract.path)
    assert form(request) == {
        "sync_run_id": b"run-1",
        "mime_type": b"application/pdf",
        "filename": b"a.pdf",
        "data": b"%PDF",
    }


def test_a_busy_manager_is_asked_again_with_the_whole_file(manager, extract):
    manager.script(BUSY, RESET, BUSY, extract.answer)
    assert extract(b"x" * 100_000) == extract.value
    assert [len(form(request)["data"]) for request in manager.requests] == [100_000] * 4


def test_the_time_that_a_busy_manager_names_is_waited(manager, extract):
    manager.script(Answer(429, {"error": "busy"}, {"Retry-After": "61"}), extract.answer)
    with pytest.raises(ServiceOverloadedError) as caught:  # Longer than this policy lasts.
        extract()
    assert (caught.value.retry_after, caught.value.attempts, len(manager.requests)) == (61, 1, 1)


def test_a_manager_that_stays_busy_is_named_in_the_end(manager, extract):
    manager.otherwise = BUSY
    with pytest.raises(ServiceOverloadedError, match="extraction is busy") as caught:
        extract()
    assert (caught.value.attempts, caught.value.operation) == (4, f"POST {extract.path}")


@pytest.mark.parametrize(
    "answer",
    [
        DAMAGED,
        Answer(413, {"error": "Extraction input too large: 52428801 bytes exceeds 52428800 byte limit"}),
    ],
)
def test_a_file_that_will_never_be_extracted_is_tried_once(manager, extract, answer):
    manager.otherwise = answer
    with pytest.raises(ExtractionError) as caught:
        extract()
    assert (caught.value.status, len(manager.requests)) == (answer.status, 1)
    assert answer.body["error"] in str(caught.value)


def test_other_trouble_of_the_manager_is_tried_again(manager, extract):
    manager.script(Answer(500, {"error": "Failed to store content: pool timed out"}), extract.answer)
    assert extract() == extract.value


def test_an_answer_without_a_result_is_named(manager, extract):
    manager.script(Answer(200, {}))
    with pytest.raises(SdkClientError, match=r"the manager's answer has no (content_id|text)"):
        extract()
