"""Modules that lie beside a task, imported as a script's neighbours are, without leaving anything behind.

While a task's functions are read, its folder is the first place to look. Afterwards `sys.path` is what it was and the
folder's modules are out of `sys.modules`, kept for the next function of the same folder: another task's module of the
same name never meets them. So a function must import its neighbours at the top of its module, not when it is called.
"""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import cast

from agentctl.foreign import Raised, outcome
from agentctl.tools.quiet import quietly

_lock = threading.RLock()
_kept: dict[Path, tuple[dict[str, ModuleType], dict[Path, tuple[int, int]]]] = {}
"""By folder: its modules, and what their files were when they were read."""


class Unloadable(Exception):
    """Why a module can't be used: a place, what is wrong there, the way out."""

    def __init__(self, file: str, line: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.file = file
        self.line = line
        self.message = message
        self.hint = hint


@contextmanager
def folder_first(folder: Path) -> Generator[None]:
    """Within: modules of this folder are found before all others, and nothing that they print is seen."""
    with _lock, quietly():
        before, path, bytecode = dict(sys.modules), list(sys.path), sys.dont_write_bytecode
        for name in [name for name in before if _is_hidden(name, folder)]:
            del sys.modules[name]
        sys.modules.update(_still_right(folder))
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.path[:], sys.dont_write_bytecode = path, bytecode
            _put_aside(folder, before)


def load(folder: Path, name: str) -> ModuleType:
    """Import a module, within `folder_first`.

    Raises:
        Unloadable: it is not there, or its own code fails.
    """
    loaded = outcome(lambda: importlib.import_module(name), (SystemExit,))
    if isinstance(loaded, Raised):
        raise _unloadable(loaded.error, folder, name)
    return loaded


def _unloadable(error: BaseException, folder: Path, name: str) -> Unloadable:
    match error:
        case SyntaxError():
            hint = f"This is Python {sys.version_info.major}.{sys.version_info.minor}."
            return Unloadable(error.filename or name, error.lineno or 0, f"it is no Python: {error.msg}", hint)
        case SystemExit():
            hint = 'Put what it does as a program under `if __name__ == "__main__":`.'
            return Unloadable(*_place(error, folder), "it ends the program while it is imported", hint)
        case ModuleNotFoundError():
            missing = error.name or name
            if name == missing or name.startswith(f"{missing}."):
                message = f"there is no module '{name}', neither in {folder} nor on the path"
                hint = "A module's name is its path with dots: orders/tools.py is orders.tools."
                return Unloadable("", 0, message, hint)
            hint = f"Install it where agentctl is installed, or put {missing}.py beside the task."
            return Unloadable(*_place(error, folder), f"it imports '{missing}', which is not there", hint)
        case _:
            message = f"it fails while it is imported: {one_line(error)}"
            return Unloadable(*_place(error, folder), message, f"Try it: python -c 'import {name}'")


def one_line(error: BaseException) -> str:
    """What an exception says, on one line, with nothing that a terminal would obey."""
    said = outcome(lambda: str(error))
    text = "".join(each if each.isprintable() else " " for each in ("" if isinstance(said, Raised) else said))
    words = " ".join(text.split())
    if isinstance(error, KeyError) or not words:  # a bare key says nothing
        return f"{type(error).__name__}: {words}".rstrip(": ")
    return words if len(words) <= 300 else f"{words[:299]}…"


def _place(error: BaseException, folder: Path) -> tuple[str, int]:
    """The last line of the folder's own code that was reached, else of anybody's."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [each for each in frames if Path(each.filename).is_relative_to(folder)]
    last = (own or frames)[-1]
    return last.filename, last.lineno or 0


# --- What belongs to a folder --------------------------------------------------------------------


def _is_hidden(name: str, folder: Path) -> bool:
    """Whether a module that is loaded already stands in the way of the folder's own of that name."""
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in {"__main__", "agentctl"}:
        return False
    own = (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file()
    return own and not _lies_in(sys.modules.get(top), folder)


def _lies_in(module: ModuleType | None, folder: Path) -> bool:
    """Directly: what is installed in an environment within the folder is not the folder's own."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        path = Path(file)
        return (path.parent.parent if path.stem == "__init__" else path.parent) == folder
    paths = cast("Iterable[str]", getattr(module, "__path__", ()))
    return module is not None and str(folder / module.__name__) in list(paths)


def _put_aside(folder: Path, before: dict[str, ModuleType]) -> None:
    new = {name: module for name, module in sys.modules.items() if before.get(name) is not module}
    tops = {name.partition(".")[0] for name in new}
    tops = {top for top in tops if _lies_in(new.get(top), folder)}
    kept = {name: module for name, module in new.items() if name.partition(".")[0] in tops}
    for name in kept:
        del sys.modules[name]
    files = [Path(file) for module in kept.values() if isinstance(file := getattr(module, "__file__", None), str)]
    _kept[folder] = (kept, {file: _stamp(file) for file in files})
    sys.modules.update({name: module for name, module in before.items() if name not in sys.modules})


def _still_right(folder: Path) -> dict[str, ModuleType]:
    """What was kept, unless one of its files is another one by now."""
    modules, stamps = _kept.get(folder, ({}, {}))
    return modules if all(_stamp(file) == stamp for file, stamp in stamps.items()) else {}


def _stamp(file: Path) -> tuple[int, int]:
    try:
        info = file.stat()
    except OSError:
        return (0, 0)
    return (info.st_mtime_ns, info.st_size)
