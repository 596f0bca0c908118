"""The program as a whole: help, speed, errors on every exit."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import agentctl as package
from agentctl.cli import main as program
from agentctl.cli.nouns import NOUNS
from agentctl.cli.table import COMMANDS as COMMANDS_ALONE
from agentctl.errors import Invalid, Problem
from tests.cli.conftest import started

SLOW = ("anthropic", "openai", "textual", "keyring", "mcp", "genai_prices", "httpx2", "cryptography", "markdown_it")
COMMANDS = [
    ["init"], ["run"], ["resume"], ["approvals"], ["approve"], ["deny"], ["runs"], ["show"], ["trace"], ["events"],
    ["fork"], ["replay"],
    ["policy", "list"], ["policy", "check"], ["policy", "show"], ["task", "check"], ["tools", "list"],
    ["tools", "check"], ["doctor"], ["auth", "set"], ["auth", "list"], ["auth", "remove"],
    ["budget"], ["budget", "reset"], ["circuits"], ["circuits", "reset"],
]  # fmt: skip


def test_help_is_grouped_in_panels(agentctl):
    called = agentctl("--help")

    assert called.code == 0
    assert re.findall(r"─ (\w+) ─", called.out) == ["Options", "Run", "People", "Policy", "See", "Store"]
    assert all(f" {command[0]} " in called.out for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_and_json(agentctl, command):
    called = agentctl(*command, "--help")

    assert called.code == 0
    assert f"Example: agentctl {' '.join(command)}" in called.out
    assert command == ["init"] or "--json" in called.out


@pytest.mark.parametrize(
    "arguments",
    [
        *(["--help"], ["runs"], ["run", "--help"], ["--version"], ["approvals"], ["policy", "list"]),
        *(
            ["budget"],
            ["budget", "--json"],
            ["circuits"],
            ["budget", "reset", "--help"],
            ["circuits", "reset", "--help"],
        ),
    ],
    ids=" ".join,
)
def test_nothing_slow_is_loaded_before_it_is_needed(arguments):
    code = (
        "import sys; from agentctl.cli.main import main; code = main(sys.argv[1:]);"
        f"print([name for name in {SLOW!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "loaded"), [(["runs"], {"runs"}), (["budget"], {"budget"}), (["--version"], set())]
)
def test_a_start_builds_the_command_that_is_asked_for_and_no_other(arguments, loaded):
    """All of them together are a sixth of what it takes."""
    code = (
        "import sys; from agentctl.cli.main import main; main(sys.argv[1:]);"
        "print(*(name for name in sys.modules if name.startswith('agentctl.cli.')), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    functions = {path for _, _, path, *_ in (*COMMANDS_ALONE, *NOUNS)}
    modules = {path.partition(".")[0] for path in functions}

    assert loaded == modules & {name.removeprefix("agentctl.cli.") for name in done.stderr.split()}


def test_who_wants_richs_markdown_after_a_help_page_gets_it():
    code = (
        "from agentctl.cli.main import main; main(['--help']);"
        "from rich.markdown import Markdown; from rich import print; print(Markdown('# zebra'))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "zebra" in done.stdout
    assert "# zebra" not in done.stdout


def test_version(agentctl):
    assert agentctl("--version").out == f"agentctl {package.__version__}\n"


def test_no_command_is_wrong_usage_and_prints_the_help(agentctl):
    bare = agentctl()

    assert bare.code == 2
    assert "Usage: agentctl" in bare.out + bare.err
    assert agentctl("policy").code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "error: No such command 'rnu'. Did you mean 'run'?\n\nhint: agentctl --help\n"),
        (["run"], "error: Missing argument 'TASK'\n\nhint: agentctl run --help\n"),
        (["runs", "--limit", "0"], "error: Invalid value for '--limit'"),
        (["runs", "--since", "soon"], "error: --since: expected a span such as 30m, 12h, 3d or 2w, got 'soon'\n"),
        (["run", "x", "--var", "K"], "error: --var: expected NAME=VALUE, got 'K'"),
        (["run", "x", "--var", "a=1", "--var", "a=2"], "error: --var: a is given twice\n"),
        (["run", "x", "--var", "a=-", "--var", "b=-"], "error: --var: only one variable can be read from stdin\n"),
        (["run", "x", "--user", "a b"], "error: --user: expected 1 to 128 of letters"),
        (["run", "x", "--json", "--events"], "error: --json and --events exclude each other\n"),
        (["run", "x", "--script", "s"], "error: --script and --real-tools belong to a rehearsal\n"),
        (["resume", "r_1", "--add-usd", "-1"], "error: --add-usd, --add-steps and --add-tokens only raise\n"),
        (["resume", "r_1", "--add-usd", "nan"], "error: --add-usd, --add-steps and --add-tokens only raise\n"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_2_and_one_line(agentctl, arguments, said):
    called = agentctl(*arguments)

    assert called.code == 2
    assert said in called.err
    if "--json" not in arguments:
        assert called.out == ""


def test_json_is_an_object_on_every_exit(agentctl):
    usage = agentctl("runs", "--json", "--nope")
    unknown = agentctl("show", "r_nope", "--json")
    missing = agentctl("task", "check", "gone.toml", "--json")

    assert (2, "usage") == (usage.code, usage.json["error"]["code"])
    assert (20, "forbidden") == (unknown.code, unknown.json["error"]["code"])
    assert (3, "invalid") == (missing.code, missing.json["error"]["code"])
    (problem,) = missing.json["error"]["problems"]
    assert list(problem) == ["file", "line", "column", "key", "message", "suggestion"]
    assert problem["file"] == "gone.toml"


def test_every_problem_has_a_line_and_the_hint_stands_apart(agentctl, monkeypatch):
    problems = (
        Problem("p.toml", 3, 1, "budget.run_us", "unknown key", 'did you mean "run_usd"?'),
        Problem("q\x1b", 0, 0, "", "gone"),
    )

    def fail(**_):
        raise Invalid("2 problems", hint="agentctl policy check p.toml", problems=problems)

    monkeypatch.setattr("agentctl.cli.options.open_journal", lambda _: fail())
    called = agentctl("approvals")

    assert called.code == 3
    assert called.err == (
        "error: 2 problems\n"
        'p.toml:3:1: budget.run_us: unknown key — did you mean "run_usd"?\n'
        "q\\x1b: gone\n"
        "\n"
        "hint: agentctl policy check p.toml\n"
    )


def test_a_defect_is_one_line_and_a_scrubbed_report(agentctl, monkeypatch, isolated):
    monkeypatch.setenv("SHOP_API_KEY", "sk-very-secret-value")

    def fail(_):
        raise KeyError("sk-very-secret-value \x1b[31m")

    monkeypatch.setattr("agentctl.cli.options.open_journal", fail)
    called = agentctl("approvals", "--json")

    assert called.code == 1
    assert called.json["error"]["code"] == "defect"
    assert len(called.err.splitlines()) == 1
    assert "Traceback" not in called.err
    assert "sk-very-secret-value" not in called.err
    (report,) = (isolated / "data" / "crashes").iterdir()
    assert str(report) in called.err
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert "Traceback" in text
    assert "agentctl approvals --json" in text
    assert "sk-very-secret-value" not in text


def test_a_crash_report_finds_another_place(agentctl, monkeypatch, isolated, tmp_path):
    (isolated / "data").write_text("no folder")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("agentctl.cli.options.open_journal", lambda _: 1 / 0)

    assert agentctl("approvals").code == 1
    assert len(list(tmp_path.glob("crash-*.txt"))) == 1


def test_ctrl_c_is_130(agentctl, monkeypatch):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("agentctl.cli.options.open_journal", stop)

    assert agentctl("approvals") == agentctl("approvals").__class__(130, "", "")


def test_ctrl_c_while_the_program_is_loaded_is_130_without_a_traceback():
    early = """
