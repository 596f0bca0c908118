"""Two looks of our own, calm and of high contrast; every built-in one can be chosen as well."""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

DARK: Final = Theme(
    name="agentctl-dark",
    primary="#5fafd7",
    secondary="#5f87af",
    accent="#d7af5f",
    warning="#e0a84f",
    error="#f0717a",
    success="#7cc38a",
    foreground="#e4e6e8",
    background="#101418",
    surface="#161b20",
    panel="#1e252c",
    dark=True,
)
LIGHT: Final = Theme(
    name="agentctl-light",
    primary="#1f6f9f",
    secondary="#3f6f8f",
    accent="#8a6100",
    warning="#8a5a00",
    error="#b0202c",
    success="#1f7a3a",
    foreground="#1c2226",
    background="#fbfbf9",
    surface="#f2f3f1",
    panel="#e6e9e8",
    dark=False,
)
