"""`http_get` answers with text, and reaches nothing that is not public unless the tool names it."""

import _socket
import asyncio
import datetime as dt
import email.utils
import gzip
import ipaddress
import json
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agentctl.core.guards import risk
from agentctl.core.policy import Policy
from agentctl.core.task import Tool
from agentctl.core.tiers import Tier
from agentctl.tools.base import Invocation
from agentctl.tools.builtin import addresses, http_get
from agentctl.tools.builtin.http_get import LIMIT, HttpGet
from agentctl.tools.declared import contract_of

ANY = ("127.0.0.1", "localhost")


@pytest.fixture(autouse=True)
def numbers(monkeypatch):
    """Addresses in every spelling that the system reads need no lookup; names are left to the guard."""
    guarded = socket.getaddrinfo

    def lookup(host, port, family=0, kind=0, proto=0, flags=0, **named):
        try:
            return _socket.getaddrinfo(host, port, family, named.get("type", kind), proto, socket.AI_NUMERICHOST)
        except OSError:
            return guarded(host, port, family, kind, proto, flags, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)


class Site:
    """A server that answers each path with prepared bytes, and remembers what it was asked."""

    def __init__(self):
        self.pages = {}
        self.asked = []
        self.port = 0

    def page(self, path, body=b"", *, status=200, pause=0.0, **headers):
        length = {} if "content_length" in headers else {"content_length": len(body)}
        fields = "".join(f"{k.replace('_', '-')}: {v}\r\n" for k, v in {**length, **headers}.items() if v is not None)
        self.pages[path] = (f"HTTP/1.1 {status} Said\r\n{fields}\r\n".encode() + body, pause)

    def url(self, path="/", host="127.0.0.1", scheme="http"):
        return f"{scheme}://{host}:{self.port}{path}"

    async def answer(self, reader, writer):
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.asked.append(request)
            said, pause = self.pages[request.split()[1].partition("?")[0]]
            await asyncio.sleep(pause)
            writer.write(said)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def site():
    made = Site()
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()


def tool(*hosts):
    entry = Tool(
        name="http_get", description=HttpGet.DESCRIPTION, parameters=HttpGet.PARAMETERS, idempotent=True, hosts=hosts
    )
    known = {"base_tier": HttpGet.BASE_TIER, "side_effects": HttpGet.SIDE_EFFECTS, "labels": HttpGet.LABELS}
    return HttpGet(contract_of(entry, Policy(), **known), hosts)


async def fetch(url, *hosts, timeout_s=5.0):
    made = tool(*hosts)
    args = {"url": url}
    assert made.contract.check(args) is None
    found = await made.run(Invocation("r_1", "c1.0", "key", args, timeout_s))
    found.text().encode()
    return found


# --- What it answers ------------------------------------------------------------------------------


async def test_a_page_is_fetched_with_status_headers_and_text(site):
    site.page("/", "Grüße".encode(), content_type="text/html; charset=utf-8", x_a="1", set_cookie="sid=secret")

    found = await fetch(site.url("/?q=1"), *ANY)

    assert found.ok
    assert list(found.data) == ["status", "headers", "text"]
    assert (200, "Grüße") == (found.data["status"], found.data["text"])
    assert "1" == found.data["headers"]["x-a"]
    assert "secret" not in json.dumps(found.data)
    assert site.asked[0].startswith("GET /?q=1 HTTP/1.1\r\n")


async def test_nothing_of_this_machine_goes_along(site, monkeypatch, tmp_path):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    site.page("/", b"ok", set_cookie="sid=1", content_type="text/plain")
    site.page("/to", status=302, location="/", set_cookie="sid=1")

    assert (await fetch(site.url("/to"), *ANY)).ok
    assert (await fetch(site.url("/"), *ANY)).ok
    names = {line.partition(":")[0].lower() for request in site.asked for line in request.splitlines()[1:] if line}
    assert {"host", "user-agent", "accept", "accept-encoding", "connection"} == names


def test_it_is_medium_untrusted_and_can_carry_data_out():
    contract = tool().contract

    assert Tier.MEDIUM == risk.tier(Policy().risk, contract).tier
    assert (True, False, True) == (contract.untrusted, contract.private, contract.egress)
    assert contract.read_only
    assert 5.0 == contract.timeout_s


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        ("text/plain; charset=latin-1", "café".encode("latin-1"), "café"),
        ('text/plain; charset="windows-1252"', "€5".encode("cp1252"), "€5"),
        ("text/html", '<meta charset="latin-1">é'.encode("latin-1"), '<meta charset="latin-1">é'),
        ("text/plain", "\ufeffdär".encode("utf-16"), "där"),
        ("text/plain", b"\xef\xbb\xbfx", "x"),
        ("text/plain; charset=nonsense", "é".encode(), "é"),
        ("text/plain; charset=utf-7", b"+ADw-script", "+ADw-script"),
        ("text/plain; charset=rot13", b"abc", "abc"),
        ("text/plain; charset=unicode_escape", b"\\x41", "\\x41"),
        ("text/plain", b"\xff\xfe\xfa"[1:], "\ufffd\ufffd"),
        ("application/ld+json", b"{}", "{}"),
        (None, b"plain", "plain"),
    ],
)
async def test_letters_are_read_as_they_were_written(site, kind, data, text):
    site.page("/", data, content_type=kind)

    assert text == (await fetch(site.url(), *ANY)).data["text"]


