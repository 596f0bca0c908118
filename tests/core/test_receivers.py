"""What is shown of a receiver, and what is a secret in one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core import receivers

TOKEN = "T0" + "abc123" * 3


@pytest.mark.parametrize(
    ("url", "shown", "secret"),
    [
        ("env:HOOK", "env:HOOK", False),
        (f"env:{TOKEN}-x", "env:…", False),
        ("json://host:8080/hook", "json://host:8080", False),
        (f"jsons://ada:{TOKEN}@host/hook", "jsons://host", True),
        (f"json://host/?+X-Key={TOKEN}", "json://host", True),
        ("mailto://mail.example.com?from=a@example.com&to=b@example.com", "mailto://mail.example.com", False),
        (f"mailto://ada:{TOKEN}@mail.example.com", "mailto://mail.example.com", True),
        (f"slack://{TOKEN}/B/C", "slack://…", True),
        (f"tgram://{TOKEN}/1", "tgram://…", True),
        ("json://[::1", "json://…", True),
        (TOKEN, "…", False),
    ],
)
def test_scheme_and_host_are_shown_at_most(url, shown, secret):
    assert (shown, secret) == (receivers.shown(url), receivers.secret(url))


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_nothing_of_a_service_with_a_key_for_a_host_is_ever_shown(rest):
    assert "discord://…" == receivers.shown(f"discord://{rest}")


@pytest.mark.parametrize("url", ["hook", "env:", "env:1", "json//x", "json://a b", "json://\x1b[31m"])
def test_what_is_no_url_is_refused_without_being_shown(url):
    words = receivers.fault(url)

    assert words is not None
    assert url not in words[0] or url == "env:"


def test_passwords_and_keys_are_known_wherever_they_turn_up():
    assert TOKEN in receivers.secrets(f"jsons://ada:{TOKEN}@host/hook")
    assert TOKEN in receivers.secrets(f"json://host/?+X-Key={TOKEN}")
    assert TOKEN in receivers.secrets(f"slack://w/{TOKEN}/c")
    assert TOKEN in receivers.secrets(f"slack://{TOKEN}/B/C"), "a key for a host"
    assert TOKEN in receivers.secrets(f"pover://user@{TOKEN}")
    assert TOKEN in receivers.secrets(f"tgram://123456:{TOKEN}/1")
    assert f"{TOKEN}@" in receivers.secrets(f"mailto://ada:{TOKEN}%40@host"), "as it is sent to the server"
    assert f"host:8080/{TOKEN}" in receivers.secrets(f"json://host:8080/{TOKEN}"), "as the library names it: http://…"


def test_words_that_are_everybodys_are_no_secrets():
    for url in ("gotify://localhost/x", "ntfy://ntfy.example.com/x", "json://host/", "json://127.0.0.1:8080"):
        assert [url] == receivers.secrets(url)
