"""What a proxy is asked: only what can be read in one way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.tools.sandbox.asked import Asked, parsed


def test_a_tunnel():
    assert Asked("host.test", 443, tunnel=True) == parsed(b"CONNECT Host.Test.:443 HTTP/1.1\r\nHost: x\r\n\r\n")


def test_a_whole_url_becomes_its_path_and_its_own_host():
    found = parsed(
        b"GET http://host.test:81/a?b=c HTTP/1.0\r\nHost: evil.org\r\nProxy-Authorization: x\r\n"
        b"Connection: keep-alive\r\nAccept: */*\r\n\r\n"
    )

    assert ("host.test", 81, False) == (found.host, found.port, found.tunnel)
    assert b"GET /a?b=c HTTP/1.1\r\nHost: host.test:81\r\nAccept: */*\r\nConnection: close\r\n\r\n" == found.head


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1",
        b"GET https://host.test/ HTTP/1.1",
        b"GET ftp://host.test/ HTTP/1.1",
        b"CONNECT host.test HTTP/1.1",
        b"CONNECT host.test:0 HTTP/1.1",
        b"CONNECT host.test:99999 HTTP/1.1",
        b"CONNECT a@host.test:443 HTTP/1.1",
        b"GET http://u:p@host.test/ HTTP/1.1",
        b"GET http://host.test?x HTTP/1.1",
        b"GET http:/// HTTP/1.1",
        b"GET  http://host.test/ HTTP/1.1",
        b"GET http://host.test/ HTTP/2",
        b"\x16\x03\x01",
        b"",
        b"GET http://host.test/ HTTP/1.1\r\n folded: x",
        b"GET http://host.test/ HTTP/1.1\r\nno header",
        b"GET http://host.test/ HTTP/1.1\r\nA: b\nHost: evil.org",
        b"GET http://host.test/\nHost: evil.org HTTP/1.1",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused(head):
    with pytest.raises(ValueError, match=r"."):
        parsed(head + b"\r\n\r\n")


@given(st.binary(max_size=200))
def test_no_bytes_break_it_and_what_comes_out_holds_one_head(data):
    try:
        found = parsed(data + b"\r\n\r\n")
    except ValueError:
        return
    assert 0 < found.port < 65_536
    assert 1 >= found.head.count(b"\r\n\r\n")
