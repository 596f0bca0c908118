"""Servers have one spelling, and nothing secret is in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.config.load import load_policy
from agentctl.config.urls import normal, server

SECRET = "sk-live-0123456789abcdef"
PROVIDER = '[[providers]]\nname = "a"\nsdk = "openai"\nmodel = "m"\nbase_url = "{}"\n'
SAME = ("https://h/v1", "https://h/v1/", "https://h/v1//", "https://H/v1", "https://h:443/v1/", "HTTPS://h/v1")


@pytest.mark.parametrize("sign", ["?", "?api-key=", "#", "?a=b#"])
@pytest.mark.parametrize("base", ["https://host/v1", "http://host", "host/v1", "", "https://host:nonsense/"])
def test_what_could_hold_a_key_is_refused_and_not_shown(base, sign):
    """C08: a base URL stands in journals, circuits and minutes."""
    words = server(f"{base}{sign}{SECRET}")

    assert words is not None
    assert "without a query or a fragment" in words[0]
    assert "key_env" in words[1]
    assert "headers" in words[1]
    assert SECRET not in "".join(words)


@pytest.mark.parametrize("scheme", ["https://", "", "ada://", "http:"])
def test_a_password_is_refused_and_not_shown(scheme):
    """C08"""
    words = server(f"{scheme}ada:{SECRET}@host/v1")

    assert words is not None
    assert "without a name and password" in words[0]
    assert SECRET not in "".join(words)


def test_a_server_that_takes_no_headers_may_have_a_query():
    assert server("https://host/mcp?profile=p", query=True) is None


def test_an_at_sign_in_a_path_is_no_password():
    assert server("https://host/@team/v1") is None


@pytest.mark.parametrize("url", SAME)
def test_a_policy_gives_each_server_one_spelling(url, tmp_path):
    """Who shares a server shares its circuit and its minute."""
    file = tmp_path / "p.toml"
    file.write_text(PROVIDER.format(url))
    loaded = load_policy(file)

    assert "https://h/v1" == loaded.policy.providers[0].base_url
    file.write_text(PROVIDER.format("https://h/v1"))
    assert load_policy(file).digest == loaded.digest


def test_what_makes_another_server_stays():
    for url in ("http://h:443", "https://h:80", "http://[::1]:8080/v1", "https://h/V1", "https://h/v1/x", "https://h"):
        assert url == normal(url)


@given(st.from_regex(r"https?://[A-Za-z]{1,8}(:[0-9]{1,4})?(/[A-Za-z0-9._%@-]{0,5}){0,3}", fullmatch=True))
def test_what_is_spelt_once_is_spelt(url):
    assert normal(normal(url)) == normal(url)
    assert normal(url) == normal(url + "/")