@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        ("image/png", b"\x89PNG\0", "is image/png; only text can be read."),
        ("application/octet-stream", b"abc", "is application/octet-stream; only text can be read."),
        (None, b"\0\1\2", "is binary data; only text can be read."),
        ("text/plain", b"\0\1\2", "is text/plain; only text can be read."),
    ],
)
async def test_what_is_no_text_is_declined(site, kind, data, said):
    site.page("/x", data, content_type=kind)

    found = await fetch(site.url("/x?key=secret"), *ANY)

    assert f"{site.url('/x')} {said}" == found.message
    assert ("permanent", False) == (found.error_type, found.retry_safe)


async def test_a_large_body_is_cut_and_a_bomb_does_not_go_off(site):
    site.page("/big", b"x" * (LIMIT + 10), content_type="text/plain")
    site.page("/endless", b"y" * (LIMIT * 2), content_type="text/plain", content_length=10**12)
    site.page("/bomb", gzip.compress(b"z" * 50_000_000), content_type="text/plain", content_encoding="gzip")
    site.page("/packed", gzip.compress(b"ok"), content_type="text/plain", content_encoding="gzip")

    for path in ("/big", "/endless", "/bomb"):
        found = await fetch(site.url(path), *ANY)
        assert LIMIT == len(found.data["text"])
        assert http_get.CUT == found.data["note"]
    assert "ok" == (await fetch(site.url("/packed"), *ANY)).data["text"]


async def test_a_body_that_is_not_what_it_says_is_an_answer(site):
    site.page("/a", b"no gzip", content_type="text/plain", content_encoding="gzip")
    site.page("/b", b"??", content_type="text/plain", content_encoding="br")

    assert (await fetch(site.url("/a"), *ANY)).message.endswith("could not be read: it is not gzip.")
    assert (await fetch(site.url("/b"), *ANY)).message.endswith("is packed as br, which was not asked for.")


async def test_statuses_speak_in_the_words_of_the_contract(site):
    """D31 D32 D33"""
    soon = email.utils.formatdate(time.time() + 30, usegmt=True)
    site.page("/429", status=429, retry_after="7")
    site.page("/date", status=429, retry_after=soon)
    site.page("/bare", status=429)
    site.page("/503", status=503)
    site.page("/404", status=404)
    site.page("/403", status=403)

    said = {path: await fetch(site.url(f"{path}?token=secret"), *ANY) for path in site.pages}

    assert ("Rate limit hit. Retry after 7s.", "rate_limit", True) == (
        said["/429"].message, said["/429"].error_type, said["/429"].retry_safe,
    )  # fmt: skip
    assert said["/date"].message in {f"Rate limit hit. Retry after {n}s." for n in (28, 29, 30)}
    assert "Rate limit hit. Retry after 60s." == said["/bare"].message
    assert ("Server error: 503", True) == (said["/503"].message, said["/503"].retry_safe)
    assert f"{site.url('/404')} not found or access denied." == said["/404"].message
    assert f"{site.url('/403')} not found or access denied." == said["/403"].message


async def test_the_whole_takes_no_longer_than_the_contract_says(site):
    site.page("/slow", b"late", pause=30.0, content_type="text/plain")
    site.page("/a", status=302, location="/b", pause=0.15)
    site.page("/b", status=302, location="/a", pause=0.15)
    begun = time.monotonic()

    slow, round_about = (
        await fetch(site.url("/slow"), *ANY, timeout_s=0.3),
        await fetch(site.url("/a"), *ANY, timeout_s=0.4),
    )

    assert ("Timeout after 0.3s", "transient") == (slow.message, slow.error_type)
    assert "Timeout after 0.4s" == round_about.message
    assert time.monotonic() - begun < 5


