"""Where programs of a task run: what they see, what they may change, and how they are started (`[sandbox]`).

Rules. A box only ever shows more than nothing: a path is seen because it is named here. What decides what is done
later (hooks, CI, the policy, the store) is never written: laid over read-only where that can be, compared and put
back after the call in any case. A box that can't be made starts nothing.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import field, replace
from pathlib import Path

from agentctl.core.outside import Host
from agentctl.records import dataclass
from agentctl.tools.process import Ended, run_program
from agentctl.tools.sandbox import forward, proxy
from agentctl.tools.sandbox.bwrap import Profile, arguments, system_paths
from agentctl.tools.sandbox.keeping import begin, end
from agentctl.tools.sandbox.prefix import interpreter, is_program, prefixes
from agentctl.tools.sandbox.probe import Found
from agentctl.tools.sandbox.proxy import Reach
from agentctl.tools.sandbox.tmp import Private

FILE_BYTES = 256_000_000
"""What one file may grow to."""
PROCESSES = 256
MOUNTS = 200
"""Guarded files that are laid over read-only; the others are compared alone."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
KINDS = ["/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems"]
FORWARD = Path(forward.__file__).resolve()
FORWARDED, OUT = "/run/agentctl/forward.py", "/run/agentctl/out"
"""Where a program's way out is seen in its box."""
HELPER = str(Path(__file__).resolve().with_name("launch.py"))
# The shell is the exec helper: limits first, then bubblewrap in its place. POSIX counts files in blocks of 512 bytes.
# Where memory runs out, the kernel ends what has the highest score first, and so not agentctl.
LAST = "{ echo 1000 >/proc/self/oom_score_adj; } 2>/dev/null; "
LIMITED = LAST + 'ulimit -c 0 && ulimit -t "$1" && ulimit -f "$2" || exit 126; shift 2; exec "$@"'
UNBOXED = Found("none", "", "switched off")


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started in a program's stead."""

    command: tuple[str, ...]
    env: Mapping[str, str]
    descriptors: tuple[int, ...] = ()
    """Handed on to it, and to nobody after it."""
    processes: int = 0
    """How many there may be at a time; 0: nobody counts."""


