"""Finding a connector by name, and what is said when it cannot be found."""

from __future__ import annotations

import sys
import textwrap

import pytest

from omni_connector import Connector
from omni_connector.exceptions import ConfigurationError
from omni_connector.target import load_connector

ONE = """
    from omni_connector import Connector

    class Notes(Connector):
        name = "notes"
        version = "1"

        def sync(self, source_config, credentials, state, ctx):
            pass
"""
TWO = (
    ONE
    + """
    class Mails(Connector):
        name, version = "mails", "1"

        def sync(self, source_config, credentials, state, ctx):
            pass
"""
)


@pytest.fixture(autouse=True)
def fresh_imports(monkeypatch, tmp_path):
    """Let a test import what it wrote, and forget it afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = dict(sys.modules)
    yield
    for name in set(sys.modules) - set(before):
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return str(path)

    return write


MISSING = f"which is not installed for {sys.executable}. Install the package that provides it."


def problem(target):
    with pytest.raises(ConfigurationError) as caught:
        load_connector(target)
    (only,) = caught.value.problems
    assert "Traceback" not in only
    return only


def test_a_class_in_a_module_of_the_current_directory(write):
    write("my_notes.py", TWO)
    connector = load_connector("my_notes:Mails")
    assert isinstance(connector, Connector)
    assert connector.name == "mails"


def test_a_class_in_a_package(write):
    write("acme/__init__.py", "")
    write("acme/notes.py", ONE)
    assert load_connector("acme.notes:Notes").name == "notes"


def test_the_only_connector_of_a_module_needs_no_name(write):
    write("my_notes.py", ONE)
    assert load_connector("my_notes").name == "notes"


def test_a_file_by_its_path(write):
    assert load_connector(write("deep/my_notes.py", ONE)).name == "notes"


def test_a_class_in_a_file(write):
    assert load_connector(f"{write('my_notes.py', TWO)}:Mails").name == "mails"


def test_a_file_imports_its_neighbours(write):
    write("deep/neighbour.py", "NAME = 'from the neighbour'")
    path = write(
        "deep/my_notes.py", "from neighbour import NAME\n" + textwrap.dedent(ONE).replace('"notes"', "NAME")
    )
    assert load_connector(path).name == "from the neighbour"


def test_a_dataclass_in_a_file_finds_its_module(write):
    path = write(
        "my_notes.py",
        "from __future__ import annotations\nimport dataclasses\n\n"
        "@dataclasses.dataclass\nclass Note:\n    text: str\n" + textwrap.dedent(ONE),
    )
    assert load_connector(path).name == "notes"


def test_an_instance_in_place_of_a_class(write):
    write("my_notes.py", ONE + "\n    notes = Notes()\n")
    assert load_connector("my_notes:notes").name == "notes"


def test_connectors_that_a_module_only_imports_do_not_count(write):
    write("base_notes.py", ONE)
    path = write("more.py", "from base_notes import Notes\n\nclass Mine(Notes):\n    name = 'mine'\n")
    assert load_connector(path).name == "mine"


def test_abstract_bases_do_not_count(write):
    path = write(
        "my_notes.py",
        textwrap.dedent(ONE) + "\nclass Base(Connector):\n    name = 'base'\n",
    )
    assert load_connector(path).name == "notes"


@pytest.mark.parametrize("name", ["", ":Notes"])
def test_a_path_may_hold_colons(write, name):
    path = write("2026-11-29T10:00/my_notes.py", ONE)
    assert load_connector(f"{path}{name}").name == "notes"


def test_a_module_that_is_not_there(write):
    text = problem("no_such_module:Notes")
    assert text.startswith("no_such_module:Notes: there is no module no_such_module.")
    write("acme/__init__.py", "")
    assert "there is no module acme.missing." in problem("acme.missing:Notes")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("data/teams.json", "data/teams.json is not a .py file"),
        ("./data/teams.json:Notes", "./data/teams.json is not a .py file"),
        ("data/", "data/ is a folder"),
        (".", ". is a folder"),
    ],
)
def test_a_path_that_is_no_python_file(write, target, said):
    write("data/teams.json", "{}")
    assert problem(target).startswith(f"{said}: name the Python file of the connector")


def test_a_module_that_needs_another_one(write):
    write("my_notes.py", "import no_such_library")
    assert problem("my_notes:Notes") == f"my_notes:Notes needs the module no_such_library, {MISSING}"
    path = write("other.py", "import no_such_library")
    assert problem(path) == f"{path} needs the module no_such_library, {MISSING}"


def test_a_module_that_needs_what_an_extra_installs(write, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlt", None)
    assert problem(write("rows.py", "import dlt")).endswith('. pip install "omni-connector[dlt]"')


def test_a_field_without_a_default_below_one_with_a_default(write):
    fields = "    a: str = '1'\n    b: str\n"
    path = write("fields.py", f"import attrs\n\n@attrs.define\nclass Settings:\n{fields}")
    moved = "Settings.b has no default and follows fields that have one: move it up (in "
    assert problem(path).startswith(f"{path} cannot be loaded: {moved}")


@pytest.mark.parametrize(
    "code", ["1 / 0", "def broken(:", "from os import no_such_name", "raise ModuleNotFoundError"]
)
def test_a_module_that_fails_when_it_is_imported(write, code):
    path = write("my_notes.py", code)
    assert problem("my_notes:Notes").startswith("my_notes:Notes cannot be imported: ")
    assert problem(path).startswith(f"{path} cannot be loaded: ")


def test_a_script_that_ends_the_process_is_told_where_to_put_the_call(write):
    path = write("my_script.py", ONE + "\n    raise SystemExit('no manager')\n")
    for target in (path, "my_script:Notes"):
        assert 'if __name__ == "__main__":' in problem(target)


def test_a_file_that_fails_leaves_nothing_behind(write):
    path = write("half_made.py", "import math\n1 / 0")
    problem(path)
    assert "half_made" not in sys.modules


def test_an_interrupt_while_loading_is_not_swallowed(write):
    with pytest.raises(KeyboardInterrupt):
        load_connector(write("my_notes.py", "raise KeyboardInterrupt"))


def test_a_file_that_is_not_there(tmp_path):
    path = str(tmp_path / "missing.py")
    assert problem(path) == f"{path}: there is no such file."
    (tmp_path / "mising.py").write_text("")
    assert problem(path).endswith(f"no such file. Did you mean {tmp_path / 'mising.py'}?")
    (tmp_path / "directory.py").mkdir()
    assert "no such file" in problem(str(tmp_path / "directory.py"))


def test_a_class_that_is_not_there_is_answered_with_those_that_are(write):
    write("my_notes.py", TWO)
    assert problem("my_notes:Nots") == (
        "my_notes:Nots: there is no Nots in my_notes. Connectors there: Mails, Notes."
    )
    write("empty.py", "")
    assert "Connectors there: none." in problem("empty:Notes")


def test_several_connectors_want_a_name(write):
    path = write("my_notes.py", TWO)
    assert problem(path) == f"{path} holds several connectors: Mails, Notes. Name one, such as {path}:Mails"


def test_of_connectors_that_inherit_from_each_other_the_last_is_meant(write):
    """Unless it leaves several to choose from."""
    derived = ONE + "\n    class Mails(Notes):\n        name = 'mails'\n"
    assert load_connector(str(write("one_leaf.py", derived))).name == "mails"
    path = write("two_leaves.py", derived + "\n    class Boards(Notes):\n        name = 'boards'\n")
    assert f"holds several connectors: Boards, Mails. Name one, such as {path}:Boards" in problem(path)


def test_no_connector_at_all(write):
    path = write("empty.py", "x = 1")
    assert problem(path) == f"{path} holds no Connector: subclass omni_connector.Connector in it."


def test_what_is_not_a_connector(write):
    path = write("my_notes.py", "class Notes:\n    pass\n\nnumber = 5\n")
    for name in ("Notes", "number"):
        assert problem(f"{path}:{name}").startswith(f"{path}:{name} is not a Connector: name a subclass of")


def test_a_connector_that_is_not_finished_is_told_what_it_lacks(write):
    path = write(
        "my_notes.py", "from omni_connector import Connector\n\nclass Notes(Connector):\n    name = 'n'\n"
    )
    for target in (path, f"{path}:Notes"):
        assert problem(target) == f"{target}: Notes lacks sync, version: give it what is missing."


def test_a_misspelt_name_is_pointed_out(write):
    path = write("my_notes.py", textwrap.dedent(ONE).replace("def sync", "def synch"))
    assert problem(path) == (f"{path}: Notes lacks sync: give it what is missing. Is synch meant to be sync?")


def test_a_connector_that_wants_arguments(write):
    path = write("my_notes.py", textwrap.dedent(ONE) + "\n    def __init__(self, token):\n        pass\n")
    text = problem(path)
    assert "token" in text
    assert text.endswith("Its __init__ must work without arguments.")


def test_a_connector_whose_making_fails(write):
    path = write(
        "my_notes.py", textwrap.dedent(ONE) + "\n    def __init__(self):\n        raise OSError('no disk')\n"
    )
    assert problem(path) == f"{path} cannot be made: OSError: no disk (in {path}, line 12)."


def test_what_fails_while_a_file_is_loaded_is_said_with_its_line(write):
    path = write("my_notes.py", "import json\n\njson.loads('{')\n")
    assert problem(path).endswith(f"(in {path}, line 3).")
    assert problem("my_notes:Notes").endswith(f"(in {path}, line 3).")
    broken = write("broken.py", "def broken(:")
    assert problem(broken) == f"{broken} cannot be loaded: SyntaxError: invalid syntax (broken.py, line 1)."


@pytest.mark.parametrize("target", ["", ":Notes", ".relative:Notes", "a b:Notes"])
def test_nonsense_is_refused_readably(target):
    assert problem(target)
