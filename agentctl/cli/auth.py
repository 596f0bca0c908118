"""`agentctl auth`: keys in the keyring. A key is read from a hidden prompt or from stdin and never shown again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentctl.cli import render
from agentctl.cli.options import AsJson

Name = Annotated[str, typer.Argument(metavar="NAME", help="The provider's name in the policy, such as anthropic")]
MOST = 10_000
"""Characters of a key; more is a file that was piped in by mistake."""


def store(name: Name, as_json: AsJson = False) -> None:
    """Store a provider's key: asks for it without echo, or reads it from stdin"""
    from agentctl.config import keys

    kept = keys.store_key(name, _read(name))
    if as_json:
        render.as_json({"name": name, "stored": True, "keyring": kept})
    else:
        render.out(f"stored the key for {name} and read it back from {kept}")


def _read(name: str) -> str:
    from agentctl.errors import Usage

    if sys.stdin.isatty():
        import getpass

        try:
            value = getpass.getpass(f"Key for {name} (hidden): ", stream=sys.stderr)
        except EOFError:
            value = ""
    else:
        value = sys.stdin.read(MOST + 1)
    if not value.strip():
        raise Usage("no key was given; nothing was stored", hint=f"agentctl auth set {name} < file-with-the-key")
    if len(value) > MOST:
        raise Usage(f"a key of more than {MOST:,} characters; nothing was stored")
    return value


def listing(
    policy: Annotated[str, typer.Option(metavar="P", help="Whose providers")] = "standard", as_json: AsJson = False
) -> None:
    """Say for each provider of a policy where its key would come from; no key is shown"""
    from agentctl.config import keys
    from agentctl.config.load import load_policy

    found = [(provider, keys.find_key(provider)) for provider in load_policy(policy).policy.providers]
    rows = [
        (provider.name, provider.model, key.source, "") if isinstance(key, keys.Key)
        else (provider.name, provider.model, "none", key.reason)
        for provider, key in found
    ]  # fmt: skip
    if as_json:
        render.as_list(
            [
                {"name": name, "model": model, "source": None if source == "none" else source, "reason": reason}
                for name, model, source, reason in rows
            ]
        )
        return
    render.table(("name", "model", "key from", "why not"), rows)
    if any(source == "none" for _, _, source, _ in rows):
        render.hint("agentctl auth set NAME")


def remove(name: Name, as_json: AsJson = False) -> None:
    """Remove a provider's key from the keyring"""
    from agentctl.config import keys

    keys.remove_key(name)
    if as_json:
        render.as_json({"name": name, "removed": True})
    else:
        render.out(f"removed the key for {name}")
