"""Credentials of ten shapes, a connector that fails with them in every way there is, and a search for what is left of them."""

from __future__ import annotations

import base64
import html
import io
import json
import logging
import pprint
import random
import sqlite3
import string
import threading
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote, quote_plus

from werkzeug.wsgi import ClosingIterator

from omni_connector import (
    ActionResponse,
    Connector,
    Document,
    DocumentPermissions,
    ErrorLimits,
    Partition,
    action,
    register_secret,
)

_DICE = random.Random(10)


def _random(count, letters=string.ascii_letters + string.digits):
    return "".join(_DICE.choices(letters, k=count))


def _pem():
    lines = [base64.b64encode(_DICE.randbytes(48)).decode() for _ in range(12)]
    return "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----", ""])


CREDENTIALS = {
    "token": "ghp_" + _random(36),
    "password": "hunter2!",
    "odd": "pässwörd/+&= q'x\"y\\z<ü>",
    "user": "ada.lovelace@example.com",  # 24 characters: base64 of "user:password" begins with base64 of the user.
    "private_key": _pem(),
    "service_account": json.dumps(
        {"type": "service_account", "private_key": _pem(), "client_id": _random(21, string.digits)}
    ),
    "dsn": f"postgres://grace:{_random(12)}@db.example.com/x?sslpassword={_random(14)}",
    "padded": base64.b64encode(_DICE.randbytes(40)).decode(),
    "jwt": f"eyJhbGciOiJIUzI1NiJ9.{_random(60)}.{_random(43)}",
    "nested": {"keys": [_DICE.randbytes(16).hex(), {"deep": "correct horse battery staple"}]},
}
FRESH = {"access_token": "ya29." + _random(50)}
FETCHED = "fetched-" + _random(20)
ROTATED = "rotated/" + _random(20)
IN_SETTINGS = "in-settings-" + _random(16)


def leaves(value):
    """Return every text that must not be seen."""
    if isinstance(value, str):
        found = [value]
        if value.startswith("{"):
            inner = json.loads(value)
            found = [inner["private_key"], inner["client_id"]]
        if "://" in value:
            found += [value.split(":")[2].split("@")[0], value.rpartition("=")[2]]
        return found
    return [leaf for item in (value.values() if isinstance(value, dict) else value) for leaf in leaves(item)]


ALL = [*leaves(CREDENTIALS), *leaves(FRESH), FETCHED, ROTATED, IN_SETTINGS]


def written(text):
    """Return the ways to write a text, made without the SDK."""
    ways = {
        text,
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        ascii(text)[1:-1],
        repr(text)[1:-1],
    }
    ways |= {
        repr(text.encode())[2:-1],
        quote(text),
        quote(text, safe=""),
        quote_plus(text),
        html.escape(text),
    }
    ways |= {json.dumps(way)[1:-1] for way in list(ways)}
    return ways


def traces():
    """Return what would betray a secret, by the secret."""
    found = {}
    for secret in ALL:
        lines = [line for line in secret.splitlines() if len(line) > 5 and not line.startswith("-----")]
        ways = set().union(*map(written, {secret, *lines}))
        ways |= {
            line[start : start + 24]
            for line in lines
            if len(line) >= 48
            for start in range(0, len(line) - 24, 12)
        }
        for before in (b"", b"a", b"ab"):
            encoded = base64.b64encode(before + secret.encode() + b"ab"[len(before) :])
            whole = encoded[4 if before else 0 :].decode().rstrip("=")[: max(6, len(secret))][:24]
            ways |= {whole, whole.replace("+", "-").replace("/", "_"), quote(whole, safe="")}
        found[secret] = {way for way in ways if len(way) > 5}
    return found


def all_ways_of_writing(values):
    """Return one long text with everything in it, in many ways."""
    whole = json.loads(json.dumps(values))
    texts = leaves(whole)
    basic = [
        base64.b64encode(f"{user}:{text}".encode()).decode()
        for text in texts
        for user in ("ada", "grace", whole.get("user", ""))
    ]
    return "\n".join(
        [
            str(whole), json.dumps(whole), json.dumps(whole, ensure_ascii=False), ascii(whole), pprint.pformat(whole, width=60),
            pprint.pformat([text.encode() for text in texts]), json.dumps(json.dumps(whole)),
            *map(quote, texts), *map(quote_plus, texts), *map(html.escape, texts), *texts,
            *(f"Authorization: Basic {each}" for each in basic), *basic,
            *(base64.encodebytes(text.encode()).decode() for text in texts), *(f"abc{text}xyz" for text in texts),
        ]
    )  # fmt: skip


