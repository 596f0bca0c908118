"""Many real processes on one store, started together, told apart, and always buried.

    fleet = Fleet(tmp_path)
    members = [fleet.start("drives", task=str(path), gates=[fleet.gate("first")]) for _ in range(20)]
    fleet.open("first")
    fleet.wait(*members)
    fleet.said(members[0])

What a member can do stands in `work.py`. A gate is a locked file: all who wait before it go on at the same moment.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]


class Fleet:
    """The test's end of the line to the zygote."""

    def __init__(self, folder: Path, *, warm: bool = False, work: str = "", **env: str) -> None:
        """`warm`: for whole runs; the members have imported what a run imports. `work`: what they can do, a module."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._gates: dict[str, IO[str]] = {}
        self._lines: list[dict[str, Any]] = []
        self._change = threading.Condition()
        self._count = 0
        self._errors = (folder / "errors").open("w+")
        self._zygote = subprocess.Popen(
            [sys.executable, "-m", "tests.books.zygote", *["warm"] * warm, *[work] * bool(work)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def start(self, work: str, **given: Any) -> int:
        """A new process that does this work: its number."""
        self._count += 1
        self._tell(start=self._count, work=work, given=given)
        return self._count

    def signal(self, member: int, number: int = signal.SIGKILL) -> None:
        self._tell(signal=number, to=member)

    def gate(self, name: str) -> str:
        """The path of a gate; it is closed until `open`."""
        path = self.folder / f"{name}.gate"
        if name not in self._gates:
            self._gates[name] = path.open("w")
            fcntl.flock(self._gates[name], fcntl.LOCK_EX)
        return str(path)

    def open(self, name: str) -> None:
        self._gates[name].close()

    @property
    def born(self) -> int:
        """How many members there have been."""
        with self._change:
            return sum("pid" in line for line in self._lines)

    def said(self, member: int) -> list[dict[str, Any]]:
        """What a member has said so far, in order."""
        with self._change:
            return [line for line in self._lines if line["member"] == member and not {"pid", "ended"} & line.keys()]

    def pid(self, member: int) -> int | None:
        """Its process; None: it is not born yet."""
        with self._change:
            return next((line["pid"] for line in self._lines if line["member"] == member and "pid" in line), None)

    def ended(self, member: int) -> int | None:
        """Its return code; None: it lives."""
        with self._change:
            return next((line["ended"] for line in self._lines if line["member"] == member and "ended" in line), None)

    def until(self, happened: Callable[[], bool], seconds: float = 60.0) -> None:
        """Wait for something that members say or do; if it does not come, say what they complained of."""
        end = time.monotonic() + seconds
        with self._change:
            while not happened():
                assert time.monotonic() < end, f"it did not happen: {self.complaints()}"
                self._change.wait(0.05)  # not only members do what is waited for

    def wait(self, *members: int) -> None:
        """Until all of them have ended."""
        self.until(lambda: all(self.ended(member) is not None for member in members))
        bad = [member for member in members if self.ended(member) not in {0, -signal.SIGKILL}]
        assert not bad, self.complaints()

    def complaints(self) -> str:
        self._errors.flush()
        return (self.folder / "errors").read_text()[-4_000:]

    def close(self) -> None:
        """Nobody is left behind."""
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.close()
        try:
            self._zygote.wait(20)
        finally:
            self._zygote.kill()
            self._zygote.wait()
            self._reader.join(20)
            self._zygote.stdout.close()
            self._errors.close()
            for gate in self._gates.values():
                gate.close()

    def _tell(self, **words: Any) -> None:
        assert self._zygote.stdin is not None
        self._zygote.stdin.write(json.dumps(words) + "\n")
        self._zygote.stdin.flush()

    def _listen(self) -> None:
        assert self._zygote.stdout is not None
        for line in self._zygote.stdout:
            with self._change:
                self._lines.append(json.loads(line))
                self._change.notify_all()
