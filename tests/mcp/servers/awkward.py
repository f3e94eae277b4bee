"""A server that does what servers should not: it lists in pages of one, hangs, dies, leaves children, talks a lot.

It speaks the protocol by itself, over stdio, so that it is there at once: importing the ``mcp`` package takes a second.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

NOTHING = {"type": "object", "properties": {}}
TREE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}},
    },
}
RECURSIVE = {
    "type": "object",
    "properties": {"tree": {"$ref": "#/$defs/Tree"}},
    "required": ["tree"],
    "$defs": {"Tree": TREE},
}
CONDITIONAL = {
    "type": "object",
    "properties": {"kind": {"enum": ["a", "b"]}},
    "if": {"properties": {"kind": {"const": "a"}}},
    "then": {"required": ["kind"]},
}
UNSPEAKABLE = {"type": "object", "properties": {"not": {"type": "string"}}, "required": ["not"]}
SAYING = {"type": "object", "properties": {"text": {"type": "string"}, "times": {"type": "integer"}}}

SCHEMAS = {
    "pid": NOTHING,
    "hang": NOTHING,
    "spin": NOTHING,
    "die": NOTHING,
    "spawn": NOTHING,
    "say": SAYING,
    "environment": {"type": "object", "properties": {"name": {"type": "string"}}},
    "arguments": {
        "type": "object",
        "properties": {"document_id": {"type": "string"}, "count": {"type": "integer"}},
    },
    "grow": NOTHING,
    "recursive": RECURSIVE,
    "conditional": CONDITIONAL,
    "unspeakable": UNSPEAKABLE,
}
READING = {"pid", "environment", "arguments"}
grown = False


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def page(items, params, key):
    at = int(params.get("cursor") or 0)
    following = {"nextCursor": str(at + 1)} if at + 1 < len(items) else {}
    return {key: items[at : at + 1], **following}


def tools():
    names = [*SCHEMAS, "grown"] if grown else list(SCHEMAS)
    return [
        {
            "name": name,
            "description": f"with {os.environ.get('TOKEN')}" if name == "environment" else name,
            "inputSchema": SCHEMAS.get(name, NOTHING),
            "annotations": {"readOnlyHint": name in READING},
        }
        for name in names
    ]


def call(name, given):
    global grown  # noqa: PLW0603
    if name == "pid":
        return os.getpid()
    if name == "environment":
        return os.environ.get(given["name"], "not set")
    if name == "arguments":
        return json.dumps(given, sort_keys=True)
    if name == "spawn":
        return subprocess.Popen(["sleep", "3600"], stdin=subprocess.DEVNULL).pid
    if name == "spin":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(3600)
    if name == "die":
        print("about to die of t0p-secret", file=sys.stderr, flush=True)
        os._exit(3)
    if name == "say":
        for number in range(given.get("times", 1)):
            print(f"{given['text']} {number}", file=sys.stderr)
        sys.stderr.flush()
    if name == "grow":
        grown = True
        send({"method": "notifications/tools/list_changed"})
    return "done"


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {"listChanged": True}, "prompts": {}, "resources": {}},
            "serverInfo": {"name": "awkward", "version": "1"},
        }
    if method == "tools/list":
        return page(tools(), params, "tools")
    if method == "prompts/list":
        return page([{"name": name} for name in ("first", "second", "third")], params, "prompts")
    if method == "resources/list":
        return page([{"uri": f"awkward://{n}", "name": str(n)} for n in (1, 2, 3, 4)], params, "resources")
    if method == "tools/call":
        text = str(call(params["name"], params.get("arguments") or {}))
        return {"content": [{"type": "text", "text": text}]}
    return None


def serve():
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        params = message.get("params") or {}
        if message["method"] == "tools/call" and params["name"] == "hang":
            continue
        result = answer(message["method"], params)
        if result is None:
            send({"id": message["id"], "error": {"code": -32601, "message": f"no {message['method']}"}})
        else:
            send({"id": message["id"], "result": result})


if __name__ == "__main__":
    if "mute" in sys.argv:  # Starts and never answers.
        time.sleep(3600)
    if "slow" in sys.argv:
        time.sleep(1)
    if "broken" in sys.argv:
        print("cannot find the key t0p-secret", file=sys.stderr)
        sys.exit(1)
    serve()
