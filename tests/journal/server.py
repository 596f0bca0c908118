"""A PostgreSQL server of this test process, on a Unix socket in a temporary folder; it ends with the process."""

import atexit
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.conftest import find_program, pytest_runtest_setup

NEEDED = ("postgres", "initdb")
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # nobody cuts the power of a test
    "max_connections": "300",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}
PR_SET_PDEATHSIG = 1
_numbers = itertools.count()


def or_skip(item: pytest.Item) -> None:
    """Leave the test out where the programs are not here, as `needs` does."""
    item.add_marker(pytest.mark.needs(*NEEDED))
    pytest_runtest_setup(item)


def database() -> str:
    """The URL of a new, empty database."""
    name = f"t{os.getpid()}_{next(_numbers)}"
    with asking() as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return url(name)


def asking(name: str = "postgres") -> "psycopg.Connection":
    """A connection of the operator's."""
    return psycopg.connect(url(name), autocommit=True)


def url(name: str) -> str:
    return f"postgresql://agentctl@/{name}?host={quote(str(_server().folder), safe='')}"


def named(at: str) -> str:
    """The database of a URL."""
    return at.partition("?")[0].rpartition("/")[2]


def restart(by: signal.Signals = signal.SIGINT) -> None:
    """End it as its operator would, or as a crash does (SIGQUIT), and start it again."""
    _server().stop(by)
    _server().start()


@cache
def _server() -> "_Server":
    server = _Server()
    server.start()
    atexit.register(server.end)
    return server


class _Server:
    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="agentctl-pg-"))
        if os.getuid() == 0:  # it refuses to run as root
            os.chown(self.folder, _other().pw_uid, _other().pw_gid)
        made = self._begin(
            "initdb", "-D", self.folder / "data", "-U", "agentctl", "--auth=trust", "-E", "UTF8", "--locale=C", "-N"
        )
        assert not made.wait()

    def start(self) -> None:
        settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
        self.process = self._begin("postgres", "-D", self.folder / "data", "-k", self.folder, *settings)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(f"postgresql://agentctl@/postgres?host={self.folder}").close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def stop(self, by: signal.Signals) -> None:
        self.process.send_signal(by)
        self.process.wait()

    def end(self) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self, program: str, *arguments: object) -> "subprocess.Popen[bytes]":
        user = {"user": _other().pw_uid, "group": _other().pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [find_program(program), *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=_die_with_the_test,  # noqa: PLW1509  # one system call
                **user,
            )


def _die_with_the_test() -> None:
    """Also where that is killed: nobody is left behind. Linux alone."""
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


def _other() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")
