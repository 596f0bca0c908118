"""What is typed is read as typer reads it, only sooner."""

import subprocess
import sys
from typing import Annotated

import pytest
import typer
from typer import _coercion, core

from agentctl.cli import coercing

LINES = [
    [],
    *([f"--name={text}"] for text in ("ada", "", "-", "Zoë", "\udcff", " a ")),
    *(
        [f"--limit={text}"]
        for text in ("7", "0", "1", "9", "10", "07", "+7", "7.0", "7.5", "1_0", " 7", "\u0667", "9" * 30, "x")
    ),
    *([f"--share={text}"] for text in ("0.5", "1", "nan", "-0.1", "1e3", "x")),
    *(["--flag"], ["--no-flag"], ["--each=a", "--each=b"], ["--each="], ["--clamped=99"], ["--clamped=3"]),
]


def command(
    name: Annotated[str | None, typer.Option()] = None,
    limit: Annotated[int, typer.Option(min=1, max=9)] = 5,
    share: Annotated[float, typer.Option(min=0)] = 0.25,
    clamped: Annotated[int, typer.Option(max=9, clamp=True)] = 2,
    flag: Annotated[bool, typer.Option()] = False,
    each: Annotated[list[str] | None, typer.Option()] = None,
) -> str:
    return repr((name, limit, share, clamped, flag, each))


def outcome(build, arguments, monkeypatch):
    monkeypatch.setattr(core, "build_runtime_param", build)
    app = typer.Typer()
    app.command()(command)
    try:
        return app(arguments, standalone_mode=False)
    except typer.TyperException as error:
        return error.format_message()


@pytest.mark.parametrize("arguments", LINES, ids=ascii)
def test_every_value_comes_out_as_typer_has_it(arguments, monkeypatch):
    mine = outcome(coercing.built, arguments, monkeypatch)
    theirs = outcome(_coercion.build_runtime_param, arguments, monkeypatch)

    assert theirs == mine


@pytest.mark.parametrize("arguments", [["runs"], ["runs", "--limit", "3"], ["runs", "--user", "ada", "--json"]])
def test_who_lists_runs_does_not_wait_for_pydantic(arguments, tmp_path):
    code = f"import sys; from agentctl.cli.main import main; main({arguments!r}); sys.exit('pydantic' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"AGENTCTL_HOME": str(tmp_path)}, check=False, capture_output=True
    )

    assert 0 == done.returncode, done.stderr
