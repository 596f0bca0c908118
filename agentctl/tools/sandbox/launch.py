"""The program that confines itself with Landlock and seccomp and then becomes a tool: the way without namespaces.

Started as a program of its own (`python -I -S launch.py FD`), it imports nothing of agentctl. What to do stands
as JSON in the descriptor FD. It stays as the parent of what it starts: whoever is left when that ends, is killed.

Whatever fails before the tool's program runs, ends with exit 126: nothing is ever run less confined than asked.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from contextlib import suppress
from typing import Any, NoReturn

REFUSED, NOT_FOUND = 126, 127
NAMES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The machines that the filter is written for, and what the kernel calls them (AUDIT_ARCH)."""

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PATH_BENEATH = 1
SET_PDEATHSIG, CAPBSET_DROP, SET_SECCOMP, SET_NO_NEW_PRIVS, SET_SUBREAPER = 1, 24, 22, 38, 36
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE, IOCTL_DEV = 1, 2, 4, 8, 1 << 14, 1 << 15
READS = EXECUTE | READ_FILE | READ_DIR
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""What a rule for one file may allow; the rest only means something for folders."""

# x86_64 and aarch64 in turn; None: that machine has no such call.
FOR_ALL: tuple[tuple[int | None, int], ...] = (
    *((321, 280), (298, 241), (323, 282), (304, 265), (250, 219), (248, 217), (249, 218)),
    *((165, 40), (166, 39), (155, 41), (272, 97), (308, 268), (175, 105), (313, 273), (176, 106)),
    *((246, 104), (320, 294), (169, 142), (167, 224), (168, 225), (103, 116)),
    *((425, 425), (426, 426), (427, 427), (428, 428), (429, 429), (430, 430), (431, 431), (432, 432)),
    *((433, 433), (442, 442)),
)
"""bpf, perf_event_open, userfaultfd, open_by_handle_at, keys, mount and its kin, namespaces, modules, kexec, reboot,
swap, syslog, io_uring (which would open sockets past the filter)."""
DENIED: tuple[tuple[int | None, int], ...] = (
    *FOR_ALL,
    *((101, 117), (310, 270), (311, 271), (438, 438), (161, 51)),
    *((29, 194), (30, 196), (31, 195), (64, 190), (66, 191), (68, 186), (71, 187), (240, 180), (241, 181)),
)
"""And ptrace, process_vm_*, pidfd_getfd, chroot, where other processes are in sight; and the shared memory, semaphores
and queues of System V and POSIX: Landlock does not know them, and they outlive whoever made them."""
SIGNALS: tuple[tuple[int, int], ...] = ((62, 129), (200, 130), (234, 131), (129, 138), (297, 240), (424, 424))
"""kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo, pidfd_send_signal: where Landlock can't scope them."""
SOCKET, IOCTL, CLONE, CLONE3 = (41, 198), (16, 29), (56, 220), (435, 435)
TIOCSTI, TIOCLINUX = 0x5412, 0x541C
OPENAT2, PRLIMIT = (437, 437), (302, 261)
"""The first hides a mode in memory; the second, of another process, ends that one as surely as a signal."""
MODES: tuple[tuple[tuple[int | None, int | None], int], ...] = (
    *(((90, None), 1), ((91, 52), 1), ((268, 53), 2), ((452, 452), 2)),
    *(((85, None), 1), ((133, None), 1), ((259, 33), 2)),
)
"""chmod and its kin, creat, mknod; and which argument of each is a mode."""
OPENS: tuple[tuple[tuple[int | None, int | None], int], ...] = (((2, None), 1), ((257, 56), 2))
"""open, openat; and which argument is the flags, before the mode."""
CREATES, SETUID = 0o20000100, 0o4000
NEW_NAMESPACES = 0x7E020080
FAMILIES = (2, 10, 16)
"""IPv4, IPv6, and the kernel's own that looks up addresses. Unix sockets never: Landlock does not see their paths."""
EPERM, ENOSYS = 1, 38

libc = ctypes.CDLL(None, use_errno=True)


