"""What an action has returned: a value, an error, or a file, which is never written to a terminal."""

import json
import sys
from pathlib import Path

import click

from omni_connector.cli import exit_codes
from omni_connector.cli.errors import CommandError
from omni_connector.cli.output import Output, one_line, printable
from omni_connector.exceptions import ConfigurationError
from omni_connector.models.json_values import JsonValue
from omni_connector.testing.actions import ActionAnswer, ActionFile

STANDARD_OUTPUT = Path("-")


def show_result(output: Output, action: str, answer: ActionAnswer, path: Path | None) -> None:
    """Show what an action has returned, or write it to ``path``.

    Raises:
        CommandError: the action ended with an error.
        ConfigurationError: the file cannot be written.
    """
    if answer.is_error:
        said = answer.error or one_line(answer.body.decode("utf-8", "replace")) or "nothing was said"
        raise CommandError(
            f"The action {one_line(action)} ended with an error ({answer.status_code}): {printable(said)}",
            exit_code=exit_codes.RUN_FAILED,
        )
    file = answer.file
    if file is None:
        _show_value(output, action, answer.result, path)
    else:
        _show_file(output, action, file, path)


def _show_value(output: Output, action: str, result: JsonValue, path: Path | None) -> None:
    if path is not None and path != STANDARD_OUTPUT:
        _write(path, (json.dumps(result, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "replace"))
    if output.as_json:
        output.json({"action": action, "status": "success", "result": result})
    elif path is not None and path != STANDARD_OUTPUT:
        output.say(f"Written to {path}.")
    elif isinstance(result, str):
        output.text(printable(result))
    else:
        output.text(printable(json.dumps(result, indent=2, ensure_ascii=False)))


def _show_file(output: Output, action: str, file: ActionFile, path: Path | None) -> None:
    if path is None and (output.as_json or sys.stdout.isatty()):
        path = _new_file(file.name)
    if path is None or path == STANDARD_OUTPUT:
        if output.as_json:
            raise click.UsageError(
                "--json and --output - exclude each other: standard output takes one of them."
            )
        if sys.stdout.isatty():
            raise click.UsageError("--output -: a terminal does not take a file. Name one, or redirect.")
        sys.stdout.buffer.write(file.content)
        sys.stdout.buffer.flush()
        return
    _write(path, file.content)
    if output.as_json:
        facts = {"path": str(path), "content_type": file.content_type, "bytes": len(file.content)}
        output.json({"action": action, "status": "success", "file": facts})
    else:
        output.say(f"{len(file.content):,} bytes of {file.content_type} written to {path}.")


def _new_file(name: str) -> Path:
    """Return the path of a file that is not there yet."""
    path, number = Path(name), 1
    while path.exists() or path.is_symlink():
        path, number = Path(f"{Path(name).stem}-{number}{Path(name).suffix}"), number + 1
    return path


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigurationError(
            f"--output {path}: {error.strerror or error}. The action has run; name another file."
        ) from error
