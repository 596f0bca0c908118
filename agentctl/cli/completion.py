"""A TAB in a shell starts the program for a handful of words: what typer loads beside them is left out.

Without this more than half of a TAB is two libraries: pydantic, which turns what stands on the line into values that
nobody uses, and rich, which takes markup out of notes that have none. What `values` offers reads the line as typed.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from typer.core import TyperArgument, TyperOption

VARIABLE = "_AGENTCTL_COMPLETE"
"""Set by the scripts in `completions/`; without it typer's options to install them stay away."""


def wanted() -> bool:
    """Whether a shell asks for words."""
    return VARIABLE in os.environ


def lighten() -> None:
    """Keep both libraries out, for the rest of this process."""
    for kind in (TyperArgument, TyperOption):
        kind.process_value = _as_typed  # type: ignore[method-assign, assignment]  # typer has no switch for it
    # To an import system None means: not installed. typer asks whether it is.
    sys.modules["rich"] = None  # type: ignore[assignment]


def _as_typed(_param: object, _ctx: object, value: Any) -> Any:  # noqa: ANN401 -- anything
    return value
