"""The report of a defect: what a developer needs, scrubbed; the terminal gets one line and its path."""

from __future__ import annotations

import os
import platform
import secrets
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl import __version__, ownkeys
from agentctl.errors import AgentctlError, Defect

if TYPE_CHECKING:
    from agentctl.core.messages import Scrubbed


def reported(error: BaseException, arguments: list[str]) -> AgentctlError:
    """Write the report; the error that the person is shown instead."""
    from agentctl.approvals.printable import printable
    from agentctl.core.guards import scrub

    mask = scrub.make(scrub.Rules(), ())
    secrets = {value for name, value in os.environ.items() if mask.sensitive(name)} | ownkeys.values()
    mask = scrub.make(scrub.Rules(), secrets)
    text = error.report if isinstance(error, Defect) else "".join(traceback.format_exception(error))
    line = " ".join(mask.text(argument) for argument in arguments)
    about = f"agentctl {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    path = _written(mask.text(f"{about}agentctl {line}\n\n{text}"))
    said = str(error) if isinstance(error, Defect) else f"{type(error).__name__}: {error}"
    what = printable(mask.text(said), lines=False)[:200]
    return AgentctlError(f"a defect in agentctl: {what}; the report is {path}")


def _written(text: Scrubbed) -> Path:
    from agentctl.config import paths

    name = f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}.txt"
    for folder in (paths.data_dir() / "crashes", Path(tempfile.gettempdir())):
        path = folder / name
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except OSError:
            continue
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:  # noqa: PTH123 -- a descriptor
            file.write(text)
        return path
    return Path(os.devnull)
