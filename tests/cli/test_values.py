"""What a shell offers for values: right, quick, and silent about whatever is wrong."""

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentctl.config import paths
from agentctl.core.guards.circuit import Rules
from agentctl.journal import circuits, ledger
from agentctl.journal.store import open_store
from tests.cli.conftest import requested, started


def offered(line, shell="bash", **env):
    """The words that a TAB at the end of the line brings, and how long it took."""
    words = line.split(" ")
    asked = {"_AGENTCTL_COMPLETE": f"complete_{shell}", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    asked["_TYPER_COMPLETE_ARGS"] = line
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "agentctl"],
        env={**os.environ, **asked, **env},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.split("\n") if line], time.perf_counter() - began


@pytest.mark.parametrize("command", ["show", "trace", "events", "resume", "approve", "deny"])
def test_run_ids(record, command):
    record("r_aa1", started(), requested(), status="parked", reason="approval", ago=60)
    record("r_ab2", started(), status="paused", reason="SIGINT")

    assert offered(f"agentctl {command} r_")[0] == ["r_ab2", "r_aa1"]
    assert offered(f"agentctl {command} r_aa")[0] == ["r_aa1"]


def test_who_is_done_is_not_offered_for_what_it_can_not_do(record):
    record("r_done", started())

    assert offered("agentctl show ")[0] == ["r_done"]
    assert offered("agentctl approve ")[0] == offered("agentctl resume ")[0] == []


def test_policies(isolated):
    folder = isolated / "config" / "policies"
    folder.mkdir(parents=True)
    (folder / "stand-by.toml").write_text("this is no TOML at all")

    assert offered("agentctl run x --policy stand")[0][:2] == ["stand-by", "standard"]


def test_variables_of_the_task(demo, monkeypatch):
    task = demo / "task.toml"
    task.write_text(task.read_text() + "\n[vars.urgent]\ntype = 'boolean'\n")

    assert offered(f"agentctl run {task} --var ")[0] == ["order=", "urgent="]
    assert offered(f"agentctl run {task} --var u")[0] == ["urgent="]
    assert offered(f"agentctl run {task} --var order=A-1001 --var ")[0] == ["urgent="]


