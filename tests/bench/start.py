"""From process start to the first request on the wire: `agentctl run` against a bare script on the same SDK.

    .venv/bin/python tests/bench/start.py [--runs 7]

A socket of this process notes when the first bytes of a request arrive, and hangs up. Both sides are started in
turns, once unmeasured; printed are the medians in seconds and the difference.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BARE = {
    "anthropic": (
        "import asyncio, anthropic\n"
        "async def main():\n"
        "    c = anthropic.AsyncAnthropic(api_key='k', base_url='{url}', max_retries=0)\n"
        "    m = [{{'role': 'user', 'content': 'hi'}}]\n"
        "    await c.messages.create(model='m', max_tokens=16, messages=m, stream=True)\n"
        "asyncio.run(main())\n"
    ),
    "openai": (
        "import asyncio, openai\n"
        "async def main():\n"
        "    c = openai.AsyncOpenAI(api_key='k', base_url='{url}/v1', max_retries=0)\n"
        "    await c.chat.completions.create(model='m', messages=[{{'role': 'user', 'content': 'hi'}}], stream=True)\n"
        "asyncio.run(main())\n"
    ),
}


def arrival(listener: socket.socket, command: list[str], env: dict[str, str]) -> float:
    """Seconds from the start of a process to its first request."""
    started = time.perf_counter()
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        peer, _ = listener.accept()
        with peer:
            peer.recv(1)
            return time.perf_counter() - started
    finally:
        process.kill()
        process.wait()


def lay_out(folder: Path, port: int, sdk: str) -> Path:
    """A task whose provider is our socket."""
    tail = "" if sdk == "anthropic" else "/v1"
    (folder / "policy.toml").write_text(
        f'version = 1\n[[providers]]\nname = "p"\nsdk = "{sdk}"\nmodel = "m"\nbase_url = "http://127.0.0.1:{port}{tail}"\n'
        "price = { input = 1.0, output = 1.0 }\n"
        "[pace]\ntokens_per_minute = 1_000_000_000\nusd_per_minute = 1_000_000.0\n"  # killed calls keep their place
    )
    task = folder / "task.toml"
    task.write_text('version = 1\nname = "start"\npolicy = "policy.toml"\ngoal = "Say hi."\n')
    return task


def main() -> None:
    """Print a line per SDK."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    agentctl = str(Path(sys.executable).parent / "agentctl")
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        env = {**os.environ, "AGENTCTL_HOME": name, "ANTHROPIC_API_KEY": "bench", "OPENAI_API_KEY": "bench"}
        # Installed programs are compiled: so is what is measured, whatever this shell says of bytecode.
        env = {**env, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(Path(name) / "compiled")}
        for sdk, source in BARE.items():
            task = lay_out(Path(name), port, sdk)
            script = source.format(url=f"http://127.0.0.1:{port}")
            bare, ours = [], []
            for _ in range(runs + 1):
                bare.append(arrival(listener, [sys.executable, "-c", script], env))
                ours.append(arrival(listener, [agentctl, "run", str(task)], env))
            a, b = statistics.median(ours[1:]), statistics.median(bare[1:])
            sys.stdout.write(f"{sdk}: agentctl {a:.3f} s, bare {b:.3f} s, difference {a - b:+.3f} s\n")


if __name__ == "__main__":
    main()
