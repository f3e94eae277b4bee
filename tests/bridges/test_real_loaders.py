"""Real loaders and readers, in an environment of their own: LangChain's and LlamaIndex's dependencies are not ours."""

import json
import subprocess

import pytest
from support.foreign_environment import environment_with
from support.processes import ROOT, child_environ

pytestmark = pytest.mark.slow

PACKAGES = (
    "langchain-community>=0.4",
    "llama-index-core>=0.14",
    "llama-index-readers-file>=0.7",
    "beautifulsoup4>=4.12",
)

PROGRAM = """
import json, sys
from functools import partial
from pathlib import Path

from omni_connector.bridges.loaders import LoaderConnector
from omni_connector.local import LocalManager
from omni_connector.testing import run_sync

sys.path.insert(0, TESTS)
from support.unprivileged import heed_modes


def directory(folder):
    from langchain_community.document_loaders import DirectoryLoader, TextLoader
    return DirectoryLoader(folder, glob="**/*.md", loader_cls=TextLoader)

def table(folder):
    from langchain_community.document_loaders import CSVLoader
    return CSVLoader(folder + "/table.csv")

def page(folder):
    from langchain_community.document_loaders import BSHTMLLoader
    return BSHTMLLoader(folder + "/page.html", bs_kwargs={"features": "html.parser"})

def files(folder):
    from llama_index.core import SimpleDirectoryReader
    return SimpleDirectoryReader(folder, required_exts=[".md"], raise_on_error=True)

def files_below(folder):
    from llama_index.core import SimpleDirectoryReader
    return SimpleDirectoryReader(folder, required_exts=[".md"], recursive=True, raise_on_error=True)

def careless(folder):
    from llama_index.core import SimpleDirectoryReader
    return SimpleDirectoryReader(folder, required_exts=[".md"])

def flat(folder):
    from llama_index.readers.file import FlatReader
    return partial(FlatReader().load_data, Path(folder, "a.md"))

def strings(folder):
    from llama_index.core.readers import StringIterableReader
    return partial(StringIterableReader().load_data, texts=[path.read_text() for path in sorted(Path(folder).glob("*.md"))])


class Loaders(LoaderConnector):
    name = "loaders"
    version = "1.0.0"
    def loader(self, config, credentials):
        heed_modes()
        return globals()[config["loader"]](config["folder"])


def write(folder):
    for name in ("a", "b", "c"):
        Path(folder, f"{name}.md").write_text(f"text of {name}")
    Path(folder, "table.csv").write_text("id,name\\n1,Ann\\n2,Ben\\n")
    Path(folder, "page.html").write_text("<title>A page</title><p>Some text</p>")


def closed(data, folder):
    # What loaders delete that pass over a folder in which a file is gone, and when they may list it again.
    Path(folder, "sea").mkdir()
    found = []
    with LocalManager(data + "/closed", schedule=False) as manager:
        for loader in ("directory", "files_below"):
            for name in ("tide", "wave"):
                Path(folder, "sea", name + ".md").write_text(name)
            more = {"timeout_seconds": 250, "manager": manager, "source_id": loader}
            run_sync(Loaders(), config={"loader": loader, "folder": folder}, **more)
            Path(folder, "sea", "wave.md").unlink()
            for mode in (0, 0o700):
                Path(folder, "sea").chmod(mode)
                found.append(run_sync(Loaders(), mode="incremental", **more).deletions)
    return found


def example(data, folder):
    from loader_connector import HandbookConnector
    write(folder)
    with LocalManager(data + "/example", schedule=False) as manager:
        config = {"folder": folder, "users": ["ann@example.com"]}
        result = run_sync(HandbookConnector(), manager=manager, config=config, timeout_seconds=250)
        return [result.status, {key: each.permissions["users"] for key, each in result.documents.items()}]


def main(data, folder):
    found = {}
    with LocalManager(data, schedule=False) as manager:
        for loader in ("directory", "table", "page", "files", "careless", "flat", "strings"):
            write(folder)
            config = {"loader": loader, "folder": folder}
            runs = [run_sync(Loaders(), timeout_seconds=250, manager=manager, config=config, source_id=loader)]
            runs.append(run_sync(Loaders(), timeout_seconds=250, manager=manager, mode="incremental", source_id=loader))
            Path(folder, "a.md").write_text("changed")
            Path(folder, "b.md").unlink()
            runs.append(run_sync(Loaders(), timeout_seconds=250, manager=manager, mode="incremental", source_id=loader))
            found[loader] = [
                [each.status, each.error, {key: [d.title, d.content] for key, d in each.documents.items()}, each.deletions]
                for each in runs
            ]
    found["example"] = example(data, folder)
    found["closed"] = closed(data, folder)
    print("FOUND " + json.dumps(found))

main(*sys.argv[1:])
"""


def runs_in(python, *folders):
    """Return what each loader gives in three runs: at first, unchanged, and with one file changed and another gone."""
    program = folders[0] / "program.py"
    program.write_text(PROGRAM.replace("TESTS", repr(str(ROOT / "tests"))))
    done = subprocess.run(
        [str(python), str(program), *map(str, folders)],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
        env=child_environ({}),
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith("FOUND ")), None)
    assert line, done.stdout + done.stderr
    return json.loads(line.removeprefix("FOUND "))


def test_loaders_and_readers_are_read_with_ids_that_stay(shared_folder, tmp_path):
    python = environment_with(shared_folder, *PACKAGES, "--editable", str(ROOT)) / "python"
    data, folder = tmp_path / "data", tmp_path / "files"
    data.mkdir()
    folder.mkdir()
    runs = runs_in(python, data, folder)
    for loader in ("directory", "files"):
        first, second, third = runs[loader]
        documents = {f"{folder}/{name}.md": [f"{name}.md", f"text of {name}"] for name in "abc"}
        assert first == ["completed", None, documents, []]
        assert second == ["completed", None, {}, []]
        assert third == ["completed", None, {f"{folder}/a.md": ["a.md", "changed"]}, [f"{folder}/b.md"]]
    # It skips what it cannot read, so that nothing is deleted.
    assert runs["careless"][2] == ["completed", None, {f"{folder}/a.md": ["a.md", "changed"]}, []]
    names = [f"{folder}/table.csv", f"{folder}/table.csv#1"]
    assert [list(run[2]) for run in runs["table"]] == [names, [], []]
    assert list(runs["page"][0][2].values()) == [["A page", "A pageSome text"]]
    assert [len(run[2]) for run in runs["page"]] == [1, 0, 0]
    assert [len(run[2]) for run in runs["flat"]] == [1, 0, 1]
    assert [(len(run[2]), len(run[3])) for run in runs["strings"]] == [(3, 0), (0, 0), (1, 2)]
    gone = [f"{folder}/sea/wave.md"]
    assert runs["closed"] == [[], gone, [], gone]
    assert runs["example"] == ["completed", {f"{folder}/{name}.md": ["ann@example.com"] for name in "abc"}]
