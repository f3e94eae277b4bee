import json
import re

import pytest
from cli_cases import CONNECTORS, NOTES


def test_a_check_that_finds_something_ends_with_1_and_says_how_to_mend_it(omni):
    result = omni("check", NOTES, "--only", "permissions")
    assert result.exit_code == 1, result.output
    lines = result.stdout.splitlines()
    assert lines[1].startswith("permissions failed")
    assert [line.split()[0] for line in lines[2:6]] == ["fault", "where", "why", "fix"]
    assert lines[-1] == "1 check: 1 failed. 1 finding."
    assert omni("check", NOTES, "--only", "permissions", "--public").exit_code == 0


def test_json_has_every_result_and_nothing_else(omni):
    result = omni("check", NOTES, "--only", "sync", "--only", "connection", "--json", "--set", 'broken=["x"]')
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert (said["connector"], said["passed"]) == ("notes", False)
    connection, sync = said["checks"]
    assert connection["outcome"] == "not applicable"
    assert (sync["outcome"], sync["findings"][0]["where"]) == ("failed", "document 'x'")


def test_nothing_more_is_checked_when_the_first_sync_fails(omni):
    result = omni("check", NOTES, "--set", "fail=no")
    assert result.exit_code == 1
    assert "repeatable  not applicable: not checked: the first full sync failed" in result.stdout


def test_without_documents_most_checks_do_not_apply(omni, tmp_path):
    path = tmp_path / "silent.py"
    path.write_text(
        """
from omni_connector import Connector

class Silent(Connector):
    name, version, source_types = "silent", "1", ["web"]

    def sync(self, config, credentials, state, ctx):
        pass
"""
    )
    result = omni("check", path)
    rows = dict(re.findall(r"^(\w+) +(\w.*)$", result.stdout, re.MULTILINE))
    assert rows["sync"].startswith("failed")
    for name in ("repeatable", "cancel", "deletions"):
        assert rows[name] == "not applicable: the sync brings no document"


def test_a_check_that_there_is_not_is_refused(omni):
    result = omni("check", NOTES, "--only", "speed")
    assert (result.exit_code, "Checks: manifest, connection," in result.stderr) == (2, True)


@pytest.mark.slow
def test_a_command_that_removes_nothing_is_refused(omni, tmp_path):
    result = omni("check", NOTES, "--only", "deletions", "--remove", "exit 3")
    assert (result.exit_code, "--remove exit 3: ended with 3" in result.stderr) == (3, True)


@pytest.mark.slow
def test_every_sync_has_a_connector_of_its_own(omni, tmp_path):
    """The class is made anew, the module is not loaded again."""
    path = tmp_path / "counted.py"
    path.write_text(
        (CONNECTORS / "notes.py").read_text().partition("class Notes")[0]
        + """
class Once(Connector):
    name, version, source_types = "once", "1", ["web"]

    def sync(self, config, credentials, state, ctx):
        assert not hasattr(self, "ran")
        self.ran = True
        ctx.emit(Document(external_id="a", title="a", content="a", permissions=DocumentPermissions(users=["a@b.example"])))
"""
    )
    assert omni("check", path, "--only", "repeatable").exit_code == 0
