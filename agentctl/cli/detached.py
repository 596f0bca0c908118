"""Where a run in the background leaves its words."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Files:
    """Where the run's words go: the answer, and everything else."""

    out: Path
    log: Path

    def remove(self) -> None:
        """Nobody needs them any more."""
        for path in (self.out, self.log):
            path.unlink(missing_ok=True)


def files() -> Files:
    """New ones, that nobody else may read."""
    from agentctl.config import paths
    from agentctl.errors import Invalid

    folder = paths.data_dir() / "detached"
    stem = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"
    made = Files(folder / f"{stem}.out", folder / f"{stem}.log")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (made.out, made.log):
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise Invalid(f"{error.filename}: {error.strerror}") from None
    return made
