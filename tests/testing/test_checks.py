"""Each check finds the fault that it is for, and nothing in a connector that is right."""

import re
from pathlib import Path

import faulty_connectors as faulty
import pytest
from attrs import define

from omni_connector.testing import ConnectorStandardTests
from omni_connector.testing.checks import CHECKS, Bench, Subject, run_checks

pytest_plugins = ["pytester"]

BY_NAME = {check.name: check for check in CHECKS}
PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "checking.md").read_text()
(CODE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
TOKEN = "t0p-s3cret-0815"

FAULTS = [
    ("manifest", faulty.BadMode, "'sometimes'"),
    ("connection", faulty.CannotConnect, "check_connection says: The server does not answer."),
    ("sync", faulty.Breaks, "ends as failed"),
    ("repeatable", faulty.OtherIds, "6 documents missing, 6 documents too many"),
    ("repeatable", faulty.TimeInText, "6 documents different in content"),
    ("order", faulty.OtherOrder, "different orders"),
    ("order", faulty.SameIds, "1 ids are sent more than once"),
    ("incremental", faulty.ForgetsState, "sends 6 of 6 documents"),
    ("incremental", faulty.DeletesUnchanged, "deletes 1 documents"),
    ("resume", faulty.CannotReadItsState, "KeyError: 'known'"),
    ("resume", faulty.SkipsAfterResume, "different in content"),
    ("resume", faulty.SavesBeforeItEmits, "2 documents missing"),
    ("state", faulty.SavesBeforeItEmits, "has lost 2 documents"),
    ("state", faulty.CursorInConnectorState, "has lost"),
    ("cancel", faulty.TidiesForLong, "goes on for more than 2 s"),
    ("cancel", faulty.ListensDeaf, "goes on for more than 2 s"),
    ("cancel", faulty.LeavesThread, "A thread of the connector goes on"),
    ("cancel", faulty.RemembersInMemory, "The run after a cancelled one"),
    ("permissions", faulty.Public, "6 documents of 6 can be found by everybody"),
    ("permissions", faulty.ForNobody, "6 documents of 6 can be found by no user"),
    ("permissions", faulty.UnknownGroup, "in the group 'crew@example.com'"),
    ("permissions", faulty.MixedCase, "Ann@Example.com is not in lower case"),
    ("permissions", faulty.NoAddress, "'ann' is no e-mail address"),
    ("dates", faulty.NaiveDate, "2026-01-05T12:00:00 has no zone"),
    ("dates", faulty.LocalTime, "in another zone"),
    ("dates", faulty.Milliseconds, "is hardly meant"),
    ("manager", faulty.HasTimeOut, "With a slow manager"),
    ("manager", faulty.RemembersInMemory, "After the manager was away"),
    ("refused", faulty.ForgetsRefused, "1 document that the manager rejected once"),
    ("memory", faulty.HoldsAll, "MiB of memory"),
    ("secrets", faulty.TokenInDocument, "credentials.token appears in a document"),
    ("secrets", faulty.TokenInState, "credentials.token appears in the state"),
    ("secrets", faulty.PrintsToken, "credentials.token appears in standard output"),
    ("deletions", faulty.DeletesNothing, "is not deleted"),
    ("deletions", faulty.DeletesInFullOnly, "by a full sync only"),
    ("deletions", faulty.DeletesOthers, "3 documents deleted"),
]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Make a bench for a class of connectors."""
    monkeypatch.setattr(faulty.Right, "notes", {f"note-{n}": f"text {n}" for n in range(6)})
    benches = []

    def remove():
        del faulty.Right.notes["note-3"]
        return "note-3"

    def make(connector, **more):
        subject = Subject(
            make=connector, credentials={"token": TOKEN, "user": "annabelle"}, remove_document=remove, **more
        )
        bench = Bench(subject, tmp_path / "manager")
        benches.append(bench)
        return bench.__enter__()

    faulty.LeavesThread.stop.clear()
    yield make
    faulty.LeavesThread.stop.set()
    for each in benches:
        each.__exit__()


QUICK = {faulty.BadMode, faulty.CannotConnect, faulty.UnknownGroup, faulty.CannotReadItsState}
"""Tried in every run of the suite; the others take a second or more each."""


@pytest.mark.parametrize(
    ("name", "connector", "text"),
    [
        pytest.param(
            name,
            connector,
            text,
            id=f"{name}-{connector.__name__}",
            marks=[] if connector in QUICK else pytest.mark.slow,
        )
        for name, connector, text in FAULTS
    ],
)
def test_a_fault_is_found(bench, name, connector, text):
    result = BY_NAME[name].run(bench(connector))
    assert result.findings, result.reason
    finding = next((finding for finding in result.findings if text in finding.what), None)
    assert finding, [str(each) for each in result.findings]
    assert all([finding.where, finding.why, finding.remedy])
    assert TOKEN not in str(finding)


@define
class Notebook:
    url: str


class Typed(faulty.Right):
    config = Notebook

    def check_connection(self, config, credentials):
        return None if config.url == "https://notes" else "another source"

    def document(self, name, text, config, credentials):
        return super().document(name, text, {"url": config.url}, credentials)


def test_instances_of_settings_classes_are_taken_as_dicts_are(bench):
    notes = Notebook(url="https://notes")
    made = bench(Typed, config=notes, large_config=notes)
    assert BY_NAME["connection"].run(made).outcome == "passed"
    assert "the source has 0.0 MiB" in BY_NAME["memory"].run(made).reason


@pytest.mark.slow
def test_nothing_is_found_in_a_connector_that_is_right(bench):
    results = {result.name: result for result in run_checks(bench(faulty.Right))}
    assert [str(finding) for result in results.values() for finding in result.findings] == []
    assert {name for name, result in results.items() if result.reason} == {"memory"}


@pytest.mark.slow
def test_of_a_realtime_connector_what_applies_is_checked(bench):
    results = {result.name: result for result in run_checks(bench(faulty.Listens))}
    assert {name: result.outcome for name, result in results.items() if not result.reason} == {
        "manifest": "passed",
        "connection": "passed",
        "cancel": "passed",
    }
    assert "realtime only" in results["state"].reason


@pytest.mark.slow
def test_a_large_source_that_is_streamed_is_right(bench):
    assert BY_NAME["memory"].run(bench(faulty.Streams, large_config={"documents": 60})).outcome == "passed"


def test_every_check_has_a_fault_that_it_finds_a_standard_test_and_a_paragraph():
    found = {name for name, _, _ in FAULTS}
    tests = {name.removeprefix("test_") for name in vars(ConnectorStandardTests) if name.startswith("test_")}
    paragraphs = set(re.findall(r"^\*\*`(\w+)`\*\*", PAGE, re.MULTILINE))
    assert found == tests == paragraphs == set(BY_NAME)


@pytest.mark.slow
def test_the_standard_tests_of_the_documentation_pass(pytester):
    pytester.makepyfile(CODE)
    ended = pytester.runpytest_inprocess("-q", "-rs", "-p", "no:cacheprovider")
    ended.assert_outcomes(passed=11, skipped=5)


@pytest.mark.slow
def test_a_standard_test_fails_with_the_finding(pytester):
    pytester.makepyfile(
        CODE.replace('DocumentPermissions(users=["ann@example.com"])', "DocumentPermissions(public=True)")
    )
    ended = pytester.runpytest_inprocess("-q", "-k", "permissions or sync", "-p", "no:cacheprovider")
    ended.assert_outcomes(passed=1, failed=1)
    ended.stdout.fnmatch_lines(["*3 documents of 3 can be found by everybody.", "*fix:*--public*"])
