"""The way out of a box: a real server stands for the outside, a real program in a real box asks for it."""

import asyncio
import contextlib
import http.server
import ipaddress
import os
import threading
from dataclasses import replace

import pytest

from agentctl.core.outside import read
from agentctl.core.policy import Sandbox
from agentctl.errors import SandboxMissing
from agentctl.tools.sandbox import proxy
from agentctl.tools.sandbox.box import run_boxed
from agentctl.tools.sandbox.opening import open_box, told
from agentctl.tools.sandbox.probe import Found, probe
from agentctl.tools.sandbox.proxy import Reach, permitted
from tests.tools.sandbox.range import PYTHON, laid_out

LOOPBACK = ipaddress.ip_address("127.0.0.1")
FETCH = (
    "import sys, urllib.request\n"
    "try: print(urllib.request.urlopen(sys.argv[1], timeout=5).read().decode())\n"
    "except Exception as error: print('failed', getattr(error, 'read', lambda: str(error).encode())().decode())\n"
)
TUNNEL = (
    "import http.client, os, sys, urllib.parse\n"
    "at = urllib.parse.urlsplit(os.environ['https_proxy'])\n"
    "it = http.client.HTTPConnection(at.hostname, at.port, timeout=5); it.set_tunnel(sys.argv[1], int(sys.argv[2]))\n"
    "try: it.request('GET', '/in'); print(it.getresponse().read().decode())\n"
    "except OSError as error: print('failed', error)\n"
)
DIRECT = (
    "import socket, sys\n"
    "try: socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3); print('through')\n"
    "except OSError as error: print('failed', error)\n"
)


class Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"hello {self.path} {self.headers['Host']}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def port():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def reach(port, leads=None):
    """Names as a test says; the server of the test is outside, whatever its address."""
    leads = {"good.test": "127.0.0.1", **(leads or {})}

    async def resolve(name, _):
        if name not in leads:
            raise OSError(name)
        return [ipaddress.ip_address(leads[name])]

    def outside(host, address):
        return (address == LOOPBACK and host.name == "good.test" and host.ports == (port,)) or permitted(host, address)

    return Reach(resolve, outside)


@pytest.fixture
def found():
    best = probe()
    if best.backend != "bubblewrap":
        if os.environ.get("AGENTCTL_REQUIRE_REAL") == "1":
            pytest.fail("needs bubblewrap")
        pytest.skip("needs bubblewrap")
    return best


@pytest.fixture
def run(tmp_path, found, port):
    folder = laid_out(tmp_path)

    async def call(code, *words, hosts=None, leads=None):
        listed = (f"good.test:{port}",) if hosts is None else hosts
        box = replace(open_box(Sandbox(network=listed), folder, found=found), reach=reach(port, leads))
        env = {"PATH": os.environ["PATH"], "http_proxy": "http://elsewhere.test:1"}
        ended = await run_boxed(box, [PYTHON, "-c", code, *map(str, words)], env, b"", 30)
        return (ended.stdout + ended.stderr).decode()

    return call


async def test_a_listed_host_is_reached_by_request_and_by_tunnel(run, port):
    assert f"hello /x?y good.test:{port}\n" == await run(FETCH, f"http://good.test:{port}/x?y")
    assert "hello /in" in await run(TUNNEL, "good.test", port)


@pytest.mark.needs("curl")
async def test_curl_finds_its_way_too(run, port):
    code = f"import os; os.execvp('curl', ['curl', '-sS', 'http://good.test:{port}/curl'])"

    assert f"hello /curl good.test:{port}" == await run(code)