@dataclass(frozen=True, slots=True)
class Box:
    """What the policy allows programs here, on this machine."""

    found: Found
    folder: Path
    """The task's: where programs run; its tree is read."""
    writes: tuple[Path, ...] = ()
    network: bool = False
    hosts: tuple[Host, ...] = ()
    """Those that are reached where `network` is not."""
    fixed: tuple[Path, ...] = ()
    """Files of the task and its policy: never written."""
    hidden: tuple[Path, ...] = field(default=())
    """Folders and files of ours, the store above all: never seen."""
    private: Private = field(default_factory=Private)
    reach: Reach = field(default_factory=Reach)

    @contextmanager
    def launch(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        timeout_s: float,
        guarded: tuple[Path, ...] = (),
        out: Path | None = None,
    ) -> Generator[Launch]:
        """What to start for a command. Within: what it needs is there.

        `guarded` is not to be written, as far as mounts go; `out` is the socket of its proxy.

        Raises:
            FileNotFoundError: no such program. OSError or ValueError: it can't be started.
        """
        if self.found.backend == "none":
            yield Launch(tuple(command), env)
            return
        if any("\0" in each for each in (*command, *env, *env.values())):
            raise ValueError("embedded null byte")
        program = _located(command[0], env, self.folder)
        with ExitStack() as stack:
            cpu_s = int(timeout_s) * (os.cpu_count() or 1) + 1
            if self.found.backend == "bubblewrap":
                yield self._bubblewrap(stack, command, program, env, cpu_s, guarded, out)
            else:
                yield self._landlock(stack, command, program, env, cpu_s)

    def _bubblewrap(
        self,
        stack: ExitStack,
        command: Sequence[str],
        program: Path,
        env: Mapping[str, str],
        cpu_s: int,
        guarded: tuple[Path, ...],
        out: Path | None,
    ) -> Launch:
        fixed = tuple(path for path in guarded[:MOUNTS] if not path.is_symlink())
        reads = (*prefixes(program), self.folder)
        fixed += self.fixed
        private = self.private.path
        laid: dict[str, Path] = {}
        if out:
            python = Path(sys.executable).resolve()
            reads += prefixes(python)
            laid = {OUT: out, FORWARDED: FORWARD}
            command = (str(python), "-I", "-S", FORWARDED, OUT, *command)
        from agentctl.tools.sandbox import launch  # ctypes, where a program is really started

        filtered = platform.machine() in launch.NAMES
        # Unix sockets without a path belong to the network: with that, the session's bus and the like are in reach.
        families = launch.FAMILIES if self.network else None
        filter_at = _handed(stack, launch.filtering(launch.FOR_ALL, families)) if filtered else -1
        profile = Profile(
            self.folder,
            reads,
            self.writes,
            fixed,
            self.hidden,
            network=self.network,
            private=private,
            laid=laid,
            filter_at=filter_at,
        )
        given = _handed(stack, b"\0".join(os.fsencode(each) for each in arguments(profile, env)) + b"\0")
        limits = (str(cpu_s), str(FILE_BYTES // 512))
        bwrap = (self.found.program, "--args", str(given), "--", *command)
        handed = (given, filter_at) if filtered else (given,)
        return Launch(("/bin/sh", "-c", LIMITED, "sandbox", *limits, *bwrap), dict(env), handed, PROCESSES)

    def _landlock(
        self, stack: ExitStack, command: Sequence[str], program: Path, env: Mapping[str, str], cpu_s: int
    ) -> Launch:
        temporary = str(self.private.path)
        reads = [*system_paths(), *prefixes(program), self.folder]
        # A program that may see its settings and not open them gives up; with bubblewrap there are none.
        own = dict(env) | {"TMPDIR": temporary, "HOME": temporary, "GIT_CONFIG_NOSYSTEM": "1"}
        if "PATH" in own:  # a shell finds a program where it may only look, and gives up when it can't start it
            own["PATH"] = _within(own["PATH"], (*reads, *self.writes))
        shown = [each for each in self.hidden if each.exists() and any(map(each.is_relative_to, reads))]
        if shown:  # Landlock can't take anything out of a tree
            raise ValueError(f"agentctl's own {shown[0]} lies in what it needs to read")
        wanted = {
            "command": list(command),
            "folder": str(self.folder),
            "env": own,
            "reads": [*map(str, reads), *KINDS],
            "writes": [*map(str, self.writes), temporary],
            "devices": DEVICES,
            "network": self.network,
            "cpu_s": cpu_s,
            "file_bytes": FILE_BYTES,
        }
        given = _handed(stack, json.dumps(wanted).encode())
        return Launch((sys.executable, "-I", "-S", HELPER, str(given)), own, (given,), PROCESSES)


async def run_boxed(box: Box, command: Sequence[str], env: Mapping[str, str], stdin: bytes, timeout_s: float) -> Ended:
    """Run a program in its box to its end, and put back what it may not change.

    Raises:
        OSError or ValueError: it did not start.
    """
    async with AsyncExitStack() as stack:
        listed = box.hosts and box.found.backend == "bubblewrap"  # no other can hold a program to it
        out = await stack.enter_async_context(proxy.opened(box.hosts, box.reach)) if listed else None
        watch = begin(box.writes, box.fixed)
        try:
            with box.launch(command, env, timeout_s, watch.tops, out) as started:
                ended = await run_program(
                    started.command,
                    folder=box.folder,
                    env=started.env,
                    stdin=stdin,
                    timeout_s=timeout_s,
                    descriptors=started.descriptors,
                    processes=started.processes,
                )
        finally:
            undone = end(watch)
    return replace(ended, changed=undone.changed, left=undone.left)


def _located(name: str, env: Mapping[str, str], folder: Path) -> Path:
    """The file of a program, as the box will find it."""
    if "/" in name:
        path = folder / name
        if not path.exists():
            raise FileNotFoundError(name)
        if not os.access(path, os.X_OK) or path.is_dir():
            raise PermissionError(name)
        if any(not each.exists() for each in interpreter(path)):
            raise FileNotFoundError(name)
        if not is_program(path):  # else a shell would be given it
            raise OSError(errno.ENOEXEC, os.strerror(errno.ENOEXEC))
        return path
    found = shutil.which(name, path=env.get("PATH", os.defpath))
    if found is None:
        raise FileNotFoundError(name)
    return folder / found


def _within(path: str, trees: Sequence[Path]) -> str:
    """Those folders of a search path that lie in what can be read."""
    kept = [each for each in path.split(os.pathsep) if any(map(Path(os.path.realpath(each)).is_relative_to, trees))]
    return os.pathsep.join(kept) or os.defpath


def _handed(stack: ExitStack, data: bytes) -> int:
    """A descriptor to read this from: nothing of it stands on a command line, which every user can read."""
    at = os.memfd_create("agentctl", os.MFD_CLOEXEC)
    stack.callback(_closed, at)
    with os.fdopen(os.dup(at), "wb") as file:
        file.write(data)
    os.lseek(at, 0, os.SEEK_SET)
    return at


def _closed(at: int) -> None:
    with suppress(OSError):
        os.close(at)
