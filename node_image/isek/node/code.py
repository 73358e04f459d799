"""Loads agents that are written in Python."""

import importlib
import sys
import traceback
from functools import reduce
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from isek.asking import Runner

WORKING_DIRECTORY = ""
"""As ``sys.path`` has it."""


class CodeError(ValueError):
    """Python code that cannot be loaded. The message is one line: the user's file and line, and what is wrong there."""


class Loader:
    """Loads the agents of one process. Their code shares its modules, so that a name has room for one file."""

    def __init__(self) -> None:
        self._owners: dict[str, Path] = {}
        """By the name of a module, the folder that it is from."""

    def load(self, entrypoint: str, folder: Path | None) -> Runner:
        """The agent, team or adapter ``package.module:name``.

        Args:
            entrypoint: what to load.
            folder: where the module is, with others that it may import; None: where Python finds it.

        Raises:
            CodeError: it cannot be had.
        """
        module, _, name = entrypoint.partition(":")
        loaded = self.module(module, folder)
        try:
            found: Any = reduce(getattr, name.split("."), loaded)
        except AttributeError:
            there = ", ".join(agents_of(loaded)) or "none"
            raise CodeError(f"{_file(loaded)}: has no {name!r}; its agents are: {there}") from None
        if not isinstance(found, Runner):
            what = "class" if isinstance(found, type) else type(found).__name__
            raise CodeError(f"{_file(loaded)}: {name!r} is a {what}, no agent, team or adapter")
        return found

    def module(self, name: str, folder: Path | None) -> ModuleType:
        """A module, imported.

        Raises:
            CodeError: it is not there, its name is taken, or it fails.
        """
        root = self._make_room(name, folder.resolve()) if folder else _root(name)
        try:
            return importlib.import_module(name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit, too: a program that ends when it is imported
            raise CodeError(_failure(error, root)) from error

    def _make_room(self, name: str, folder: Path) -> Path:
        for stem in sorted(path.stem for path in folder.glob("*.py")):
            other = self._owners.setdefault(stem, folder)
            if other != folder:
                raise CodeError(
                    f"{folder / stem}.py: {other.name} on this node has a {stem}.py as well; rename one, or host them "
                    f"on pods of their own"
                )
        if str(folder) not in sys.path:
            # behind all that is installed: no file takes the place of a module that others need
            sys.path.insert(
                sys.path.index(WORKING_DIRECTORY) if WORKING_DIRECTORY in sys.path else len(sys.path), str(folder)
            )
            importlib.invalidate_caches()
        sys.dont_write_bytecode = True  # compiled code is told from newer by its second, and edits are faster
        spec = find_spec(name.partition(".")[0])
        if spec is None:
            raise CodeError(f"{folder / name}.py: there is no such file")
        if spec.origin is None or not Path(spec.origin).is_relative_to(folder):
            raise CodeError(f"{folder / name}.py: {name!r} is the name of another module of Python's; rename the file")
        return folder


def agents_of(module: ModuleType) -> dict[str, Runner]:
    """The agents, teams and adapters of a module, by the names that it gives them; one with two names is there once."""
    found: dict[str, Runner] = {}
    for name, value in vars(module).items():
        if (
            not isinstance(value, type)
            and isinstance(value, Runner)
            and all(value is not each for each in found.values())
        ):
            found[name] = value
    return found


def _root(name: str) -> Path:
    """Below which the code of a module of the image lies."""
    try:
        spec = find_spec(name.partition(".")[0])
    except ValueError:
        spec = None
    if spec is None or spec.origin is None:
        raise CodeError(f"module {name!r} is not in the image; set template.image, or code.configMapRef")
    origin = Path(spec.origin)
    return origin.parent if spec.submodule_search_locations else origin


def _file(module: ModuleType) -> str:
    return module.__file__ or module.__name__


def _failure(error: BaseException, root: Path) -> str:
    """``<file>, line <n>: <what>``: the innermost line that is the user's own."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = traceback.extract_tb(error.__traceback__)
    own = next((frame for frame in reversed(frames) if Path(frame.filename).is_relative_to(root)), None)
    said = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    return f"{own.filename}, line {own.lineno}: {said}" if own else f"{root}: {said}"
