"""Where the stores of drills are: a folder for each `drill`, of which the last few are kept."""

from __future__ import annotations

import re
import secrets
import shutil
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from agentctl.errors import AgentctlError, Invalid

KEPT = 5
ours = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")


@contextmanager
def made() -> Generator[Path]:
    """A new folder, for its owner alone; gone again where the task or its policy can't be drilled.

    Raises:
        Invalid: nothing can be written there.
    """
    from agentctl.config import paths

    parent = paths.data_dir() / "drills"
    folder = parent / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700)
    except OSError as error:
        hint = "AGENTCTL_HOME names another place."
        raise Invalid(f"{folder}: {error.strerror or error}: drills have nowhere to write", hint=hint) from None
    _prune(parent)
    try:
        yield folder
    except AgentctlError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _prune(parent: Path) -> None:
    """The names begin with their time."""
    found = sorted(path for path in parent.iterdir() if ours.fullmatch(path.name) and path.is_dir())
    for path in found[:-KEPT]:
        shutil.rmtree(path, ignore_errors=True)