class BrokenError(Exception):
    def __str__(self):
        raise RuntimeError(all_ways_of_writing(CREDENTIALS))


class Canary(Connector):
    """Does what the setting ``way`` says, ``def`` or ``async def``."""

    name = "canary"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full"]
    secret_settings = ["pairing"]

    def __init__(self):
        self.cancelled = threading.Event()
        self.started = threading.Event()
        self.held = ""

    def sync(self, source_config, credentials, state, ctx):
        self._do(source_config, credentials, ctx)

    def validate_sync_request(self, source_config, credentials):
        if source_config["way"] == "validation":
            raise ValueError(all_ways_of_writing(credentials))

    def cancel(self, sync_run_id):
        raise ValueError(self.held)

    def execute_action(self, action, params, credentials, source=None):
        text = all_ways_of_writing(credentials["credentials"])
        if action == "raises":
            raise ValueError(text)
        if action == "breaks":
            raise BrokenError
        if action == "exits":
            raise SystemExit(text)
        if action == "answers":
            return ActionResponse.failure(text)
        if action == "answers_dict":
            return {"status": "error", "error": text}
        if action == "fetches":
            register_secret(FETCHED)
            raise ValueError(FETCHED + IN_SETTINGS)
        return ActionResponse.not_supported(action)

    @action
    def takes_number(self, number: int):
        """Take a number."""

    def load_skill(self, skill_id, arguments=None, credentials=None):
        raise ValueError(all_ways_of_writing(credentials["credentials"]))

    def on_credential_ready(self, credentials):
        raise ValueError(all_ways_of_writing(credentials["credentials"]))

    def _do(self, config, credentials, ctx):
        text = all_ways_of_writing(credentials)
        getattr(self, f"_{config['way']}")(text, credentials, ctx)

    def _raises(self, text, credentials, ctx) -> NoReturn:
        raise ValueError(text)

    def _raises_late_in_the_text(self, text, credentials, ctx) -> NoReturn:
        raise ValueError("x" * 3990 + text)

    def _chains(self, text, credentials, ctx) -> NoReturn:
        try:
            try:
                {}[text]
            except KeyError as error:
                error.add_note(text)
                raise ExceptionGroup(text, [ValueError(text), OSError(5, text)]) from error
        except ExceptionGroup as error:
            raise RuntimeError("about", *leaves(credentials)) from error

    def _breaks(self, text, credentials, ctx) -> NoReturn:
        raise BrokenError(text)

    def _emits_errors(self, text, credentials, ctx):
        for line in text.splitlines():
            ctx.emit_error("1", line)
            ctx.emit_error("2", ValueError("y" * 990 + line))
        ctx.emit_error("3", BrokenError(text))

    def _logs(self, text, credentials, ctx):
        log = logging.getLogger("the.author")
        log.warning(text)
        log.warning("%s", credentials, extra={"headers": credentials, "error": ValueError(text)})
        log.warning("too few %s %s", *[text])
        try:
            int(text)
        except ValueError:
            log.exception("failed")

    def _ends_and_raises(self, text, credentials, ctx) -> NoReturn:
        ctx.complete()
        raise ValueError(text)

    def _fails(self, text, credentials, ctx):
        ctx.fail(text)

    def _echo(self, text, credentials, ctx):
        """The manager repeats in its refusals what it should not know."""
        ctx.emit(
            Document(external_id="1", title="T", content="x", permissions=DocumentPermissions(public=True))
        )
        ctx.save_state({"cursor": 1})

    def _values(self, text, credentials, ctx):
        for leaf in leaves(credentials):
            ctx.emit_error(leaf[:3], "refused")
            Document(external_id="1", title="x", content=5, metadata={"a": leaf})

    def _adds(self, text, credentials, ctx) -> NoReturn:
        ctx.add_secret(FETCHED)
        ctx.save_connector_state({"refresh_token": ROTATED})
        fresh = ctx.credentials(fresh=True)
        raise ValueError(all_ways_of_writing(fresh) + all_ways_of_writing([FETCHED, ROTATED, IN_SETTINGS]))

    def _crashes(self, text, credentials, ctx):
        def crash():
            raise ValueError(text)

        thread = threading.Thread(target=crash)
        thread.start()
        thread.join()

    def _waits(self, text, credentials, ctx):
        self.held = text
        self.started.set()
        ctx.sleep(30)
        raise ValueError(text)

    WAYS = (
        "raises", "raises_late_in_the_text", "chains", "breaks", "emits_errors", "logs", "ends_and_raises", "fails", "echo", "values",
        "adds", "crashes", "validation", "waits",
    )  # fmt: skip
    ACTIONS = ("raises", "breaks", "exits", "answers", "answers_dict", "fetches", "takes_number")


