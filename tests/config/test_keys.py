import subprocess
import sys
import threading

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import InitError, KeyringLocked, PasswordDeleteError

from agentctl.config import keys
from agentctl.core.policy import Provider
from agentctl.errors import Invalid

ANTHROPIC = Provider(name="main", sdk="anthropic", model="m")
OPENAI = Provider(name="other", sdk="openai", model="m")


class Memory(KeyringBackend):
    """A keyring that lives as long as its test; `broken` is raised by whatever is asked."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.held = {}
        self.broken = None

    def get_password(self, service, username):
        self.fail()
        return self.held.get((service, username))

    def set_password(self, service, username, password):
        self.fail()
        self.held[service, username] = password

    def delete_password(self, service, username):
        self.fail()
        if self.held.pop((service, username), None) is None:
            raise PasswordDeleteError

    def fail(self):
        if self.broken is not None:
            raise self.broken


@pytest.fixture
def memory():
    before = keyring.get_keyring()
    backend = Memory()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def fresh(backend, code):
    """Run code in a process of its own, where the keyring is chosen by the environment."""
    done = subprocess.run(
        [sys.executable, "-c", f"from agentctl.config.keys import *\nfrom agentctl.errors import Invalid\n{code}"],
        env={"PYTHON_KEYRING_BACKEND": backend, "PATH": "/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


STORE = "try: store_key('main', 'k')\nexcept Invalid as error: print(error.message, '|', error.hint)"
FIND = "from agentctl.core.policy import Provider\nprint(find_key(Provider('main', 'openai', 'm'), {}).reason)"


def test_the_environment_goes_before_the_keyring(memory):
    memory.set_password("agentctl", "main", "from-keyring")

    assert keys.Key("from-env", "ANTHROPIC_API_KEY") == keys.find_key(ANTHROPIC, {"ANTHROPIC_API_KEY": " from-env\n"})
    assert keys.Key("from-keyring", "keyring") == keys.find_key(ANTHROPIC, {"OPENAI_API_KEY": "other"})


def test_key_env_is_the_only_place_that_is_looked_at(memory):
    memory.set_password("agentctl", "main", "from-keyring")
    provider = Provider(name="main", sdk="anthropic", model="m", key_env="TEAM_KEY")

    assert keys.Key("team", "TEAM_KEY") == keys.find_key(provider, {"TEAM_KEY": "team", "ANTHROPIC_API_KEY": "x"})
    assert keys.Missing("TEAM_KEY is not set") == keys.find_key(provider, {"ANTHROPIC_API_KEY": "x"})


def test_a_missing_key_says_where_it_was_looked_for(memory):
    reason = "OPENAI_API_KEY is not set, and the keyring has no key for other"

    assert keys.Missing(reason) == keys.find_key(OPENAI, {"OPENAI_API_KEY": "  "})


def test_a_key_is_in_no_repr(memory):
    assert "s3cret" not in repr(keys.find_key(OPENAI, {"OPENAI_API_KEY": "s3cret"}))


def test_a_variable_that_holds_no_key_is_not_sent(memory):
    found = keys.find_key(OPENAI, {"OPENAI_API_KEY": "a\nb"})

    assert keys.Missing("OPENAI_API_KEY holds characters that no key has") == found


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyringLocked("x"), "the keyring is locked"),
        (InitError("x"), "the keyring could not be opened"),
        (OSError("s3cret"), "the keyring failed: OSError"),
        (ValueError("s3cret"), "the keyring failed: ValueError"),
    ],
)
def test_every_failure_of_a_keyring_is_a_reason(memory, error, words):
    memory.broken = error

    assert keys.Missing(f"OPENAI_API_KEY is not set, and {words}") == keys.find_key(OPENAI, {})
    assert {"a": keys.Missing(words)} == keys.list_keys(["a"])
    for call in (lambda: keys.store_key("a", "k"), lambda: keys.remove_key("a")):
        with pytest.raises(Invalid) as caught:
            call()

        assert words in caught.value.message
        assert "s3cret" not in str(caught.value)


def test_a_keyring_that_waits_for_a_person_is_not_waited_for(memory, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(keys, "GET_S", 0.05)
    monkeypatch.setattr(memory, "get_password", lambda *_: release.wait(10))
    found = keys.find_key(OPENAI, {})
    release.set()

    assert keys.Missing("OPENAI_API_KEY is not set, and the keyring did not answer within 0.05 s") == found


def test_keys_are_stored_listed_and_removed(memory):
    assert keys.store_key("main", " k \n").endswith("Memory")
    assert {("agentctl", "main"): "k"} == memory.held
    assert {"main": True, "other": False} == keys.list_keys(["main", "other"])

    keys.remove_key("main")

    assert {} == memory.held
    with pytest.raises(Invalid, match="the keyring has no key for main"):
        keys.remove_key("main")


def test_a_keyring_that_keeps_something_else_is_not_believed(memory, monkeypatch):
    monkeypatch.setattr(memory, "get_password", lambda *_: "old")
    with pytest.raises(Invalid, match=r"the key was not stored: .*Memory took it and did not keep it") as caught:
        keys.store_key("main", "new")

    assert 3 == caught.value.exit_code


@pytest.mark.parametrize("value", ["", "  ", "a\nb", "ключ", "a\x1bb"])
def test_what_is_no_key_is_not_stored(memory, value):
    with pytest.raises(Invalid, match="nothing was stored"):
        keys.store_key("main", value)

    assert {} == memory.held


def test_the_null_keyring_drops_keys_and_is_named():
    said = fresh("keyring.backends.null.Keyring", STORE)

    assert said.startswith("the key was not stored: keyring.backends.null.Keyring took it and did not keep it")


def test_a_machine_without_a_keyring_is_told_both_ways():
    said = fresh("keyring.backends.fail.Keyring", STORE)

    assert said.startswith("the key was not stored: this machine has no keyring")
    assert "set ANTHROPIC_API_KEY or OPENAI_API_KEY" in said
    assert "or give the machine a keyring" in said
    assert "OPENAI_API_KEY is not set, and this machine has no keyring" == fresh("keyring.backends.fail.Keyring", FIND)


def test_a_backend_that_does_not_exist_is_a_reason():
    assert "OPENAI_API_KEY is not set, and the keyring failed: " in fresh("nowhere.Keyring", FIND)


def test_variables_that_are_not_obeyed_are_named():
    env = {
        "ANTHROPIC_BASE_URL": "http://x",
        "OPENAI_CUSTOM_HEADERS": "A: b",
        "ANTHROPIC_PROFILE": "work",
        "OPENAI_BASE_URL": "",
        "OPENAI_API_KEY": "k",
        "MY_BASE_URL": "http://y",
    }

    assert ["ANTHROPIC_BASE_URL", "ANTHROPIC_PROFILE", "OPENAI_CUSTOM_HEADERS"] == keys.ambient(env)
