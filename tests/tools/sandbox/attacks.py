"""What a hostile tool tries: each prints `{"won": bool}` of what it could do. Targets come in as JSON on stdin."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

libc = ctypes.CDLL(None, use_errno=True)


def wrote(path):
    try:
        Path(path).write_text("owned")
    except OSError:
        return False
    return True


def reads(path):
    try:
        return bool(Path(path).read_bytes())
    except OSError:
        return False


def connects(host, port, kind=socket.SOCK_STREAM):
    try:
        with socket.socket(socket.AF_INET, kind) as sock:
            sock.settimeout(1)
            sock.connect((host, port))
            if kind == socket.SOCK_DGRAM:
                sock.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\0\0\1\0\1")
    except OSError:
        return False
    return True


def outside(at):
    return wrote(at["outside"]) and False  # the file tells: a box has a /tmp of its own


def home(at):
    return reads(at["home"])


def shadow(at):
    return reads("/etc/shadow")


def remount(at):
    got = libc.mount(b"none", b"/", None, 32 | 4096, None) == 0
    return got or (libc.unshare(0x10000000 | 0x20000) == 0 and libc.mount(b"none", b"/", None, 32 | 4096, None) == 0)


def kernel(at):
    try:
        with open("/proc/sys/kernel/core_pattern", "r+") as file:  # what it says runs as root
            same = file.read()
            file.seek(0)
            file.write(same)
    except OSError:
        return False
    return True


def namespaces(at):
    return libc.unshare(0x10000000) == 0  # all capabilities again, over what is new


def keys(at):
    return libc.syscall(250 if os.uname().machine == "x86_64" else 219, 0, -4, 1) > 0  # the user's own, in the kernel


def ptrace(at):
    return libc.ptrace(16, at["victim"], None, None) == 0 or reads(f"/proc/{at['victim']}/environ")


def kills(at):
    with suppress(OSError):
        os.kill(at["victim"], signal.SIGUSR1)
    return False  # the victim tells


def limits(at):
    import resource

    with suppress(OSError):
        resource.prlimit(at["victim"], resource.RLIMIT_NOFILE, (1, 1))
    return False  # the victim tells


def queue(at):
    libc.msgget(at["victim"], 0o1600)
    return False  # the kernel tells


def setuid(at):
    made = Path(at["work"], "setuid")
    with suppress(OSError):
        os.close(os.open(made, os.O_CREAT | os.O_RDWR, 0o4755))
    if made.exists() and made.stat().st_mode & 0o4000:
        return True
    made.write_text("")
    for way in (made.chmod, lambda mode: os.fchmod(os.open(made, os.O_RDONLY), mode)):
        with suppress(OSError):
            way(0o4755)
    won = made.stat().st_mode & 0o4000 != 0
    made.chmod(0o755)  # other modes may be given
    return won or made.stat().st_mode & 0o777 != 0o755


def abstract(at):
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect("\0" + at["abstract"])
    except OSError:
        return False
    return True


def loopback(at):
    return connects("127.0.0.1", at["port"])


def dns(at):
    return connects("127.0.0.1", at["names"], socket.SOCK_DGRAM) and False  # the name server tells


def metadata(at):
    return connects("169.254.169.254", 80, socket.SOCK_DGRAM) or connects("8.8.8.8", 53, socket.SOCK_DGRAM)


def unix(at):
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(at["unix"])
    except OSError:
        return False
    return True


def terminal(at):
    import fcntl

    with suppress(OSError), open(at["screen"], "rb+", buffering=0) as tty:
        tty.write(b"\x1b]0;owned\a")  # the screen tells
        fcntl.ioctl(tty, 0x5412, b"x")
        return True
    return False


def environment(at):
    return any("sk-fake" in value for value in os.environ.values())


def descriptors(at):
    open_ones = []
    for number in range(3, 512):
        with suppress(OSError):
            os.fstat(number)
            open_ones.append(number)
    return bool(open_ones)


def bomb(at):
    for _ in range(400):
        with suppress(OSError):
            if os.fork() == 0:
                time.sleep(60)
                os._exit(0)
    time.sleep(3)
    wrote(at["work"] + "/bombed")  # the file tells
    time.sleep(20)
    return True


def threads(at):
    import threading

    threading.stack_size(65536)
    with suppress(RuntimeError):
        for _ in range(4_000):
            threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
    time.sleep(3)
    wrote(at["work"] + "/bombed")  # the file tells
    time.sleep(20)
    return True


def huge(at):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with open(at["work"] + "/huge", "wb") as file:
            file.truncate(10**12)
    except OSError:
        return False
    return True


def stays(at):
    code = f"import time; time.sleep(1.5); open({at['work']!r} + '/stayed', 'w').write('owned')"
    subprocess.Popen(
        [sys.executable, "-c", code],
        start_new_session=True,
        env={},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return False  # the file tells


def hooks(at):
    return wrote(at["work"] + "/.git/hooks/pre-commit") and False  # the file tells


def new_hooks(at):
    with suppress(OSError):
        os.rename(at["work"] + "/.git", at["work"] + "/moved")
        os.makedirs(at["work"] + "/.git/hooks")
    wrote(at["work"] + "/.git/hooks/pre-commit")
    wrote(at["work"] + "/.envrc")
    with suppress(OSError):
        os.makedirs(at["work"] + "/.github/workflows")
    wrote(at["work"] + "/.github/workflows/x.yml")
    return False


def policy(at):
    wrote(at["policy"])
    with suppress(OSError):
        os.replace(at["work"] + "/other", at["policy"])
    return False


def symlink(at):
    with suppress(OSError):
        os.symlink(at["outside"], at["work"] + "/link")
    return wrote(at["work"] + "/link") and False  # the file tells


def hardlink(at):
    try:
        os.link(at["home"], at["work"] + "/hard")
    except OSError:
        return False
    return reads(at["work"] + "/hard")


def race(at):
    link = at["work"] + "/raced"
    Path(link + "-file").write_text("mine")
    if os.fork() == 0:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            for target in (link + "-file", at["home"]):
                with suppress(OSError):
                    os.symlink(target, link + "-new")
                    os.replace(link + "-new", link)
        os._exit(0)
    end = time.monotonic() + 0.4
    while time.monotonic() < end:
        with suppress(OSError):
            if "hearth" in Path(link).read_text():
                return True
    return False


if __name__ == "__main__":
    given = json.load(sys.stdin)
    print(json.dumps({"won": bool(globals()[given["attack"]](given))}))
