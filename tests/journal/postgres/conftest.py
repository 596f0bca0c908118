"""A store on a server, and a wire to it that a test can cut."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from tests.journal import server
from tests.journal.conftest import driven, opened, process, stamp, store, url

__all__ = ["driven", "opened", "process", "stamp", "store", "url"]


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    server.or_skip(request.node)
    return "postgres"


class Wire:
    """Passes on what client and server say; `cut` tells when to stop."""

    def __init__(self, address: str, folder: Path) -> None:
        self._address = address
        self.folder = folder
        self.cut: Callable[[bytes, bool], bool] = lambda _said, _from_server: False
        self.cuts = 0
        self._ends: list[socket.socket] = []
        self._open = socket.socket(socket.AF_UNIX)
        self._open.bind(str(folder / ".s.PGSQL.5432"))
        self._open.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Whoever still talks is cut off."""
        self._open.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        for each in self._ends:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        self._open.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._open.accept()
                there = socket.socket(socket.AF_UNIX)
                try:
                    there.connect(self._address)
                except OSError:
                    client.close()
                    there.close()
                    continue
                self._ends += [client, there]
                for ends in ((client, there, False), (there, client, True)):
                    self._threads.append(threading.Thread(target=self._pass, args=ends))
                    self._threads[-1].start()

    def _pass(self, source: socket.socket, sink: socket.socket, from_server: bool) -> None:
        with suppress(OSError):
            while said := source.recv(65_536):
                if self.cut(said, from_server):
                    self.cuts += 1
                    break
                sink.sendall(said)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()


@pytest.fixture
def wire(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    (host,) = parse_qs(urlsplit(url).query)["host"]
    folder = tmp_path_factory.mktemp("w")
    made = Wire(f"{host}/.s.PGSQL.5432", folder)
    yield made
    made.close()


@pytest.fixture
def wired(url: str, wire: Wire) -> str:
    """The URL of the store at the end of the wire."""
    return f"{url.partition('?')[0]}?host={quote(str(wire.folder), safe='')}"
