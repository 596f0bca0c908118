"""`agentctl monitor --serve`: the monitor in a browser of this machine."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time

from agentctl import ownkeys
from agentctl.cli import render
from agentctl.core import keynames
from agentctl.errors import Usage

HOST = "127.0.0.1"
"""And no other: what the monitor shows is for who sits here."""
KEPT = ("AGENTCTL_", "PG")
"""How variables begin that a monitor needs, whatever they are called: the store's, and the key of sealed originals."""
PARENT_S = 1.0


def serve(run_id: str, store: str | None, user: str, *, port: int, answers: bool, as_json: bool) -> None:
    """Serve it until ctrl-c. A run's id must be that of a run.

    Raises:
        Usage: the extra is missing, or the port is taken.
    """
    from agentctl.tui.serving import pages

    title = " ".join(("agentctl monitor", *([run_id] if run_id else [])))
    found = pages.read(title)
    try:
        import asyncio

        from agentctl.tui.serving.child import Launch
        from agentctl.tui.serving.door import Door
        from agentctl.tui.serving.server import Served
        from agentctl.tui.serving.server import serve as until_told
    except ImportError as error:
        raise pages.missing(str(error).partition("\n")[0]) from None
    with _listener(port) as listener:
        door = Door(listener.getsockname()[1])
        launch = Launch(_command(run_id, user, answers=answers), _environment(store, answers=answers))
        _tell(door.url, door.port, answers=answers, as_json=as_json)
        asyncio.run(until_told(listener, Served(door, launch, found, _complain)))


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server((HOST, port))
    except OSError as error:
        raise Usage(f"--port: {port} can't be used: {error.strerror}", hint="Without --port, a free one is") from None


def _command(run_id: str, user: str, *, answers: bool) -> tuple[str, ...]:
    words = (run_id,) if run_id else ()
    only = () if answers else ("--read-only",)
    return (sys.executable, "-m", "agentctl", "monitor", *words, "--user", user, *only)


def _environment(store: str | None, *, answers: bool) -> dict[str, str]:
    """What a monitor needs: the keys of providers only where it may resume a run.

    The store's URL, which may hold a password, is in here: the arguments of a process are shown to everybody.
    """
    names = frozenset(map(keynames.words, keynames.BUILT_IN))
    found = {
        name: value
        for name, value in ownkeys.environment().items()
        if not name.startswith("TEXTUAL") and (answers or name.startswith(KEPT) or not keynames.sensitive(names, name))
    }
    return {**found, "AGENTCTL_STORE": store} if store else found


def _tell(url: str, port: int, *, answers: bool, as_json: bool) -> None:
    if as_json:
        render.as_json({"url": url, "port": port, "answers": answers})
    else:
        render.out(f"{url}  {'answers allowed' if answers else 'read-only'}, ctrl-c ends it")
    sys.stdout.flush()


def _complain(line: str) -> None:
    from agentctl.approvals.printable import printable

    render.say(printable(render.clipped(line, 200), lines=False), "warn")


def served() -> bool:
    """Whether this process is a monitor that `serve` started: it has pipes and no terminal."""
    return os.environ.get("TEXTUAL_DRIVER", "").endswith(":WebDriver")


def end_with_parent() -> None:
    """Nobody else ends a served monitor whose server was killed."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_S)
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
