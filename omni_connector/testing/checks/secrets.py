"""Credentials and secret settings appear in no document, state, error, log or print."""

import json
from collections.abc import Iterator
from typing import Any

import attrs

from omni_connector.testing.checks.bench import Bench
from omni_connector.testing.checks.finding import Finding, NotApplicableError
from omni_connector.testing.checks.leaks import Recording, SecretFinder
from omni_connector.testing.results import SyncResult


def find(bench: Bench) -> Iterator[Finding]:
    """Look for the subject's secrets in everything that the runs so far have put out, and in two more runs."""
    names = [*bench.connector.secret_settings, *bench.connector.declared_types.secret_names]
    secrets = SecretFinder(bench.subject.credentials, bench.subject.config, names)
    if not secrets:
        raise NotApplicableError("neither the credentials nor the settings that were given hold a secret")
    recording = Recording(secrets)
    with recording.listening():
        result = bench.sync()
        if "incremental" in bench.modes:
            bench.sync(result.source_id, "incremental")
    for each in bench.results:
        _look_at(each, recording)
        state = bench.manager.source(each.source_id).connector_state
        recording.look("the connector state", json.dumps(state), f"source {each.source_id}")
    for (name, output), where in recording.leaks.items():
        yield Finding(
            what=f"The value of {name} appears in {output}.",
            where=where,
            why="Whoever can read it can use the account.",
            remedy="Leave it out. If it is a secret that only you know as one, declare it with secret(), or call "
            "ctx.add_secret(), so that logs and errors are masked.",
        )


def _look_at(result: SyncResult, recording: Recording) -> None:
    for name, document in result.index.items():
        recording.look("a document", _text(attrs.asdict(document)), f"document {name!r}")
    recording.look("groups or people", _text([result.groups, result.people]), f"source {result.source_id}")
    recording.look("the state", _text([result.state, result.saved_state]), "the saved state")
    recording.look("the error of a run", result.error or "", f"{result.mode} sync")


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
