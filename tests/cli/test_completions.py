"""The scripts in `completions/` are what the program makes, and work in real shells."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import started

FOLDER = Path(__file__).parent.parent.parent / "completions"


def run(*command, **env):
    folder = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command, env={**os.environ, "PATH": folder, **env}, check=False, capture_output=True, text=True
    )
    assert done.returncode in {0, 1}, done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_they_are_what_the_program_makes(shell):
    """F08"""
    made = run(sys.executable, "-m", "agentctl", _AGENTCTL_COMPLETE=f"source_{shell}")

    assert made.strip() + "\n" == (FOLDER / f"agentctl.{shell}").read_text()


@pytest.mark.needs("bash")
@pytest.mark.parametrize(
    ("line", "word", "offered"),
    [
        ("agentctl ru", 1, ["run", "runs"]),
        ("agentctl policy s", 2, ["show", "suggest", "schema"]),
        ("agentctl runs --s", 2, ["--status", "--session", "--since", "--store"]),
    ],
)
def test_bash(program, line, word, offered):
    """F08"""
    script = f"""
        source {FOLDER}/agentctl.bash
        complete -p agentctl | grep -q _agentctl_completion || exit 9
        COMP_WORDS=({line} {'""' if line.endswith(" ") else ""}); COMP_CWORD={word}
        _agentctl_completion agentctl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """

    assert offered == run(program("bash"), "-c", script).split()


@pytest.mark.needs("zsh")
def test_zsh(program):
    """F08"""
    script = f"""
        autoload -U compinit && compinit -u -D
        source {FOLDER}/agentctl.zsh
        print ${{_comps[agentctl]}}
        words=(agentctl r); CURRENT=2
        _arguments() {{ print -- "$@" }}; _describe() {{ print -- "${{(P)2}}" }}; compadd() {{ print -- "$@" }}
        _agentctl_completion
    """
    out = run(program("zsh"), "-f", "-c", script)

    assert out.startswith("_agentctl_completion\n")
    assert "resume" in out
    assert (FOLDER / "agentctl.zsh").read_text().startswith("#compdef agentctl\n")


@pytest.mark.needs("fish")
def test_fish(program, isolated):
    """F08"""
    script = f"source {FOLDER}/agentctl.fish; complete -C 'agentctl ru'"
    offered = run(program("fish"), "-c", script, HOME=str(isolated), XDG_CONFIG_HOME=str(isolated))

    assert ["run", "runs"] == sorted(line.split("\t")[0] for line in offered.splitlines())


@pytest.mark.parametrize("line", ["agentctl ", "agentctl show ", "agentctl run t.toml --policy s", "agentctl help "])
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_tab_loads_neither_pydantic_nor_rich_nor_asyncio(record, shell, line):
    """Each of them is a quarter of what a TAB may take: 150 ms."""
    record("r_a3f7b2", started())
    words = {"COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")), "_TYPER_COMPLETE_ARGS": line}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "agentctl"],
        env={
            **os.environ,
            "_AGENTCTL_COMPLETE": f"complete_{shell}",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
            **words,
        },
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines()}

    assert done.stdout.strip() not in {"", "_files"}
    assert "typer" in loaded
    assert set() == {"pydantic", "rich", "asyncio", "openai", "anthropic", "agentctl.journal.store"} & loaded


@pytest.mark.needs("zsh")
def test_the_ids_of_a_store_that_is_named_on_the_line(program, record, isolated):
    record("r_a3f7b2", started())
    store = (isolated / "data" / "agentctl.db").rename(isolated / "elsewhere.db")
    script = f"""
        autoload -U compinit && compinit -u -D
        source {FOLDER}/agentctl.zsh
        words=(agentctl show --store sqlite:///{store} r_); CURRENT=5
        _arguments() {{ print -- "$@" }}
        _agentctl_completion
    """

    assert '"r_a3f7b2":"order-triage completed"' in run(program("zsh"), "-f", "-c", script)
