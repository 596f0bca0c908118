"""The headline figures, measured and written into the README.

    .venv/bin/python -m tests.bench.headline [--print]

A task of its own (`headline_task.py`) under the shipped policies `standard` and, for the $847 night, `customer-facing`.
`tests/test_headline.py` measures what does not depend on the machine again and holds the README to it.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from agentctl.runner.drills.skipping import Skipping
from tests.bench import headline_figures as figures

README = Path(__file__).parents[2] / "README.md"
MARKS = ("<!-- headline -->", "<!-- /headline -->")
HEAD = "| Figure | Target | Measured |\n| --- | --- | --- |\n"


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--print", action="store_true", help="leave the README as it is")
    given = parser.parse_args()
    rows = measured()
    table = HEAD + "".join(f"{row.line}\n" for row in rows)
    sys.stdout.write(table)
    if not given.print:
        before, rest = README.read_text().split(MARKS[0])
        README.write_text(f"{before}{MARKS[0]}\n{table}{MARKS[1]}{rest.split(MARKS[1])[1]}")
    if missed := [row.name for row in rows if not row.holds]:
        raise SystemExit(f"missed: {', '.join(missed)}")


def measured() -> list[figures.Figure]:
    """All of them, in the order of the requirements."""
    os.environ["ANTHROPIC_API_KEY"] = os.environ["HEADLINE_KEY"] = "bench-key"
    with tempfile.TemporaryDirectory() as name:
        os.environ["AGENTCTL_HOME"] = name
        folder = Path(name)
        for part in ("outage", "overhead"):
            (folder / part).mkdir()
        # First: what was played before would still fill the memory, and slow down what is timed.
        added, later = figures.overhead(folder / "overhead"), figures.outage_latency(folder / "outage")
        with asyncio.Runner(loop_factory=Skipping) as runner:
            loop = runner.get_loop()
            assert isinstance(loop, Skipping)
            played = runner.run(figures.played(folder / "played", loop))
    return [*played[:4], later, played[4], added, *played[5:]]


if __name__ == "__main__":
    main()
