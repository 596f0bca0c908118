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
BASH = r"""
_agentctl_completion() {
    # bash takes a line apart at ":", "=" and "@" too: what stands together in it is one word again.
    local IFS=$'\n' left=$COMP_LINE fragment words=() last=-1
    for fragment in "${COMP_WORDS[@]:0:COMP_CWORD+1}"; do
        if [[ $last -ge 0 && -n $COMP_LINE && $left != [[:space:]]* ]]; then
            words[last]+=$fragment
        else
            words[++last]=$fragment
            left=${left#"${left%%[![:space:]]*}"}
        fi
        left=${left#"$fragment"}
    done
    COMPREPLY=( $( env COMP_WORDS="${words[*]}" \
                   COMP_CWORD=$last \
                   _AGENTCTL_COMPLETE=complete_bash $1 ) )
    # It replaces what stands behind the last of them alone.
    local value=${words[last]} breaks=${COMP_WORDBREAKS//[^:=@]/}
    [[ $value == -*=* ]] && value=${value#*=}
    if [[ -n $breaks && $value == *[$breaks]* ]]; then
        COMPREPLY=( "${COMPREPLY[@]#"${value%"${value##*[$breaks]}"}"}" )
    fi
    return 0
}

complete -o default -F _agentctl_completion agentctl
"""
"""In place of typer's script, which offers nothing behind a colon."""


def wanted() -> bool:
    """Whether a shell asks for words."""
    return VARIABLE in os.environ


def scripted() -> bool:
    """Print the script of bash, where that is what is wanted."""
    if os.environ.get(VARIABLE) != "source_bash":
        return False
    sys.stdout.write(BASH.lstrip())
    return True


def lighten() -> None:
    """Keep both libraries out, for the rest of this process."""
    for kind in (TyperArgument, TyperOption):
        kind.process_value = _as_typed  # type: ignore[method-assign, assignment]  # typer has no switch for it
    # To an import system None means: not installed. typer asks whether it is.
    sys.modules["rich"] = None  # type: ignore[assignment]


def _as_typed(_param: object, _ctx: object, value: Any) -> Any:  # noqa: ANN401 -- anything
    return value
