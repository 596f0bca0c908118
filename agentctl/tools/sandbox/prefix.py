"""What a program needs to be read to run at all: the prefix that it is installed in, its interpreter's too."""

from __future__ import annotations

import sys
from pathlib import Path

BINS = frozenset({"bin", "sbin", "shims", "libexec"})
WHOLE = frozenset({"/", "/usr", "/opt", "/home", "/root", "/etc", "/var", "/tmp", "/srv"})  # noqa: S108  # not used as one


def prefixes(program: Path) -> tuple[Path, ...]:
    """Folders to read, besides the system's: Python's own, and those of this program."""
    found = {Path(sys.prefix), Path(sys.base_prefix)}
    pending = [program]
    for _ in range(4):  # a script's interpreter may itself be a link or a script
        more: list[Path] = []
        for path in pending:
            real = path.resolve()
            found |= {_prefix(path), _prefix(real)}
            more += [*interpreter(real)]
        pending = more
    return tuple(sorted(path for path in found if path.exists() and not path.is_relative_to("/usr")))


def _prefix(program: Path) -> Path:
    """Its installation; only its folder, or it alone, where that would be a home or half of the system."""
    folder = program.parent
    if folder.name in BINS and _is_narrow(folder.parent):
        return folder.parent
    return folder if folder.name in BINS else program


def _is_narrow(folder: Path) -> bool:
    home = Path.home()
    wide = {home, home / ".local", home.resolve(), home.resolve() / ".local"}
    return str(folder) not in WHOLE and folder not in wide and not home.is_relative_to(folder)


def interpreter(program: Path) -> tuple[Path, ...]:
    """The program that a script's first line names, if it is a script."""
    try:
        with program.open("rb") as file:
            line = file.readline(256)
    except OSError:
        return ()
    words = line[2:].decode(errors="replace").split() if line.startswith(b"#!") else []
    return (Path(words[0]),) if words and words[0].startswith("/") else ()


def is_program(path: Path) -> bool:
    """Whether the kernel would start it, as far as its first bytes tell."""
    try:
        with path.open("rb") as file:
            return file.read(4).startswith((b"#!", b"\x7fELF"))
    except OSError:  # may be run and not be read
        return True
