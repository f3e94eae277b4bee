"""Finds the connector that a text names: ``package.module:Class`` or ``path/to/file.py[:Class]``."""

import difflib
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from attrs import frozen

from omni_connector.code_location import author_location
from omni_connector.connector_base import ConnectorBase
from omni_connector.exceptions import ConfigurationError, missing_module

_LATE_FIELD = re.compile(r"^No mandatory attributes allowed after .*Attribute\(name='(\w+)'", re.DOTALL)
"""What attrs says of a field without a default that follows one with a default."""

_MOVE_UP = "has no default and follows fields that have one: move it up"


def load_connector(target: str) -> ConnectorBase:
    """Return an instance of the connector that ``target`` names; arguments and errors as for ``find_connector``."""
    return find_connector(target).make()


def find_connector(target: str) -> "FoundConnector":
    """Return the connector that ``target`` names, to be made as often as it is needed.

    Args:
        target: ``package.module:Class``, ``package.module`` or ``path/to/file.py`` when it holds one connector,
            ``path/to/file.py:Class``; in place of a class also an instance.

    Raises:
        ConfigurationError: there is no such module or class, or it is not a connector.
    """
    where, name = _split(target)
    require_file(target)
    module = _load_file(Path(where)) if where.endswith(".py") else _load_module(where, target)
    found = _named(module, name, target) if name else _only_one(module, target)
    if isinstance(found, ConnectorBase):
        return FoundConnector(target, found)
    if not (inspect.isclass(found) and issubclass(found, ConnectorBase)):
        raise ConfigurationError(f"{target} is not a Connector: name a subclass of omni_connector.Connector.")
    if inspect.isabstract(found):
        raise ConfigurationError(f"{target}: {_unfinished(found)}")
    return FoundConnector(target, found)


@frozen
class FoundConnector:
    """What a target names.

    Attributes:
        target: the text that names it.
        found: a class of connectors, or an instance.
    """

    target: str
    found: ConnectorBase | type[ConnectorBase]

    def make(self) -> ConnectorBase:
        """Return a new connector; always the same where the target names an instance.

        Raises:
            ConfigurationError: it cannot be made.
        """
        if isinstance(self.found, ConnectorBase):
            return self.found
        try:
            return self.found()
        except Exception as error:
            remedy = " Its __init__ must work without arguments." if isinstance(error, TypeError) else ""
            raise ConfigurationError(f"{self.target} cannot be made: {_described(error)}{remedy}") from error


def _split(target: str) -> tuple[str, str]:
    """Return file or module, and the name after the last colon; a path may hold colons of its own."""
    where, colon, name = target.rpartition(":")
    if target.endswith(".py") or not colon or "/" in name:
        return target, ""
    return where, name


def _load_module(name: str, target: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # As gunicorn does for its application.
    try:
        return importlib.import_module(name)
    except SystemExit as error:
        raise _exits(target) from error
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f"{target}: there is no module {error.name}. "
                "Is it spelled right, installed, and are you in the directory that holds it?"
            ) from error
        if error.name:
            raise ConfigurationError(missing_module(target, error.name)) from error
        raise ConfigurationError(f"{target} cannot be imported: {error}") from error
    except Exception as error:
        raise ConfigurationError(f"{target} cannot be imported: {_described(error)}") from error


def require_file(target: str) -> None:
    """Raise ``ConfigurationError`` where a target names a file that is not there, with what may be meant, or no Python file."""
    where = _split(target)[0]
    path = Path(where)
    if path.suffix == ".py" and not path.is_file():
        near = get_close_matches(path.name, [each.name for each in path.parent.glob("*.py")], n=1)
        meant = f" Did you mean {path.with_name(near[0])}?" if near else ""
        raise ConfigurationError(f"{path}: there is no such file.{meant}")
    is_path = "/" in where or where in {".", ".."}
    if path.suffix != ".py" and (
        (path.is_file() and (is_path or path.suffix)) or (is_path and path.is_dir())
    ):
        kind = "is a folder" if path.is_dir() else "is not a .py file"
        raise ConfigurationError(f"{where} {kind}: name the Python file of the connector, or package.module.")


def _load_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path}: not a Python file.")
    module = importlib.util.module_from_spec(spec)
    directory = str(path.resolve().parent)
    if directory not in sys.path:
        sys.path.insert(0, directory)  # Its neighbours are importable, as for a script.
    sys.modules[path.stem] = module  # Dataclasses, attrs and pickles look their module up.
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[path.stem]  # It is incomplete, and must not be found by another import.
        if isinstance(error, SystemExit):
            raise _exits(str(path)) from error
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise ConfigurationError(missing_module(str(path), error.name)) from error
        if isinstance(error, Exception):
            raise ConfigurationError(f"{path} cannot be loaded: {_described(error)}") from error
        raise
    return module


def _described(error: Exception) -> str:
    """Return type, message and place; a syntax error's message names its place itself."""
    place = "" if isinstance(error, SyntaxError) else author_location(error)
    late = _LATE_FIELD.search(str(error))
    said = f"{_class_of(error)}{late[1]} {_MOVE_UP}" if late else f"{type(error).__name__}: {error}"
    return said + (f" (in {place})." if place else ".")


def _class_of(error: Exception) -> str:
    """Return the name of the class that attrs could not make, with a dot; nothing where that is not known."""
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(error.__traceback__)]
    name = next((each["cls"].__name__ for each in frames if isinstance(each.get("cls"), type)), "")
    return f"{name}." if name else ""


def _exits(target: str) -> ConfigurationError:
    return ConfigurationError(
        f"{target} ends the process while it is imported. Put the call that does, such as serve(), under: "
        'if __name__ == "__main__":'
    )


def _named(module: ModuleType, name: str, target: str) -> object:
    try:
        return getattr(module, name)
    except AttributeError as error:
        offered = ", ".join(sorted(_connectors(module))) or "none"
        raise ConfigurationError(
            f"{target}: there is no {name} in {module.__name__}. Connectors there: {offered}."
        ) from error


def _only_one(module: ModuleType, target: str) -> object:
    found = _connectors(module)
    leaves = {
        name: kind
        for name, kind in found.items()
        if not any(issubclass(other, kind) and other is not kind for other in found.values())
    }
    if len(set(leaves.values())) == 1:
        return next(iter(leaves.values()))
    if leaves:
        names = sorted(leaves)
        raise ConfigurationError(
            f"{target} holds several connectors: {', '.join(names)}. Name one, such as {target}:{names[0]}"
        )
    unfinished = _connectors(module, abstract=True)
    if unfinished:
        raise ConfigurationError(f"{target}: {' '.join(map(_unfinished, unfinished.values()))}")
    raise ConfigurationError(f"{target} holds no Connector: subclass omni_connector.Connector in it.")


def _unfinished(connector: type[ConnectorBase]) -> str:
    """Say what a connector lacks, and what may be meant for it."""
    missing = sorted(connector.__abstractmethods__)
    text = f"{connector.__name__} lacks {', '.join(missing)}: give it what is missing."
    own = [name for name in vars(connector) if not hasattr(ConnectorBase, name)]
    for name in missing:
        for close in difflib.get_close_matches(name, own, n=1):
            text += f" Is {close} meant to be {name}?"
    return text


def _connectors(module: ModuleType, *, abstract: bool = False) -> dict[str, type[ConnectorBase]]:
    """Return the connectors that the module defines itself, by name; or those that cannot be made yet."""
    return {
        name: member
        for name, member in vars(module).items()
        if inspect.isclass(member)
        and issubclass(member, ConnectorBase)
        and member.__module__ == module.__name__
        and inspect.isabstract(member) is abstract
    }
