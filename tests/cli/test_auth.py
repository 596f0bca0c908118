"""Keys: hidden, read back, never echoed."""

import os
import pty
import subprocess
import sys

import keyring
import pytest
from keyring.backend import KeyringBackend

KEY = "sk-test-0123456789-abcdef"


class InMemory(KeyringBackend):
    priority = 1

    def __init__(self):
        super().__init__()
        self.kept = {}

    def set_password(self, service, username, password):
        self.kept[service, username] = password

    def get_password(self, service, username):
        return self.kept.get((service, username))

    def delete_password(self, service, username):
        del self.kept[service, username]


@pytest.fixture
def backend(monkeypatch):
    made = InMemory()
    monkeypatch.setattr(keyring, "get_keyring", lambda: made)
    return made


def test_a_key_from_stdin_is_stored_and_never_shown(agentctl, backend):
    called = agentctl("auth", "set", "anthropic", stdin=f"{KEY}\n")

    assert called.code == 0
    assert backend.kept == {("agentctl", "anthropic"): KEY}
    assert called.out.startswith("stored the key for anthropic and read it back from ")
    assert KEY not in called.out + called.err
    listed = agentctl("auth", "list")
    assert "anthropic   claude-sonnet-4-6  keyring" in listed.out
    assert KEY not in listed.out
    assert agentctl("auth", "remove", "anthropic").code == 0
    assert backend.kept == {}
    assert agentctl("auth", "remove", "anthropic").code == 3


def test_as_json(agentctl, backend, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)

    assert agentctl("auth", "set", "anthropic", "--json", stdin=KEY).json["stored"] is True
    items = {item["name"]: item["source"] for item in agentctl("auth", "list", "--json").json["items"]}
    assert items == {"anthropic": "keyring", "openai": "OPENAI_API_KEY", "summarizer": None}
    assert agentctl("auth", "remove", "anthropic", "--json").json["removed"] is True


@pytest.mark.parametrize("typed", ["", " \n", "x" * 10_001])
def test_what_is_no_key_is_not_stored(agentctl, backend, typed):
    called = agentctl("auth", "set", "anthropic", stdin=typed)

    assert called.code == 2
    assert "nothing was stored" in called.err
    assert backend.kept == {}


def test_a_keyring_that_drops_what_it_is_given_is_told(agentctl):
    called = agentctl("auth", "set", "anthropic", stdin=KEY)

    assert called.code == 3
    assert "took it and did not keep it" in called.err


def test_a_machine_without_a_keyring_is_told_the_other_way(agentctl, monkeypatch):
    from keyring.backends.fail import Keyring

    monkeypatch.setattr(keyring, "get_keyring", Keyring)
    called = agentctl("auth", "set", "anthropic", stdin=KEY)

    assert called.code == 3
    assert called.err.startswith(
        "error: the key was not stored: this machine has no keyring\n\nhint: set ANTHROPIC_API_KEY"
    )


def test_the_prompt_hides_what_is_typed():
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "agentctl", "auth", "set", "anthropic"]
    running = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, start_new_session=True)
    os.close(child)
    seen = b""
    while b"hidden" not in seen:
        seen += os.read(parent, 1024)
    os.write(parent, f"{KEY}\n".encode())
    try:
        while piece := os.read(parent, 1024):
            seen += piece
    except OSError:
        pass
    os.close(parent)

    assert running.wait(20) == 3
    assert b"Key for anthropic (hidden): " in seen
    assert KEY.encode() not in seen