def call(number: int, *args: object) -> int:
    """A system call that has no name in libc; OSError where it fails."""
    got = int(libc.syscall(ctypes.c_long(number), *args))
    if got < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return got


def control(option: int, *args: int) -> None:
    """Prctl."""
    four = [ctypes.c_ulong(each) for each in (*args, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *four):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def abi() -> int:
    """The version of Landlock that the kernel speaks; 0: none."""
    try:
        return call(CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(1))
    except OSError:
        return 0


def supported() -> bool:
    """Whether there is a filter for this machine, and Landlock can close the network."""
    return platform.machine() in NAMES and abi() >= 4


# --- Files and the network -----------------------------------------------------------------------


def confine_files(reads: list[str], writes: list[str], devices: list[str], *, network: bool) -> None:
    """Landlock: what is not named here can't be opened from now on."""
    version = abi()
    everything = (1 << (16 if version >= 5 else 15)) - 1
    handled = struct.pack("QQQ", everything, 0 if network else 3, 3 if version >= 6 else 0)
    handled = handled[: 24 if version >= 6 else 16]
    ruleset = call(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), ctypes.c_uint(0))
    for paths, allowed in ((reads, READS), (writes, everything), (devices, READ_FILE | WRITE_FILE)):
        for path in paths:
            with suppress(FileNotFoundError):
                _allow(ruleset, path, allowed & everything)
    call(RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, allowed: int) -> None:
    at = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not os.path.isdir(f"/proc/self/fd/{at}"):  # noqa: PTH112  # pathlib costs milliseconds here
            allowed &= OF_FILES
        rule = struct.pack("=Qi", allowed, at)
        call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(PATH_BENEATH), rule, ctypes.c_uint(0))
    finally:
        os.close(at)


# --- System calls --------------------------------------------------------------------------------


def confine_calls(*, network: bool) -> None:
    """seccomp: what neither Landlock nor a dropped capability closes is answered with EPERM."""
    denied = (*DENIED, *(SIGNALS if abi() < 6 else ()))
    code = filtering(denied, FAMILIES if network else (), alone=False)
    buffer = ctypes.create_string_buffer(code, len(code))
    filled = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    kept = ctypes.create_string_buffer(filled, len(filled))
    control(SET_SECCOMP, 2, ctypes.addressof(kept))


def filtering(
    denied: tuple[tuple[int | None, int], ...], families: tuple[int, ...] | None, *, alone: bool = True
) -> bytes:
    """The filter's program: these calls are refused, and sockets but for `families`; None: all sockets may be.

    `alone`: no process from outside is in sight. A file that runs as its owner is never made: it would outlast the box.
    """
    which = 0 if platform.machine() == "x86_64" else 1
    refuse, allow = _step(0x06, 0x00050000 | EPERM), _step(0x06, 0x7FFF0000)
    program = [_step(0x20, 4), _step(0x15, NAMES[platform.machine()], 1, 0), _step(0x06, 0x80000000)]
    program += [_step(0x20, 0), _step(0x35, 0x40000000, 0, 1), refuse]
    for pair in denied:
        number = pair[which]
        if number is not None:
            program += [_step(0x15, number, 0, 1), refuse]
    # clone3 hides its flags in memory; told that there is none, libc uses clone.
    for pair in (CLONE3, OPENAT2):
        program += [_step(0x15, pair[which], 0, 1), _step(0x06, 0x00050000 | ENOSYS)]
    program += _modes(which)
    if not alone:
        program += [_step(0x15, PRLIMIT[which], 0, 4), _step(0x20, 16), _step(0x15, 0, 1, 0), refuse, allow]
    program += [_step(0x15, CLONE[which], 0, 4), _step(0x20, 16), _step(0x45, NEW_NAMESPACES, 0, 1), refuse, allow]
    program += [_step(0x15, IOCTL[which], 0, 5), _step(0x20, 24), _step(0x15, TIOCSTI, 1, 0)]
    program += [_step(0x15, TIOCLINUX, 0, 1), refuse, allow]
    if families is not None:
        program += [_step(0x15, SOCKET[which], 0, 2 + len(families) * 2), _step(0x20, 16)]
        for family in families:
            program += [_step(0x15, family, 0, 1), allow]
        program += [refuse]
    return b"".join([*program, allow])


