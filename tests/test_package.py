"""The package as a whole: its public names, and what importing it does not do."""

from __future__ import annotations

import ast
import graphlib
import inspect
import pkgutil
import subprocess
import sys
import tomllib
import types
import zipfile
from pathlib import Path

import grimp
import pytest

import omni_connector
from omni_connector import exceptions

ROOT = Path(omni_connector.__file__).parent
OPTIONAL = {"wsgi", "asgi", "worker", "gunicorn_conf"}
"""Modules that are made to act when they are imported: servers import them when they start."""

FOREIGN = {"omni_connector.bridges.dlt_extraction"}
"""Modules that import a library which reads the environment when it is imported, and that nothing else imports early."""

LIBRARIES = """
import flask, requests, gunicorn.app.base, gunicorn.arbiter, cattrs, orjson, asyncio, waitress, sqlite3
import logging.config, importlib.metadata, mcp, mcp.client.streamable_http
from celery import Celery, Task, signals
import prometheus_client.openmetrics.exposition, wsgiref.simple_server
import opentelemetry.sdk.trace.export, opentelemetry.propagate
"""
"""What the interpreter's own modules and the libraries do when they are imported is not ours."""

SEALED = """
import os, sys, threading
real = os.environ

class Sealed(type(real)):
    def __getitem__(self, name):
        raise AssertionError(f"read {name}")
    get = __contains__ = __iter__ = items = keys = __getitem__

os.environ = Sealed.__new__(Sealed)
before = threading.active_count()
"""


def run(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules():
    return sorted(
        module.name
        for module in pkgutil.walk_packages([str(ROOT)], "omni_connector.")
        if module.name.split(".")[1] not in {"cli", "local", "testing", *OPTIONAL}
        and module.name not in FOREIGN
    )


def test_no_two_test_modules_have_one_name():
    """Pytest collects neither then; who runs one folder alone does not see it."""
    names = [path.name for path in Path(__file__).parent.rglob("test_*.py")]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_every_public_name_exists_and_none_is_missing():
    assert sorted(omni_connector.__all__) == sorted(set(omni_connector.__all__))
    for name in omni_connector.__all__:
        assert getattr(omni_connector, name) is not None
        assert name == "__version__" or not name.startswith("_")
    assert set(omni_connector.__all__) <= set(dir(omni_connector))


def test_the_names_for_type_checkers_are_those_of_all():
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("omni_connector")
        for alias in node.names
    }
    assert imported == set(omni_connector.__all__)


def test_a_name_that_is_not_public_is_refused_as_usual():
    with pytest.raises(AttributeError, match="has no attribute 'EventLoop'"):
        _ = omni_connector.EventLoop


def test_public_names_are_classes_and_functions_of_this_package():
    for name in set(omni_connector.__all__) - {"__version__"}:
        member = getattr(omni_connector, name)
        if isinstance(member, types.UnionType):
            continue
        assert inspect.isclass(member) or inspect.isfunction(member), name
        assert member.__module__.startswith("omni_connector."), name
        assert member.__doc__, name


def test_every_error_is_of_the_family_and_in_its_tree():
    family = [
        member
        for member in vars(exceptions).values()
        if inspect.isclass(member)
        and issubclass(member, Exception)
        and member.__module__ == exceptions.__name__
    ]
    assert all(issubclass(member, omni_connector.ConnectorError) for member in family)
    assert all(member.__name__ in exceptions.__doc__ for member in family)


def test_importing_the_package_loads_nothing_heavy():
    code = """
import sys
import tomllib
import zipfile
before = set(sys.modules)
import omni_connector
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(loaded & {"flask", "werkzeug", "gunicorn", "rich", "click", "waitress", "requests", "sqlite3", "asyncio"}))
"""
    assert run(code).strip() == "[]"


def test_all_that_an_author_imports_loads_no_web_framework_and_no_command_line():
    code = """
import sys
import tomllib
import zipfile
before = set(sys.modules)
from omni_connector import *
loaded = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(loaded & {"flask", "werkzeug", "gunicorn", "rich", "click", "waitress", "sqlite3", "asyncio"}))
"""
    assert run(code).strip() == "[]"


def test_importing_any_module_reads_no_environment_and_starts_no_thread():
    imports = "".join(f"import {name}\n" for name in modules())
    assert "import omni_connector.runtime.worker\n" in imports
    code = (
        f"{LIBRARIES}{SEALED}{imports}from omni_connector import *\nprint(threading.active_count() - before)"
    )
    assert run(code).strip() == "0"


def test_the_seal_on_the_environment_holds():
    done = subprocess.run(
        [sys.executable, "-c", f"{SEALED}import os\nos.environ.get('PORT')"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "AssertionError: read PORT" in done.stderr


def test_no_modules_import_each_other_in_a_circle():
    graph = grimp.build_graph("omni_connector")
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    in_order = list(
        graphlib.TopologicalSorter(imports).static_order()
    )  # Raises CycleError, which names the circle.
    assert set(in_order) == graph.modules


def test_the_contract_for_the_embedded_manager_names_everything_of_ours():
    contracts = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]
    (contract,) = [
        each for each in contracts["contracts"] if each.get("source_modules") == ["omni_connector.local"]
    ]
    ours = {module.name for module in pkgutil.iter_modules([str(ROOT)], "omni_connector.")}
    assert set(contract["forbidden_modules"]) == ours - {"omni_connector.local"}


def test_the_contract_of_the_rooms_has_no_exceptions():
    contracts = tomllib.loads((ROOT.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"][
        "importlinter"
    ]
    assert not any(each.get("ignore_imports") for each in contracts["contracts"])


def test_an_editable_install_is_seen_by_type_checkers(tmp_path):
    """They follow a path in a .pth file, but no import hook, which setuptools would choose by itself."""
    pytest.importorskip("setuptools")
    build = f"import setuptools.build_meta as b; b.build_editable({str(tmp_path)!r})"
    subprocess.run(
        [sys.executable, "-c", build], cwd=ROOT.parent, capture_output=True, check=True, timeout=120
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        (pth,) = [name for name in opened.namelist() if name.endswith(".pth")]
        assert opened.read(pth).decode().strip() == str(ROOT.parent)


def test_the_package_says_that_it_is_typed():
    assert (ROOT / "py.typed").is_file()
