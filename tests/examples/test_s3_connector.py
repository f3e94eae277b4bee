"""The example that reads a bucket, at moto's S3 server."""

from __future__ import annotations

import json
import re
import sys
from contextlib import closing
from urllib.parse import unquote

import boto3
import pytest
from s3_connector import S3Connector
from support.processes import Process
from support.real_system import RealSystemTests

pytestmark = pytest.mark.slow  # The server and botocore take seconds to start.

POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": "*"}],
}
CALLS_WITHOUT_KEY = 3
"""So many calls to the server need no key: those that make an account."""


class Bucket:
    """A handbook for a company, with a part for its board."""

    def __init__(self, url, key):
        self.credentials = {"key_id": key["AccessKeyId"], "secret_key": key["SecretAccessKey"]}
        self.wrong_credentials = {**self.credentials, "secret_key": "wrong-password-7"}
        self.secrets = [key["SecretAccessKey"]]
        self.config = {
            "bucket": "handbook",
            "endpoint": url,
            "readers": {"": ["example.com"], "board/": ["board.example.org"]},
        }
        self.documents = {
            "aardvark": "a.txt",
            "badger": "travel/b.md",
            "cheetah": "travel/c ü.html",
            "dolphin": "board/d.txt",
        }
        self.finds = {
            "ann@example.com": {"aardvark", "badger", "cheetah"},
            "eve@board.example.org": {"dolphin"},
            "joe@elsewhere.example": set(),
        }
        session = boto3.Session(*self.credentials.values(), region_name="us-east-1")
        self.s3 = session.client("s3", endpoint_url=url)
        self.s3.create_bucket(Bucket="handbook")
        for word, path in self.documents.items():
            self.put(path, f"Of the {word}.")

    def put(self, path, text):
        kind = "text/html" if path.endswith("html") else "text/plain"
        self.s3.put_object(Bucket="handbook", Key=path, Body=text.encode(), ContentType=kind)

    def change(self, word):
        self.put("a.txt", f"Now of the {word}.")
        return "a.txt"

    def delete(self):
        self.s3.delete_object(Bucket="handbook", Key="travel/b.md")
        return "travel/b.md"

    def close(self):
        self.s3.close()


@pytest.fixture(scope="module")
def server():
    """A server that checks signatures; its address, and the key of an account."""
    # Two keys a page, so that a few objects are several.
    environment = {
        "INITIAL_NO_AUTH_ACTION_COUNT": str(CALLS_WITHOUT_KEY),
        "MOTO_S3_DEFAULT_MAX_KEYS": "2",
    }
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with Process(*command, env=environment) as process:
        url = process.wait_for(r"Running on (http://[\d.:]+)")[1]
        with closing(
            boto3.Session("none", "none", region_name="us-east-1").client("iam", endpoint_url=url)
        ) as iam:
            iam.create_user(UserName="indexer")
            iam.put_user_policy(UserName="indexer", PolicyName="all", PolicyDocument=json.dumps(POLICY))
            key = iam.create_access_key(UserName="indexer")["AccessKey"]
        yield url, key, process


@pytest.fixture
def system(server):
    url, key, process = server
    with closing(Bucket(url, key)) as bucket:
        bucket.lines = process.lines
        yield bucket


class TestS3(RealSystemTests):
    connector = S3Connector
    left = 2  # Those of the second page.

    def test_an_interrupted_run_resumes(self, omni_manager, system, monkeypatch):
        """The listing goes on behind the page that was read."""
        earlier = len(system.lines)
        super().test_an_interrupted_run_resumes(omni_manager, system, monkeypatch)
        # The server's log has keys decoded or as they were sent, depending on the version of Werkzeug.
        lines = unquote("\n".join(system.lines[earlier:]))
        starts = re.findall(r"GET /handbook\?list-type=2\S*&start-after=([^& ]*)", lines)
        assert starts == ["", "", "board/d.txt"], "two pages, and from there on in the other process"


def test_an_object_that_cannot_be_a_document_is_reported_and_the_others_arrive(run_sync, system):
    system.put("deep/" * 101, "The key is longer than the id of a document may be.")
    result = run_sync(S3Connector(), config=system.config, credentials=system.credentials)
    assert (result.status, len(result.errors)) == ("completed", 1)
    assert set(result.index) == set(system.documents.values())
