"""The private /tmp of a run's programs: one for all its calls, so that a retry finds what the first try left there."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path


class Private:
    """A folder that is made when it is first asked for, and is gone with this object or this process."""

    __slots__ = ("__weakref__", "_path")

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        """Where it is. OSError: it can't be made."""
        if self._path is None or not self._path.is_dir():
            self._path = Path(tempfile.mkdtemp(prefix="agentctl-")).resolve()
            weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        return self._path
