"""The locks, one by one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.tui.serving.door import FOREIGN, HTTP_PORT, MISDIRECTED, Door

DOOR = Door(8123)


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:8123", "LOCALHOST:8123"])
def test_it_answers_to_its_own_names(host):
    assert DOOR.elsewhere([host], [], socket=False) is None


@pytest.mark.parametrize(
    "hosts",
    [
        [],
        ["evil.example"],
        ["evil.example:8123"],
        ["127.0.0.1"],
        ["127.0.0.1:8124"],
        ["localhost.:8123"],
        ["127.0.0.1:8123.evil.example"],
        ["evil.example@127.0.0.1:8123"],
        ["[::1]:8123"],
        ["0.0.0.0:8123"],
        ["127.0.0.1:8123", "evil.example"],
        ["127.0.0.1:8123", "127.0.0.1:8123"],
    ],
)
def test_it_answers_to_no_other_name(hosts):
    assert MISDIRECTED == DOOR.elsewhere(hosts, [], socket=False)


@pytest.mark.parametrize(
    "origins",
    [
        ["null"],
        ["http://evil.example"],
        ["https://127.0.0.1:8123"],
        ["http://127.0.0.1:8124"],
        ["http://127.0.0.1"],
        ["http://127.0.0.1:8123/"],
        [""],
        ["http://127.0.0.1:8123", "http://evil.example"],
        ["http://127.0.0.1:8123", "http://127.0.0.1:8123"],
    ],
)
@pytest.mark.parametrize("socket", [True, False])
def test_another_origin_stays_outside(origins, socket):
    assert FOREIGN == DOOR.elsewhere(["localhost:8123"], origins, socket=socket)


def test_only_a_socket_needs_an_origin():
    assert DOOR.elsewhere(["localhost:8123"], [], socket=False) is None
    assert FOREIGN == DOOR.elsewhere(["localhost:8123"], [], socket=True)
    assert DOOR.elsewhere(["localhost:8123"], ["http://localhost:8123"], socket=True) is None


def test_the_port_that_no_browser_names():
    door = Door(HTTP_PORT)

    assert door.elsewhere(["localhost"], ["http://localhost"], socket=True) is None


@given(st.text())
def test_no_other_text_is_the_token_or_the_badge(text):
    assert not DOOR.knows_token([text])
    assert not DOOR.knows_badge(text)


def test_the_token_is_given_once_and_is_not_the_badge():
    assert DOOR.knows_token([DOOR.token])
    assert DOOR.knows_badge(DOOR.badge)
    assert not DOOR.knows_token([DOOR.token, DOOR.token])
    assert not DOOR.knows_token([DOOR.badge])
    assert not DOOR.knows_badge(DOOR.token)
    assert not DOOR.knows_badge(None)


def test_every_server_has_its_own_and_shows_them_to_nobody():
    other = Door(8123)

    assert 4 == len({DOOR.token, DOOR.badge, other.token, other.badge})
    assert DOOR.token not in repr(DOOR)
    assert DOOR.badge not in repr(DOOR)
    assert len(DOOR.token) >= 43