async def test_a_server_that_breaks_off_is_an_answer(site):
    site.page("/", b"abc", content_length=100, content_type="text/plain")
    site.pages["/garbage"] = (b"SSH-2.0-OpenSSH\r\n", 0)

    assert "transient" == (await fetch(site.url(), *ANY)).error_type
    assert "transient" == (await fetch(site.url("/garbage"), *ANY)).error_type
    assert "'127.0.0.1' could not be reached." == (await fetch("http://127.0.0.1:1/", *ANY)).message


# --- Redirects ------------------------------------------------------------------------------------


async def test_five_redirects_are_followed_and_a_sixth_is_not(site):
    for number in range(7):
        site.page(f"/{number}", status=(301, 302, 303, 307, 308)[number % 5], location=f"{number + 1}")
    site.page("/7", b"end", content_type="text/plain")

    assert "end" == (await fetch(site.url("/2"), *ANY)).data["text"]
    assert (await fetch(site.url("/1"), *ANY)).message.startswith("More than 5 redirects, the last one to http")


@pytest.mark.parametrize(
    "where",
    ["http://169.254.169.254/latest/meta-data/", "http://[::1]/", "http://10.0.0.1/", "//192.168.0.1/x", "http://0/"],
)
async def test_a_redirect_is_checked_like_the_first_address(site, where):
    site.page("/", status=302, location=where)

    found = await fetch(site.url(), *ANY)

    assert "is not on the public network. Cannot complete this step." in found.message
    assert 1 == len(site.asked)


@pytest.mark.parametrize("where", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x/", "http://u:p@127.0.0.1/"])
async def test_a_redirect_to_another_scheme_or_with_a_password_is_refused(site, where):
    site.page("/", status=302, location=where)

    assert "INVALID_ARGS" == (await fetch(site.url(), *ANY)).code


# --- Addresses ------------------------------------------------------------------------------------

LOCAL = [
    "http://127.0.0.1/", "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/",
    "http://017700000001/", "http://0177.0.0.1/", "http://0.0.0.0/", "http://0/", "http://127.255.255.254/",
    "http://localhost/", "http://localhost./", "http://LOCALHOST:8080/", "http://[::1]/", "http://[::]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::127.0.0.1]/", "http://[0:0:0:0:0:ffff:a00:1]/",
    "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::a9fe:a9fe]/", "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/", "http://[2001::8000:0:80ff:fffe]/", "http://[fe80::1]/", "http://[fc00::1]/",
    "http://[fd00:ec2::254]/", "http://[fec0::1]/", "http://[ff02::1]/", "http://[2001:db8::1]/", "http://[100::1]/",
    "http://169.254.169.254/latest/meta-data/", "http://169.254.170.2/", "http://168.63.129.16/",
    "http://100.100.100.200/", "http://192.0.0.192/", "http://10.1.2.3/", "http://172.16.0.1/", "http://192.168.1.1/",
    "http://100.64.0.1/", "http://224.0.0.1/", "http://239.1.1.1/", "http://255.255.255.255/", "http://240.0.0.1/",
    "http://198.18.0.1/", "http://192.0.2.1/", "https://127.0.0.1:6443/", "http://127.0.0.1:22/",
]  # fmt: skip


@pytest.mark.parametrize("url", LOCAL)
async def test_what_is_not_public_is_refused(url):
    found = await fetch(url)

    assert not found.ok
    refused = "is not on the public network. Cannot complete this step." in found.message
    assert refused or found.code == "INVALID_ARGS" or "could not be resolved" in found.message


@pytest.mark.parametrize("url", ["http://127.1/", "http://2130706433/", "http://0x7f.1/", "http://[::ffff:127.0.0.1]/"])
async def test_another_spelling_of_loopback_is_refused_as_loopback(url):
    assert "is not on the public network" in (await fetch(url)).message


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "64:ff9b::808:808"],
)
def test_public_addresses_are_public(text):
    assert addresses.is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "example.com", "javascript:alert(1)", "http://", "http://u:p@example.com/",
     "http://user@example.com", "http://a b\r\nX: y/", "//example.com/", "data:text/plain,x", "unix:///var/run/docker.sock"],
)  # fmt: skip
async def test_what_is_no_url_of_the_web_is_a_bad_argument(url):
    found = await fetch(url)

    assert "INVALID_ARGS" == found.code
    assert "u:p" not in found.text()


def answered(monkeypatch, *rounds):
    """What the resolver says, each time that it is asked."""
    asked = []

    async def getaddrinfo(_self, host, port, **_):
        asked.append(host)
        texts = rounds[min(len(asked), len(rounds)) - 1]
        return [(2, 1, 6, "", (text, port)) for text in texts]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_that_leads_home_is_refused(monkeypatch):
    answered(monkeypatch, ["127.0.0.1"])

    assert "'innocent.example' is not on the public network" in (await fetch("http://innocent.example/")).message