@pytest.mark.parametrize("code", [FETCH, TUNNEL])
async def test_a_host_or_a_port_that_is_not_listed_is_refused_and_never_looked_up(run, port, code):
    for name, at in (("other.test", port), ("good.test", 81), ("sub.good.test", port)):
        where = (f"http://{name}:{at}/",) if code == FETCH else (name, at)
        said = await run(code, *where)
        assert "failed" in said
        assert "not on the list" in said or "403" in said


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.8.8.8", "169.254.169.254", "10.0.0.8", "192.168.1.1", "0.0.0.0", "::1", "fe80::1", "fd00::1",
     "::ffff:127.0.0.1", "64:ff9b::7f00:1", "100.100.100.200", "168.63.129.16", "224.0.0.1"],
)  # fmt: skip
async def test_a_listed_name_that_leads_inside_is_refused(run, port, address):
    """DNS rebinding: the name is fine, the address is not."""
    said = await run(
        FETCH, f"http://turned.test:{port}/", hosts=(f"turned.test:{port}",), leads={"turned.test": address}
    )

    assert "leads to an address that no program may reach" in said


def test_a_private_address_is_reached_only_where_the_list_names_it():
    private, metadata = ipaddress.ip_address("10.0.0.5"), ipaddress.ip_address("100.100.100.200")

    assert permitted(read("10.0.0.5:3128"), private)
    assert not permitted(read("intranet.test"), private)
    assert not permitted(read("100.100.100.200"), metadata)
    assert permitted(read("*.files.example.org"), ipaddress.ip_address("151.101.0.223"))


async def test_nothing_goes_around_the_proxy(run, port):
    for host in ("127.0.0.1", "8.8.8.8", "169.254.169.254", "good.test"):
        assert (await run(DIRECT, host, port)).startswith("failed")


async def test_the_connection_goes_to_the_address_that_was_checked(run, port):
    """The second answer of a resolver plays no part."""
    answers = [LOOPBACK, ipaddress.ip_address("169.254.169.254")]
    asked = []

    async def turning(name, _):
        asked.append(name)
        return [answers[min(len(asked), 2) - 1]]

    hosts = (read(f"good.test:{port}"),)
    async with proxy.opened(hosts, Reach(turning, reach(port).permitted)) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        with contextlib.closing(writer):
            writer.write(f"GET http://good.test:{port}/ HTTP/1.1\r\n\r\n".encode())
            assert b"hello" in await reader.read()
    assert ["good.test"] == asked
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"GET / HTTP/1.1\r\n\r\n", b"400"), (b"GET http://x/ HTTP/1.1\r\nA: " + b"a" * 40_000, b"431")],
)
async def test_what_is_no_request_is_answered_and_closed(sent, status):
    async with proxy.opened((), Reach()) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        with contextlib.closing(writer):
            writer.write(sent)
            assert (await reader.read()).startswith(b"HTTP/1.1 " + status)


async def test_only_so_many_connections_at_a_time():
    async with proxy.opened((), Reach()) as path:
        held = [await asyncio.open_unix_connection(path) for _ in range(proxy.MOST)]
        reader, writer = await asyncio.open_unix_connection(path)
        assert (await reader.read()).startswith(b"HTTP/1.1 503")
        for _, each in (*held, (reader, writer)):
            each.close()


async def test_the_command_sees_what_it_was_given_and_no_child_of_ours(run):
    code = (
        "import os\n"
        "print(sorted(name for name in os.environ if name not in ('PWD', 'LC_CTYPE') and 'roxy' not in name.lower()))\n"
        "try: os.wait()\nexcept ChildProcessError: print('childless')"
    )
    said = await run(code)

    assert said.startswith("['PATH']\nchildless\n")


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_where_only_landlock_is_there_a_list_opens_nothing_and_that_is_said(tmp_path, mode):
    folder = laid_out(tmp_path)
    landlock = Found("landlock", "", "Landlock is used", "install bubblewrap")
    rules = Sandbox(mode=mode, network=("files.example.org",))
    if mode == "required":
        with pytest.raises(SandboxMissing, match="only bubblewrap"):
            open_box(rules, folder, found=landlock)
        return
    box = open_box(rules, folder, found=landlock)

    assert not box.network
    assert "only bubblewrap can hold programs to a list: programs reach no network" in told(box)
