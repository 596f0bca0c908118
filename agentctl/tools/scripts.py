"""The files that a shell command will run, as they are now: an approval is of what they say, not of their names."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from agentctl.core.commands import Command

LARGEST = 10_000_000
"""Bytes of a file that are read."""
MOST_FILES = 20
MOST_WORDS = 400
DIGITS = 32
"""Of a digest: with half as many, who writes both files can find two that have the same."""
IMPLIED = {
    "make": ("GNUmakefile", "makefile", "Makefile"),
    "npm": ("package.json",),
    "npx": ("package.json",),
    "yarn": ("package.json",),
    "pnpm": ("package.json",),
    "just": ("justfile", "Justfile"),
    "cargo": ("Cargo.toml", "build.rs"),
    "pytest": ("conftest.py", "pyproject.toml"),
    "tox": ("tox.ini",),
}
"""What a program runs without being told."""
SOURCE = re.compile(r".*\.(?:sh|bash|zsh|py|js|mjs|cjs|ts|pl|rb|php|lua|awk|sed|mk|r|R|jar|ps1|fish|tcl|exp)")
word = re.compile(r"""[^\s"'`;|&<>(){}$\\]+""")


def digests(command: Command, folder: Path) -> tuple[tuple[str, str], ...]:
    """Path and the head of the SHA-256 of each file that a part names and that can be run.

    A file counts where it may be executed or looks like source. What a word becomes when it is expanded nobody knows
    beforehand; such a command always asks.
    """
    found: dict[str, str] = {}
    names = _names(command)
    for at, name in enumerate(names):
        if at == MOST_WORDS or len(found) == MOST_FILES:
            found[f"and {len(names) - at:,} more words"] = "not looked at"
            break
        if digest := _digest(folder, name):
            found[name] = digest
    return tuple(found.items())


def _names(command: Command) -> list[str]:
    names: list[str] = []
    for part in command.parts:
        words = list(part.words) or word.findall(part.text)
        names += [each for said in words for each in (said, said.partition("=")[2]) if each]
        names += [name for said in words for name in IMPLIED.get(said, ())]
    return list(dict.fromkeys(names))


def _digest(folder: Path, name: str) -> str:
    """Empty: there is no such file, or none that runs. One that can't be read or is too large says so."""
    try:
        file = os.open(folder / name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError):
        return ""
    info = os.fstat(file)
    runs = info.st_mode & 0o111 or SOURCE.fullmatch(name) or any(name in names for names in IMPLIED.values())
    if not stat.S_ISREG(info.st_mode) or not runs:
        os.close(file)
        return ""
    with os.fdopen(file, "rb") as opened:
        if info.st_size > LARGEST:
            # Not when it was modified, which anybody can set.
            return f"{info.st_size} bytes, changed {info.st_ctime_ns}, number {info.st_ino}"
        try:
            return f"sha256 {hashlib.sha256(opened.read(LARGEST)).hexdigest()[:DIGITS]}"
        except OSError:
            return "can't be read"
