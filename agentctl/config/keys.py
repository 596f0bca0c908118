"""The keys of providers: from the environment, else from the operating system's keyring; never from a file of ours.

A keyring may ask a person to unlock it, wait for a bus that never answers, drop what it is given or not be there at
all. So each access has a thread and a time, every failure becomes a reason, and what is stored is read back.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, TypeVar

from agentctl import ownkeys
from agentctl.core.policy import KEY_VARIABLES, Provider
from agentctl.errors import Invalid
from agentctl.foreign import Raised, outcome
from agentctl.records import dataclass

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE = "agentctl"
VARIABLES = KEY_VARIABLES
GET_S = 2.0
"""Seconds that a run waits for the keyring."""
SET_S = 60.0
"""Seconds that a person may take to unlock it."""
NO_KEYRING = "this machine has no keyring"
BOTH_WAYS = (
    "set ANTHROPIC_API_KEY or OPENAI_API_KEY (or the variable that key_env names), "
    "or give the machine a keyring: GNOME Keyring, KWallet, macOS Keychain, Windows Credential Manager"
)

# Read by the SDKs on their own; a run passes every one of them explicitly.
IGNORED = re.compile(
    r"(ANTHROPIC|OPENAI)_(BASE_URL|CUSTOM_HEADERS|PROFILE|CONFIG_DIR|AUTH_TOKEN|ADMIN_KEY|ORG_ID|"
    r"PROJECT_ID|WORKSPACE_ID)"
)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Key:
    """A key and where it is from; the value is in no repr."""

    value: str = field(repr=False)
    source: str
    """`ANTHROPIC_API_KEY`, or `keyring`."""


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no key."""

    reason: str


def find_key(provider: Provider, env: Mapping[str, str] | None = None) -> Key | Missing:
    """The key of a provider: the variable that `key_env` names and no other, else the SDK's, else the keyring."""
    name = provider.key_variable
    if value := ((ownkeys.get(name) if env is None else env.get(name)) or "").strip():
        if value.isascii() and value.isprintable():
            return Key(value, name)
        return Missing(f"{name} holds characters that no key has")
    if provider.key_env:
        return Missing(f"{name} is not set")
    found = _asked(lambda backend: backend.get_password(SERVICE, provider.name), GET_S)
    if isinstance(found, Missing):
        return Missing(f"{name} is not set, and {found.reason}")
    if not found:
        return Missing(f"{name} is not set, and the keyring has no key for {provider.name}")
    ownkeys.remember(found)
    return Key(found, "keyring")


def store_key(name: str, value: str) -> str:
    """Store a key and read it back; the class of the keyring that holds it now.

    Raises:
        Invalid: it was not stored, and why.
    """
    value = value.strip()
    if not value or not (value.isascii() and value.isprintable()):
        raise Invalid("expected a key of printable ASCII; nothing was stored")

    def stored(backend: KeyringBackend) -> bool:
        backend.set_password(SERVICE, name, value)  # pyright: ignore[reportUnknownMemberType]  # wrapped, untyped
        return backend.get_password(SERVICE, name) == value

    kept = _asked(stored, SET_S)
    if isinstance(kept, Missing):
        raise Invalid(f"the key was not stored: {kept.reason}", hint=BOTH_WAYS)
    if not kept:
        message = f"the key was not stored: {backend_name()} took it and did not keep it"
        raise Invalid(message, hint=BOTH_WAYS)
    return backend_name()


def remove_key(name: str) -> None:
    """Remove a key.

    Raises:
        Invalid: there is none, or the keyring can't be reached.
    """

    def removed(backend: KeyringBackend) -> bool:
        if backend.get_password(SERVICE, name) is None:
            return False
        backend.delete_password(SERVICE, name)
        return backend.get_password(SERVICE, name) is None

    done = _asked(removed, SET_S)
    if isinstance(done, Missing):
        raise Invalid(f"nothing was removed: {done.reason}", hint=BOTH_WAYS)
    if not done:
        raise Invalid(f"the keyring has no key for {name}", hint="`agentctl auth list` shows them")


def list_keys(names: Iterable[str]) -> dict[str, bool | Missing]:
    """Which of these names the keyring has a key for."""
    return {name: _has(name) for name in names}


def _has(name: str) -> bool | Missing:
    return _asked(lambda backend: bool(backend.get_password(SERVICE, name)), GET_S)


def backend_name() -> str:
    """The class of this machine's keyring."""
    found = _asked(lambda backend: f"{type(backend).__module__}.{type(backend).__qualname__}", GET_S)
    return found.reason if isinstance(found, Missing) else found


def ambient(env: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that the SDKs would obey and a run does not."""
    return sorted(name for name, value in env.items() if value and IGNORED.fullmatch(name))


def _asked(question: Callable[[KeyringBackend], T], seconds: float) -> T | Missing:
    """What the keyring answers within its time; a thread that hangs is left to the end of the process."""
    answers: list[T | Missing] = []

    def ask() -> T:
        import keyring

        return question(keyring.get_keyring())

    def told() -> None:
        came = outcome(ask)  # backends let errors of their bus and their own through
        answers.append(Missing(_reason(came.error)) if isinstance(came, Raised) else came)

    thread = threading.Thread(target=told, name="keyring", daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else Missing(f"the keyring did not answer within {seconds:g} s")


def _reason(error: BaseException) -> str:
    from keyring.errors import InitError, KeyringLocked, NoKeyringError

    if isinstance(error, NoKeyringError):
        return NO_KEYRING
    if isinstance(error, KeyringLocked):
        return "the keyring is locked"
    if isinstance(error, InitError):
        return "the keyring could not be opened"
    # Not its text: a backend may repeat what it was given.
    return f"the keyring failed: {type(error).__name__}"