def _modes(which: int) -> list[bytes]:
    """Refuses a mode with which a file runs as its owner."""
    refuse, allow = _step(0x06, 0x00050000 | EPERM), _step(0x06, 0x7FFF0000)
    program: list[bytes] = []
    for calls, at in MODES:
        number = calls[which]
        if number is not None:
            program += [_step(0x15, number, 0, 4), _step(0x20, 16 + 8 * at), _step(0x45, SETUID, 0, 1), refuse, allow]
    for calls, at in OPENS:
        number = calls[which]
        if number is not None:
            program += [_step(0x15, number, 0, 6), _step(0x20, 16 + 8 * at), _step(0x45, CREATES, 0, 3)]
            program += [_step(0x20, 24 + 8 * at), _step(0x45, SETUID, 0, 1), refuse, allow]
    return program


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("HBBI", code, yes, no, value)


def drop_capabilities() -> None:
    """Also those that root would get back when it starts a program."""
    for number in range(64):
        with suppress(OSError):
            control(CAPBSET_DROP, number)
    header, nothing = struct.pack("Ii", 0x20080522, 0), bytes(24)
    if libc.capset(header, nothing):
        raise OSError(ctypes.get_errno(), "capset")


# --- The parent ----------------------------------------------------------------------------------


def become(wanted: dict[str, Any]) -> NoReturn:
    """Confine this process and run the program in its place."""
    control(SET_PDEATHSIG, signal.SIGKILL)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(each, signal.SIG_DFL)
    limits = (("RLIMIT_CPU", "cpu_s"), ("RLIMIT_FSIZE", "file_bytes"))
    for name, key in (*limits, ("RLIMIT_CORE", "core")):
        most = int(wanted.get(key, 0))
        hard = resource.getrlimit(getattr(resource, name))[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(getattr(resource, name), (most, most))
    os.closerange(3, 1 << 20)
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123  # see _allow
        file.write("1000")  # where memory runs out, the kernel ends this first, and so not agentctl
    os.chdir(wanted["folder"])
    drop_capabilities()
    control(SET_NO_NEW_PRIVS, 1)
    own = [f"/proc/{os.getpid()}"]
    confine_files([*wanted["reads"], *own], wanted["writes"], wanted["devices"], network=wanted["network"])
    confine_calls(network=wanted["network"])
    try:
        os.execvpe(wanted["command"][0], wanted["command"], wanted["env"])  # noqa: S606  # what this program is for
    except OSError as error:
        leave(NOT_FOUND, f"{wanted['command'][0]}: {error.strerror}")


def kill_all() -> None:
    """Kill whatever descends from this process, until nobody is left. Orphans come here: it is their reaper."""
    for _ in range(10_000):
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:  # noqa: PTH123  # see _allow
            children = [int(each) for each in file.read().split()]
        for child in children:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def leave(code: int, said: str) -> NoReturn:
    """End this process at once."""
    os.write(2, f"sandbox: {said}\n".encode())
    os._exit(code)


def stop(number: int, _: object) -> NoReturn:
    """Whoever asked is gone, or wants the end: nobody stays."""
    kill_all()
    os._exit(128 + number)


def supervise(child: int) -> int:
    """Wait for the program, then see that nothing of it stays. Its exit code, 128 + n for a signal."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            break
    kill_all()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def main() -> None:
    """See the module."""
    parent = os.getppid()
    control(SET_PDEATHSIG, signal.SIGTERM)
    control(SET_SUBREAPER, 1)
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(each, stop)
    if os.getppid() != parent:
        leave(REFUSED, "whoever asked is gone")
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        wanted = json.load(file)
    child = os.fork()
    if child == 0:
        try:
            become(wanted)
        except BaseException as error:  # noqa: BLE001  # nothing may run less confined than asked
            leave(REFUSED, f"{type(error).__name__}: {error}")
    # A pipe that nobody but the program holds ends with it.
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os._exit(supervise(child))


if __name__ == "__main__":
    main()
