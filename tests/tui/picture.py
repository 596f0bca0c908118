"""The README's picture of the monitor: a night in which one run waits for somebody and a provider is down.

    .venv/bin/python -m tests.tui.picture        writes .github/monitor.svg anew

`tests/tui/test_pictures.py` makes it again and compares, so that the picture can't show what the program no longer
does.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
import time
from pathlib import Path

from tests.tui.conftest import settled
from tests.tui.scene import Scene

SVG = Path(__file__).parent.parent.parent / ".github" / "monitor.svg"
SIZE = (110, 26)


async def taken(scene: Scene) -> str:
    """The page of a run that works while a circuit is open."""
    monitor = scene.night().monitor("r_work0000a3")
    async with monitor.run_test(size=SIZE) as pilot:
        await settled(pilot, page=True)
        return re.sub(r"terminal-\d+-", "terminal-", monitor.export_screenshot(title="agentctl monitor"))


def main() -> None:
    os.environ["TZ"] = "UTC"
    time.tzset()
    with tempfile.TemporaryDirectory() as name:
        scene = Scene(Path(name))
        SVG.write_text(asyncio.run(taken(scene)))
        scene.store.close()


if __name__ == "__main__":
    main()
