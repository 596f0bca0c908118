"""The program that stands between a tool and its proxy: in the box, HTTP on loopback; outside, a Unix socket.

Started in the box (`python -I -S forward.py SOCKET COMMAND…`), it imports nothing of agentctl. The command takes its
place; a process of its own copies bytes and ends with the box. It guards nothing: the proxy does.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress

NAMES = (b"HTTP_PROXY", b"HTTPS_PROXY", b"ALL_PROXY")
LOCAL = b"localhost,127.0.0.1,::1"
MOST = 64
PIECE = 65_536
IDLE_S = 120.0


def copy(one: socket.socket, other: socket.socket) -> None:
    """Both directions, until both have ended or nothing comes."""
    ways = {one: other, other: one}
    while ways:
        ready, _, _ = select.select(list(ways), [], [], IDLE_S)
        if not ready:
            return
        for each in ready:
            piece = each.recv(PIECE)
            if piece:
                ways[each].sendall(piece)
            else:
                ways.pop(each).shutdown(socket.SHUT_WR)


def serve(client: socket.socket, path: str, free: threading.Semaphore) -> None:
    """One connection."""
    with client, socket.socket(socket.AF_UNIX) as out, suppress(OSError):
        out.connect(path)
        copy(client, out)
    free.release()


def forward(server: socket.socket, path: str) -> None:
    """Every connection, until this process is killed."""
    free = threading.BoundedSemaphore(MOST)
    while True:
        free.acquire()
        client, _ = server.accept()
        threading.Thread(target=serve, args=(client, path, free), daemon=True).start()


def main() -> None:
    """See the module."""
    path, command = sys.argv[1], sys.argv[2:]
    server = socket.create_server(("127.0.0.1", 0), backlog=MOST)
    if os.fork() == 0:
        if os.fork():  # the command must not find a child that it did not start
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):  # a pipe ends when the command does
            os.dup2(null, number)
        forward(server, path)
    os.wait()
    url = b"http://127.0.0.1:%d" % server.getsockname()[1]
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123  # pathlib costs milliseconds here
        given = {each.partition(b"=")[0] for each in file.read().split(b"\0")}
    env = {name: value for name, value in os.environb.items() if name in given}  # Python adds LC_CTYPE to it
    env |= {each: url for name in NAMES for each in (name, name.lower())}
    env |= {b"NO_PROXY": LOCAL, b"no_proxy": LOCAL}
    server.close()
    for each in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would what it becomes
        signal.signal(each, signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, env)  # noqa: S606  # what this program is for
    except OSError as error:
        os.write(2, f"sandbox: {command[0]}: {error.strerror}\n".encode())
        os._exit(127)


if __name__ == "__main__":
    main()