async def test_one_local_address_among_public_ones_is_enough_to_refuse(monkeypatch):
    answered(monkeypatch, ["93.184.216.34", "169.254.169.254"])

    assert "is not on the public network" in (await fetch("http://mixed.example/")).message


async def test_a_name_is_resolved_once_and_the_checked_address_is_used(monkeypatch):
    """Rebinding: the second answer of the resolver would be this machine."""
    asked = answered(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    connected = []

    async def connect(_self, _protocol, host=None, port=None, **_):
        connected.append((host, port))
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", connect)
    monkeypatch.setattr("socket.socket.connect", lambda _self, address: connected.append(address))
    found = await fetch("http://rebind.example/")

    assert ["rebind.example"] == asked[:1]
    assert {"93.184.216.34"} == {host for host, *_ in connected}
    assert [] == [host for host in asked[1:] if host != "93.184.216.34"]
    assert "'rebind.example' could not be reached." == found.message


async def test_an_address_that_does_not_answer_leaves_time_for_the_next(site, monkeypatch):
    answered(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    site.page("/", b"ok", content_type="text/plain")

    assert "ok" == (await fetch(site.url(host="shop.example"), "shop.example")).data["text"]


async def test_the_host_header_keeps_the_name(site, monkeypatch):
    answered(monkeypatch, ["127.0.0.1"])
    site.page("/", b"ok", content_type="text/plain")

    assert (await fetch(site.url(host="shop.example"), "shop.example")).ok
    assert f"host: shop.example:{site.port}\r\n" in site.asked[0].lower()


async def test_the_allow_list_names_hosts_and_ports(site):
    site.page("/", b"ok", content_type="text/plain")

    assert (await fetch(site.url(), f"127.0.0.1:{site.port}")).ok
    assert (await fetch(site.url(host="LocalHost"), "localhost")).ok
    assert not (await fetch(site.url(), "127.0.0.1:1")).ok
    assert not (await fetch(site.url(), "localhost")).ok
    assert not (await fetch(site.url(host="127.1"), "127.0.0.1")).ok
    assert addresses.is_named("::1", 80, ("[::1]:80",))


async def test_a_redirect_may_only_go_where_the_list_allows(site):
    site.page("/", status=302, location=site.url("/x", host="localhost"))
    site.page("/x", b"ok", content_type="text/plain")

    assert "'localhost' is not on the public network" in (await fetch(site.url(), "127.0.0.1")).message
    assert (await fetch(site.url(), *ANY)).ok


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture
async def secure(tmp_path):
    """The site over TLS, for the name `shop.example`, and the certificate to trust."""
    made = Site()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("shop.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    file = tmp_path / "site.pem"
    raw = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file.write_bytes(pem + key.private_bytes(*raw))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    made.names = []
    context.sni_callback = lambda _socket, name, _context: made.names.append(name)
    server = await asyncio.start_server(made.answer, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    made.trusted = ssl.create_default_context(cadata=pem.decode())
    yield made
    server.close()


async def test_tls_is_checked_against_the_name_and_not_the_address(secure, monkeypatch):
    answered(monkeypatch, ["127.0.0.1"])
    monkeypatch.setattr(http_get, "_trusted", lambda: secure.trusted)
    secure.page("/", b"ok", content_type="text/plain")

    right = await fetch(secure.url(host="shop.example", scheme="https"), "shop.example")
    wrong = await fetch(secure.url(host="other.example", scheme="https"), "other.example")

    assert "ok" == right.data["text"]
    assert ["shop.example", "other.example"] == secure.names
    assert ("'other.example' has no valid certificate.", "permanent") == (wrong.message, wrong.error_type)


async def test_a_certificate_that_nobody_vouches_for_is_refused(secure, monkeypatch):
    answered(monkeypatch, ["127.0.0.1"])

    found = await fetch(secure.url(host="shop.example", scheme="https"), "shop.example")

    assert "'shop.example' has no valid certificate." == found.message
    assert [] == secure.asked


async def test_another_protocol_is_no_matter_of_certificates():
    async def greet(_reader, writer):
        writer.write(b"SSH-2.0-OpenSSH\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        found = await fetch(f"https://127.0.0.1:{port}/", *ANY)

    assert "'127.0.0.1' could not be reached." == found.message


async def test_unchecked_arguments_are_an_answer_too():
    made = tool()

    assert "INVALID_ARGS" == (await made.run(Invocation("r", "c", "k", {"url": 5}, 1.0))).code
    assert "INVALID_ARGS" == (await made.run(Invocation("r", "c", "k", {}, 1.0))).code
    for args in ({}, {"url": ""}, {"url": "x", "method": "POST"}, {"url": "x" * 9_000}):
        assert made.contract.check(args) is not None
