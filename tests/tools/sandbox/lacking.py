"""Run a command as on a machine that lacks something, for real: the kernel itself refuses.

    python lacking.py landlock,namespaces COMMAND…

Both filters are inherited and can't be undone. `namespaces` is what most containers are like.
"""

import errno
import os
import struct
import sys
from ctypes import addressof, create_string_buffer

from agentctl.tools.sandbox import launch

UNSHARE = (272, 97)


def refuse(*, landlock: bool, namespaces: bool) -> None:
    """Refuse system calls from now on."""
    which = 0 if os.uname().machine == "x86_64" else 1
    step, allow = launch._step, launch._step(0x06, 0x7FFF0000)

    def no(number: int) -> bytes:
        return step(0x06, 0x00050000 | number)

    program = [step(0x20, 0)]
    if landlock:
        program += [step(0x15, launch.CREATE_RULESET, 0, 1), no(errno.EOPNOTSUPP)]
    if namespaces:
        program += [step(0x15, UNSHARE[which], 0, 1), no(errno.EPERM), step(0x15, launch.CLONE3[which], 0, 1)]
        program += [no(errno.ENOSYS), step(0x15, launch.CLONE[which], 0, 3), step(0x20, 16)]
        program += [step(0x45, launch.NEW_NAMESPACES, 0, 1), no(errno.EPERM)]
    code = b"".join([*program, allow])
    kept = create_string_buffer(code, len(code))
    filled = struct.pack("HxxxxxxQ", len(code) // 8, addressof(kept))
    whole = create_string_buffer(filled, len(filled))
    launch.control(launch.SET_NO_NEW_PRIVS, 1)
    launch.control(launch.SET_SECCOMP, 2, addressof(whole))


if __name__ == "__main__":
    what = sys.argv[1].split(",")
    refuse(landlock="landlock" in what, namespaces="namespaces" in what)
    os.execvp(sys.argv[2], sys.argv[2:])
