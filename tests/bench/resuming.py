"""Resuming a long run: from the start of the process to the first request, against a bare script on the same SDK.

    .venv/bin/python -m tests.bench.resuming [--steps 500] [--runs 7]

A run of so many steps is stopped by its limit; each resume goes on from a copy of its store. Beside it stands the start
of a new run of the same task: what is left between the two is the reading of the steps. Bare: the import of the SDK,
its client and its connection. Printed are seconds of the clock, and of the processor's time, which a machine
that others use leaves nearly as it is.
"""

# ruff: noqa: T201  # it prints its figures

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench import start, steps

AGENTCTL = str(Path(sys.executable).parent / "agentctl")
API = "messages"


def played(folder: Path, wanted: int, env: dict[str, str]) -> tuple[Path, int]:
    """The task of a run that was stopped after so many steps, and the port that its model had."""
    (folder / "script.toml").write_text(steps.script(wanted + 10))
    command = [sys.executable, "-m", "agentctl.rehearsal.server", str(folder / "script.toml")]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        port = int(json.loads(server.stdout.readline())["port"])
        task = steps.lay_out(folder, wanted + 10, port, API)
        policy = folder / f"{API}.toml"
        policy.write_text(policy.read_text().replace("max_steps = 100_000", f"max_steps = {wanted}"))
        # A limit lets the model answer once more: the script goes on with calls, and the run stops.
        subprocess.run(
            [AGENTCTL, "run", str(task), "--policy", str(policy)], env=env, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    finally:
        server.terminate()
        server.wait()
    return task, port


def arrival(listener: socket.socket, command: list[str], env: dict[str, str]) -> tuple[float, float]:
    """Seconds from the start of a process to its first request: of the clock, and of the processor."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peer, _ = listener.accept()
    with peer:
        peer.recv(1)
        taken = time.perf_counter() - began
        process.kill()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
    return taken, used.ru_utime + used.ru_stime


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--runs", type=int, default=7)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        env = {**os.environ, "AGENTCTL_HOME": str(folder / "home"), "ANTHROPIC_API_KEY": "bench"}
        # Installed programs are compiled: so is what is measured, whatever this shell says of bytecode.
        env |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "compiled")}
        task, port = played(folder, asked.steps, env)
        told = subprocess.run([AGENTCTL, "runs", "--json"], env=env, check=True, capture_output=True, text=True).stdout
        (run,) = json.loads(told)["items"]
        print(f"the run has {run['steps']} steps and is {run['status']} ({run['reason']})")
        copies = iter(range(1_000_000))

        def copied() -> dict[str, str]:
            home = folder / f"home{next(copies)}"
            shutil.copytree(folder / "home", home)
            return {**env, "AGENTCTL_HOME": str(home)}

        script = start.BARE["anthropic"].format(url=f"http://127.0.0.1:{port}")
        policy = str(folder / f"{API}.toml")
        commands: dict[str, tuple[list[str], Callable[[], dict[str, str]]]] = {
            "bare script": ([sys.executable, "-c", script], lambda: env),
            "agentctl run": ([AGENTCTL, "run", str(task), "--policy", policy], copied),
            "agentctl resume": ([AGENTCTL, "resume", run["run_id"], "--add-steps", "100"], copied),
        }
        taken: dict[str, list[tuple[float, float]]] = {each: [] for each in commands}
        with socket.create_server(("127.0.0.1", port)) as listener:
            for _ in range(asked.runs + 1):
                for each, (command, place) in commands.items():
                    taken[each].append(arrival(listener, command, place()))
    print(f"{'to the first request':<22}{'clock':>8}{'beyond':>8}{'ratio':>7}{'cpu':>8}{'beyond':>8}{'ratio':>7}")
    for name, middle in (("median", statistics.median), ("least", min)):
        found = {each: [middle(kind) for kind in zip(*times[1:], strict=True)] for each, times in taken.items()}
        for each, times in found.items():
            pairs = zip(times, found["bare script"], strict=True)
            print(f"{each:<16}{name:<6}" + "".join(f"{a:>8.3f}{a - b:>8.3f}{a / b:>7.2f}" for a, b in pairs))


if __name__ == "__main__":
    main()
