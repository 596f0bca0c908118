"""The preloaded library: compiled when it is first wanted, and worked from inside the process that it is loaded in."""

import ctypes
import shutil
import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("preload.c")
COMPILERS = ("cc", "gcc", "clang")
EIO_ONCE, FULL = 1, 2


def compiler() -> str | None:
    return next((found for name in COMPILERS if (found := shutil.which(name))), None)


def built(folder: Path) -> Path:
    """The library, ready for LD_PRELOAD."""
    made = folder / "preload.so"
    command = [str(compiler()), "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run([*command, "-lpthread"], check=True, capture_output=True, text=True)
    return made


def watch(folder: str, log: str = "", kind: int = 0, at: int = 0) -> None:
    """From now on this process is watched under the folder; `kind` of fault at the operation `at`."""
    here = ctypes.CDLL(None)
    here.io_watch(folder.encode(), log.encode())
    here.io_fail(kind, ctypes.c_long(at))


def count() -> int:
    """How many operations there were."""
    counted = ctypes.CDLL(None).io_count
    counted.restype = ctypes.c_long
    return int(counted())
