import subprocess
import sys

import pytest

import omni_connector.testing
from omni_connector.local import LocalManager
from omni_connector.testing import SyncRunner

pytest_plugins = ["pytester"]


def test_the_manager_of_a_test_runs_and_starts_empty(omni_manager):
    assert isinstance(omni_manager, LocalManager)
    assert omni_manager.url.startswith("http://127.0.0.1:")
    assert list(omni_manager.documents()) == []


def test_run_sync_uses_the_manager_of_the_test(run_sync, omni_manager):
    assert isinstance(run_sync, SyncRunner)
    assert run_sync.manager is omni_manager


def test_loading_the_plugin_imports_neither_flask_nor_requests_nor_the_manager():
    heavy = ("flask", "requests", "sqlite3", "omni_connector.local")
    code = (
        "import sys; before = set(sys.modules); import omni_connector.testing.plugin;"
        f"print([name for name in {heavy} if name in set(sys.modules) - before])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_every_exported_name_is_there_and_others_are_not():
    for name in omni_connector.testing.__all__:
        assert getattr(omni_connector.testing, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'run_syncs'"):
        omni_connector.testing.run_syncs  # noqa: B018


def test_an_authors_test_needs_ten_lines(pytester):
    pytester.makepyfile(
        test_mine="""
        from omni_connector import Connector, Document

        class Mine(Connector):
            name = "mine"
            version = "1"
            def sync(self, source_config, credentials, state, ctx):
                ctx.emit(Document(external_id="1", title="One", content="hello"))

        def test_it(run_sync):
            assert run_sync(Mine()).documents["1"].content == "hello"
        """
    )
    pytester.runpytest_subprocess("-q").assert_outcomes(passed=1)
