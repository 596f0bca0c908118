"""A process that forks: each child is a process of its own, without the second that the imports take.

One JSON object a line on stdin: `{"start": 3, "work": "drives", "given": {…}}` forks member 3, `{"signal": 9, "to": 3}`
sends it a signal. On stdout, one a line: what members say, `{"member": 3, "pid": …}` when one is born, and `{"member":
3, "ended": -9}` when it is no more. At the end of stdin whoever still lives is killed.
"""

import contextlib
import gc
import importlib
import json
import os
import signal
import sys
import threading
import traceback

work = importlib.import_module(next((word for word in sys.argv[1:] if "." in word), "tests.books.work"))
pids: dict[int, int] = {}


def say(member: int, **words: object) -> None:
    """One line; short ones from many processes never mix."""
    os.write(1, json.dumps({"member": member, **words}).encode() + b"\n")


def bury(*_: object) -> None:
    """Reap whoever died."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            say(pids.pop(pid), ended=os.waitstatus_to_exitcode(status))


def start(member: int, name: str, given: dict[str, object]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    pid = os.fork()
    if pid:
        pids[pid] = member
        say(member, pid=pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        return
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        getattr(work, name)(lambda **words: say(member, **words), **given)
        code = 0
    except BaseException:  # noqa: BLE001  # whatever it was, the test is told
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def main() -> None:
    if "warm" in sys.argv:
        work.warm_up()
    gc.freeze()
    signal.signal(signal.SIGCHLD, bury)
    assert threading.active_count() == 1, "threads do not survive a fork"
    while line := sys.stdin.readline():
        told = json.loads(line)
        if "start" in told:
            start(told["start"], told["work"], told["given"])
            continue
        for pid, member in tuple(pids.items()):
            if member == told["to"]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, told["signal"])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in tuple(pids):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
