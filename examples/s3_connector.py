"""Index the objects of an S3 bucket, or of any store with the same API (MinIO, Ceph, Cloudflare R2).

    pip install boto3
    omni-connector run examples/s3_connector.py --config bucket.json --credentials key.json

``bucket.json``: ``{"bucket": "handbook", "readers": {"": ["example.com"], "board/": ["board@example.com"]}}``.
``key.json``: ``{"key_id": "...", "secret_key": "..."}``.

Each run lists the bucket and reads the objects whose ETag or readers have changed; objects that are gone are deleted.

The policies of a bucket name roles and accounts, not people. So ``readers`` says which groups may read which keys: the
longest matching prefix counts. No one finds an object that no prefix matches.
"""

from contextlib import closing
from typing import Any

import boto3  # type: ignore[import-untyped]
from attrs import define
from botocore.config import Config  # type: ignore[import-untyped]
from botocore.exceptions import ClientError  # type: ignore[import-untyped]

from omni_connector import (
    Connector,
    Document,
    DocumentMetadata,
    DocumentPermissions,
    InvalidValueError,
    SyncContext,
    secret,
    setting,
)

PATIENT = Config(connect_timeout=10, read_timeout=60, retries={"mode": "adaptive", "total_max_attempts": 8})
"""boto3 repeats what fails, and slows down where the store says so."""


@define
class Settings:
    """The bucket."""

    bucket: str
    readers: dict[str, list[str]] = setting("Groups or domains that may read, by prefix of the key.")
    prefix: str = setting("Only objects whose keys begin with this.", default="")
    endpoint: str | None = setting("Address of a store that is not Amazon's.", default=None)
    region: str = "us-east-1"

    def readers_of(self, key: str) -> list[str]:
        """Return who may read an object."""
        prefixes = [prefix for prefix in self.readers if key.startswith(prefix)]
        return self.readers[max(prefixes, key=len)] if prefixes else []


@define
class AccessKey:
    """The key of an account that may list and read the bucket."""

    key_id: str
    secret_key: str = secret()


class S3Connector(Connector[Settings, AccessKey]):
    """Reads a bucket."""

    name = "s3"
    version = "1.0.0"
    sync_modes = ["full", "incremental"]
    source_types = ["file_system"]

    def sync(self, config: Settings, credentials: AccessKey, state: Any, ctx: SyncContext) -> None:
        """List the bucket, from where an interrupted run was, and send what has changed."""
        session = boto3.Session(credentials.key_id, credentials.secret_key, region_name=config.region)
        inventory = ctx.inventory()
        with closing(session.client("s3", endpoint_url=config.endpoint, config=PATIENT)) as s3:
            pages = s3.get_paginator("list_objects_v2")
            after = (state or {}).get("after", "")
            for page in pages.paginate(Bucket=config.bucket, Prefix=config.prefix, StartAfter=after):
                for item in page.get("Contents", []):
                    ctx.increment_scanned()
                    readers = config.readers_of(item["Key"])
                    try:
                        if inventory.changed(item["Key"], [item["ETag"], readers]):
                            found = s3.get_object(Bucket=config.bucket, Key=item["Key"])
                            with found["Body"]:
                                ctx.emit(document(item, found, readers))
                    except (ClientError, InvalidValueError) as error:  # Archived, too large, gone by now, ...
                        ctx.emit_error(item["Key"], error)
                if page.get("NextContinuationToken"):
                    ctx.save_state({"after": page["Contents"][-1]["Key"]})
        inventory.finish()
        ctx.complete({})


def document(item: dict[str, Any], found: dict[str, Any], readers: list[str]) -> Document:
    """Return an object as a document; its text is extracted by the manager."""
    return Document(
        external_id=item["Key"],
        title=item["Key"].rpartition("/")[2],
        content=found["Body"],
        filename=item["Key"].rpartition("/")[2],
        mime_type=found["ContentType"],
        metadata=DocumentMetadata(path=item["Key"], size=item["Size"], updated_at=item["LastModified"]),
        permissions=DocumentPermissions(groups=readers),
    )
