"""Somebody who follows a page: builds up its files block by block, runs its commands, and looks at what they print."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

from attrs import define
from click.testing import CliRunner

from omni_connector.cli.main import cli

_BLOCK = re.compile(r"(.*?)^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SAVE = re.compile(r"[Ss]ave (?:this|it) as `([\w./]+)`")


@define
class Reader:
    """Follows pages in ``folder``.

    Blocks of ``python`` below "Save this as `NAME`" are files; others replace definitions of the same name in ``program``,
    or are added to it. Blocks of ``bash`` are run, a command a line. Each line of a ``text`` block (up to ``...``) must be in what
    the commands before it have printed, in this order. Other blocks are left to the test.

    Attributes:
        replaced: what a block says, and what is typed in its place.
    """

    folder: Path
    program: str
    replaced: dict[str, str]
    output: str = ""

    def write(self, page: str) -> str:
        """Build up the files of a page without running anything; return the program."""
        for before, kind, written in _BLOCK.findall(page):
            if kind == "python":
                self._write(before, self.typed(written))
        return (self.folder / self.program).read_text()

    def follow(self, page: str) -> None:
        """Do what a page says."""
        for before, kind, written in _BLOCK.findall(page):
            block = self.typed(written)
            if kind == "python":
                self._write(before, block)
            elif kind == "bash":
                self.output = "".join(self._run(command) for command in block.splitlines())
            elif kind == "text":
                self._compare(block)

    def typed(self, block: str) -> str:
        """Return what is typed where a block says something."""
        for said, typed in self.replaced.items():
            block = block.replace(said, typed)
        return block

    def _write(self, before: str, block: str) -> None:
        saved = _SAVE.findall(before)
        path = self.folder / (saved[-1] if saved else self.program)
        path.write_text(block if saved else merged(path.read_text(), block))

    def _run(self, command: str) -> str:
        if command.startswith("omni-connector "):
            sys.modules.pop(Path(self.program).stem, None)
            return CliRunner().invoke(cli, shlex.split(command)[1:]).output
        done = subprocess.run(
            command, shell=True, cwd=self.folder, text=True, capture_output=True, check=False
        )
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def _compare(self, block: str) -> None:
        rest = self.output
        for line in block.splitlines():
            _, found, rest = rest.partition(line.removesuffix("...").strip())
            assert found, (line, self.output)


def merged(program: str, block: str) -> str:
    """Return a program in which the definitions of a block replace those of the same name.

    Several imports replace all imports; a single one replaces that of the same module. An indented block is about the
    members of the program's last class. What is new is added: below several imports at
    the top, attributes of the class below the others, the rest at the end.
    """
    if not block.startswith("    "):
        return "\n".join(_merged_parts(_parts(program), _parts(block)))
    parts = _parts(program)
    name = next(name for name, text in parts.items() if "\n    def " in text)
    head, _, body = parts[name].partition(":\n")
    members = _merged_parts(_parts(textwrap.dedent(body)), _parts(textwrap.dedent(block)))
    parts[name] = f"{head}:\n" + textwrap.indent("\n".join(members), "    ") + "\n"
    return "\n".join(parts.values())


def _merged_parts(old: dict[str, str], new: dict[str, str]) -> list[str]:
    imports = [name for name in new if name.startswith("import ")]
    if len(imports) > 1:
        old = {name: text for name, text in old.items() if not name.startswith("import ")}
        return [*new.values(), *(text for name, text in old.items() if name not in new)]
    attributes = {name: text for name, text in (old | new).items() if name.startswith("= ")}
    return list((attributes | old | new).values())


def _parts(program: str) -> dict[str, str]:
    """Return the statements of a program by what they define."""
    lines = program.splitlines()
    found = {}
    for node in ast.parse(program).body:
        start = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", []))])
        found[_name(node)] = "\n".join(lines[start - 1 : node.end_lineno]) + "\n"
    return found


def _name(node: ast.stmt) -> str:
    match node:
        case ast.ImportFrom():
            return f"import {node.module}"
        case ast.Import():
            return f"import {node.names[0].name}"
        case ast.Assign(targets=[ast.Name(id=name)]):
            return f"= {name}"
        case ast.FunctionDef() | ast.ClassDef():
            return node.name
    raise AssertionError(ast.unparse(node))
