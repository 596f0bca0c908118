"""How long the page of a long run takes to make and to open.

    .venv/bin/python -m tests.bench.page [--steps 490] [--keep FILE]

A real run of so many steps is recorded against the stand-in model; `trace --html` writes its page, and Chromium opens
it and, in turns, a bare page of as many bytes: one `<pre>` of text. Of each figure the median of five is printed:
milliseconds until the page can be used (DOMContentLoaded), until all is loaded, until the first paint, and until the
first frame after all of that. A page that opens in less than a second is the promise.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.steps import lay_out, ours, script
from tests.browser import launched, watched

TIMES = 5
FIGURES = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(() => {
  const now = performance.now();
  new PerformanceObserver((list) => {
    const at = performance.getEntriesByType("navigation")[0];
    const paint = list.getEntriesByName("first-contentful-paint")[0];
    if (paint) done([at.domContentLoadedEventEnd, at.loadEventEnd, paint.startTime, now]);
  }).observe({ type: "paint", buffered: true });
})))"""
NAMES = ("can be used", "loaded", "first paint", "first frame after it")


def recorded(folder: Path, steps: int) -> str:
    """A run of so many steps in the store of `folder`; its id."""
    from agentctl.journal.store import open_store

    (folder / "script.toml").write_text(script(steps))
    command = [sys.executable, "-m", "agentctl.rehearsal.server", str(folder / "script.toml")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        port = json.loads(server.stdout.readline())["port"]
        asyncio.run(ours(lay_out(folder, steps, port, "messages"), "messages"))
    finally:
        server.terminate()
        server.wait()
    with open_store(f"sqlite:///{folder / 'bench.db'}", seal_dir=folder) as journal:
        (row,) = journal.runs()
        return row.run_id


def written(folder: Path, run_id: str) -> tuple[Path, float, float]:
    """The page as the command writes it, the seconds of the whole command, and those of making the page alone."""
    from agentctl.cli.pages import made
    from agentctl.journal.store import open_store

    path, url = folder / "page.html", f"sqlite:///{folder / 'bench.db'}"
    begun = time.perf_counter()
    command = [sys.executable, "-m", "agentctl", "trace", run_id, "--html", str(path), "--store", url]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    whole = time.perf_counter() - begun
    with open_store(url, seal_dir=folder) as journal:
        events = journal.events(run_id)
    took: list[float] = []
    for _ in range(TIMES):
        begun = time.perf_counter()
        made(events, None)
        took.append(time.perf_counter() - begun)
    return path, whole, statistics.median(took)


def bare(page: Path) -> Path:
    """A page of as many bytes that is nothing but text."""
    path = page.with_name("bare.html")
    head, tail = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>bare</title><pre>', "</pre>"
    line = "The quick brown fox jumps over the lazy dog.\n"
    text = line * (page.stat().st_size // len(line) + 1)
    path.write_text(head + text[: page.stat().st_size - len(head) - len(tail)] + tail)
    return path


def opened(folder: Path, paths: list[Path]) -> list[list[float]]:
    """Of each page the medians of its figures; the pages take turns, each time in a context of its own."""
    found: list[list[list[float]]] = [[] for _ in paths]
    with launched(folder) as browser:
        for _ in range(TIMES + 1):
            for number, path in enumerate(paths):
                with watched(browser, viewport={"width": 1280, "height": 900}) as (page, _seen):
                    page.goto(path.as_uri())
                    found[number].append(page.evaluate(FIGURES))
    return [[statistics.median(column) for column in zip(*each[1:], strict=True)] for each in found]


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=490)
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    os.environ["ANTHROPIC_API_KEY"] = "bench-key"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["AGENTCTL_HOME"] = name
        page, whole, making = written(folder, recorded(folder, given.steps))
        if given.keep:
            given.keep.write_bytes(page.read_bytes())
        theirs, mine = opened(folder, [bare(page), page])
        size = page.stat().st_size
    lines = [
        f"{given.steps} steps, {size:,} bytes",
        f"made in {making * 1000:,.0f} ms; `trace --html` as a whole {whole * 1000:,.0f} ms",
        *(f"{name:<22} {a:>7,.0f} ms, bare {b:>6,.0f} ms" for name, a, b in zip(NAMES, mine, theirs, strict=True)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