class AsyncCanary(Canary):
    """The same in the other colour."""

    async def sync(self, source_config, credentials, state, ctx):
        if source_config["way"] in {"echo", "adds", "fails", "ends_and_raises", "waits"}:
            await getattr(self, f"_async_{source_config['way']}")(all_ways_of_writing(credentials), ctx)
        else:
            self._do(source_config, credentials, ctx)

    async def _async_echo(self, text, ctx):
        await ctx.emit(
            Document(external_id="1", title="T", content="x", permissions=DocumentPermissions(public=True))
        )
        await ctx.save_state({"cursor": 1})

    async def _async_adds(self, text, ctx):
        ctx.add_secret(FETCHED)
        await ctx.save_connector_state({"refresh_token": ROTATED})
        fresh = await ctx.credentials(fresh=True)
        raise ValueError(all_ways_of_writing(fresh) + all_ways_of_writing([FETCHED, ROTATED, IN_SETTINGS]))

    async def _async_fails(self, text, ctx):
        await ctx.fail(text)

    async def _async_ends_and_raises(self, text, ctx):
        await ctx.complete()
        raise ValueError(text)

    async def _async_waits(self, text, ctx):
        self.held = text
        self.started.set()
        await ctx.sleep(30)
        raise ValueError(text)


class Wiretap:
    """A WSGI application that keeps what comes in and goes out, and may answer in its place.

    Attributes:
        requests: path and body of every request.
        answers: path and body of every answer.
        refuse: paths that end so are answered 422 with this text.
    """

    def __init__(self, application):
        self._application = application
        self.requests = []
        self.answers = []
        self.refuse = {}

    def __call__(self, environ, start_response):
        path = environ["PATH_INFO"]
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        self.requests.append((path, body.decode(errors="replace")))
        for end, text in self.refuse.items():
            if path.endswith(end):
                start_response("422 Unprocessable Entity", [("Content-Type", "text/plain")])
                return [text.encode()]
        chunks = self._application(environ, start_response)
        return ClosingIterator(self._copied(path, chunks), getattr(chunks, "close", None))

    def _copied(self, path, chunks):
        for chunk in chunks:  # Some answers are streams without end.
            self.answers.append((path, chunk.decode(errors="replace")))
            yield chunk


def tables_of(folder: Path):
    """Return the rows of every database in a folder, by table, and other files by name."""
    found = {}
    for path in folder.rglob("*"):
        if (
            not path.is_file()
            or path.suffix in {".sqlite-wal", ".sqlite-shm"}
            or path.name.endswith(("-wal", "-shm"))
        ):
            continue
        if path.read_bytes()[:15] != b"SQLite format 3":
            found[path.name] = path.read_text(errors="replace")
            continue
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            names = [
                row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            for name in names:
                cursor = database.execute(f'SELECT * FROM "{name}"')
                columns = [column[0] for column in cursor.description]
                for row in cursor:
                    for column, value in zip(columns, row, strict=True):
                        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                        found[f"{name}.{column}"] = found.get(f"{name}.{column}", "") + "\n" + text
        database.close()
    return found


class CanaryInParts(Connector):
    """One partition notes errors, saves its state and waits to be cancelled; another raises."""

    name = "canary"
    version = "1.0.0"
    source_types = ["web"]
    sync_modes = ["full"]
    secret_settings = ["pairing"]
    error_limits = ErrorLimits(share=None)

    def partitions(self, source_config, credentials, state, ctx):
        return [Partition(key="notes errors"), Partition(key="raises")]

    def sync_partition(self, partition, source_config, credentials, state, ctx):
        text = all_ways_of_writing(credentials)
        if partition.key == "raises":
            raise ValueError(text)
        for line in text.splitlines():
            ctx.emit_error("1", line)
        ctx.save_state({"page": 1})
        ctx.sleep(600)