import runpy, sys
class Early:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Early())
runpy.run_module("agentctl", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", early], capture_output=True, text=True, check=False)

    assert (130, "", "") == (done.returncode, done.stdout, done.stderr)


def test_a_reader_who_leaves_ends_it_quietly():
    command = f"{sys.executable} -m agentctl policy list --json | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)

    assert done.stdout.strip() == "0"
    assert done.stderr == ""


def piped(command, into):
    """A command of the program, what it is piped or redirected into: its code, and what it said."""
    line = f"{sys.executable} -m agentctl {command} {into}; echo ${{PIPESTATUS[0]}} >&2"
    done = subprocess.run(["bash", "-c", line], check=False, capture_output=True, text=True)
    assert done.stdout == ""
    *said, code = done.stderr.splitlines()
    return int(code), said


@pytest.mark.parametrize("command", ["runs", "runs --json", "--help", "events r_a3f7b2"])
@pytest.mark.parametrize("reader", ["| head -0", "| (exec <&-; sleep 0.3)"], ids=["head", "closed"])
def test_nobody_reads_the_output(record, command, reader):
    record("r_a3f7b2", *[started()] * 50)

    assert (0, []) == piped(command, reader)


def test_nobody_reads_the_answer_of_a_run_and_its_code_stays(demo):
    policy = demo / "policy.toml"
    policy.write_text(policy.read_text().replace("max_steps = 8", "max_steps = 1"))
    for more in ("", "--json", "--events"):
        code, said = piped(f"run {demo / 'task.toml'} --rehearse --var order=A-1001 {more}", "| head -0")

        assert code == 10
        assert ("stopped: max_steps" in "\n".join(said)) == (not more)
        assert not [line for line in said if "Traceback" in line or "BrokenPipe" in line]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110 -- a device
@pytest.mark.parametrize(
    "command", ["runs", "runs --json", "--help", "--version", "policy list", "show r_a3f7b2", "events r_a3f7b2"]
)
def test_a_full_disk_behind_the_output_is_one_line(record, isolated, command):
    record("r_a3f7b2", started())
    said = "error: can't write the output: No space left on device; what was run is saved"

    assert (1, [said, "", "hint: agentctl runs"]) == piped(command, "> /dev/full")
    assert (1, []) == piped(command, "&> /dev/full")
    assert not (isolated / "data" / "crashes").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110 -- a device
@pytest.mark.parametrize("more", ["", "--json", "--events"])
def test_a_run_whose_answer_finds_the_disk_full_is_saved(agentctl, demo, more):
    code, said = piped(f"run {demo / 'task.toml'} --rehearse --var order=A-1001 {more}", "> /dev/full")

    assert code == 1
    assert said[-3:] == [
        "error: can't write the output: No space left on device; what was run is saved", "", "hint: agentctl runs",
    ]  # fmt: skip
    assert not [line for line in said if "Traceback" in line]
    (item,) = agentctl("runs", "--json").json["items"]
    assert item["status"] == "completed"


def test_colour_only_on_a_terminal(agentctl):
    assert "\x1b" not in agentctl("show", "r_nope").err


def test_no_command_is_a_stub():
    """What the contract promises for later is not there yet, rather than there and empty."""
    source = Path(program.__file__).parent
    stubs = [path.name for path in source.glob("*.py") if "NotImplementedError" in path.read_text()]

    assert [] == stubs
    assert [] == [path.name for path in source.glob("*.py") if len(path.read_text().splitlines()) > 150]
    assert os.access(source / "template" / "task.toml", os.R_OK)