@pytest.fixture
def shared(isolated):
    """Two circuits and four budgets in the default store."""
    now = int(time.time())
    with open_store(paths.store_url(), seal_dir=paths.data_dir()) as store:
        for name, ok in (("anthropic:claude-sonnet-4-6", True), ("tool:lookup:3f", False), ("rehearsal:r_1:x:y", True)):
            for _ in range(5):
                outcome = circuits.Outcome(name, Rules(), "", ok, now)
                store.write(lambda tx, outcome=outcome: circuits.record(tx, outcome, now))
        for key, start in (
            *(("run_usd:r_1", 0), ("session_usd:s_1", 0), ("hourly_usd:store", now // 3600 * 3600)),
            *(("user_daily_usd:ada", now // 86_400 * 86_400), ("user_daily_usd:old", now - 100_000)),
        ):
            scope = [ledger.Scope(key, start, None)]
            store.write(lambda tx, key=key, scope=scope: ledger.reserve(tx, key, "r_1", 5_000, scope))
            store.write(lambda tx, key=key: ledger.settle(tx, key, 5_000))


def test_circuits(shared):
    assert offered("agentctl circuits reset ")[0] == ["anthropic:claude-sonnet-4-6", "tool:lookup:3f"]
    assert offered("agentctl circuits reset to")[0] == ["tool:lookup:3f"]
    assert offered("agentctl circuits reset re")[0] == ["rehearsal:r_1:x:y"]


def test_budgets(shared):
    everything = ["hourly_usd:store", "session_usd:s_1", "user_daily_usd:ada"]
    assert offered("agentctl budget reset ")[0] == everything
    assert offered("agentctl budget reset user_daily_usd:a")[0] == ["user_daily_usd:ada"]
    assert offered("agentctl budget reset ho", "fish", _TYPER_COMPLETE_FISH_ACTION="get-args")[0] == [
        "hourly_usd:store\t0.01 USD spent"
    ]


@pytest.mark.needs("bash")
@pytest.mark.parametrize(
    ("line", "fragments", "inserted"),
    [
        ("circuits reset tool:", "circuits reset tool :", ["lookup:3f"]),
        ("circuits reset tool:lookup:3", "circuits reset tool : lookup : 3", ["3f"]),
        ("circuits reset anth", "circuits reset anth", ["anthropic:claude-sonnet-4-6"]),
        ("budget reset  user_daily_usd:a", "budget reset user_daily_usd : a", ["ada"]),
        ("budget reset user_daily_usd:x", "budget reset user_daily_usd : x", []),
        ("run x --policy=st", "run x --policy = st", ["standard", "strict"]),
    ],
)
def test_bash_goes_on_behind_what_it_takes_a_word_apart_at(program, shared, line, fragments, inserted):
    """What it hands over (seen in bash 5.2, see COMP_WORDBREAKS) is put together, and gets back what it replaces."""
    script = f"""
        PATH={Path(sys.executable).parent}:$PATH
        source {Path(__file__).parent.parent.parent}/completions/agentctl.bash
        COMP_WORDBREAKS=$' \\t\\n"\\'@><=;|&(:'
        COMP_LINE="agentctl {line}"; COMP_WORDS=(agentctl {fragments}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        _agentctl_completion agentctl
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run([program("bash"), "-c", script], check=True, capture_output=True, text=True)

    assert "" == done.stderr
    assert inserted == done.stdout.split()


def test_topics():
    assert offered("agentctl help re")[0] == ["resume", "replay", "rehearse"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    "note", ["[bold", "[/red] x", "two\nlines", "\x1b[31m", "$(touch hit)", "`touch hit`", "'; touch hit"]
)
def test_what_a_task_calls_itself_does_no_harm(demo, shell, note):
    task = demo / "task.toml"
    written = note.replace("\n", "\\n").replace("\x1b", "\\u001b")
    task.write_text(f'{task.read_text()}\n[vars.zip]\ndescription = "{written}"\n')

    found, _ = offered(f"agentctl run {task} --var z", shell, _TYPER_COMPLETE_FISH_ACTION="get-args")
    assert "zip=" in "\n".join(found)
    assert not re.search(r"[\x1b$`;\[]", "\n".join(found))


@pytest.mark.parametrize("store", ["sqlite:////nowhere/x.db", "nonsense", "postgresql://x", "text", "folder"])
def test_silent_about_a_store_that_is_not_there(tmp_path, store, isolated):
    if store == "text":
        (tmp_path / "x").write_text("no database")
    if store in {"text", "folder"}:
        store = f"sqlite:///{tmp_path / ('x' if store == 'text' else '')}"

    assert offered("agentctl show r_", AGENTCTL_STORE=store)[0] == []
    assert [] == list(isolated.rglob("*.db"))


@pytest.mark.parametrize("content", [None, "no TOML [", "vars = 3", "[vars]\norder = 3"])
def test_silent_about_a_task_that_is_none(tmp_path, content):
    task = tmp_path / "t.toml"
    if content is not None:
        task.write_text(content)

    assert offered(f"agentctl run {task} --var ")[0] == []


def test_as_quick_as_the_names_of_commands(record):
    """A value costs at most 60 ms over what every TAB costs; on a quiet machine all of it is under 150 ms."""
    for number in range(60):
        record(f"r_{number:02}", started())
    plain = [offered("agentctl r")[1] for _ in range(5)]
    value = [offered("agentctl show r_")[1] for _ in range(5)]

    assert min(value) - min(plain) < 0.06, (statistics.median(plain), statistics.median(value))


def test_nothing_slow_is_loaded(record):
    record("r_1", started())
    code = (
        "import sys, typer; from agentctl.cli import values;"
        "class_ = type('C', (), {'params': {}});"
        "print(values.run_ids(class_, ''), values.policies('s'), values.topics(''), file=sys.stderr);"
        "print([n for n in ('pydantic', 'anthropic', 'openai', 'asyncio', 'rich.markdown') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "r_1" in done.stderr
    assert done.stdout.strip() == "[]"
    assert Path(sys.executable).exists()


def test_tools_to_be_explained_are_the_tasks_or_those_that_are_built_in(demo):
    assert offered("agentctl policy explain standard s")[0] == ["search_files", "shell"]
    assert "read_file" in offered(f"agentctl policy explain standard --task {demo}/task.toml re")[0]
    assert "shell" not in offered(f"agentctl policy explain standard --task {demo}/task.toml s")[0]
