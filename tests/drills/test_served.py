"""Drills of a task whose tools are an MCP server's."""

import shutil
import sys
from pathlib import Path

from tests.drills.playing import a_task, play, verdicts

SERVER = Path(__file__).parents[1] / "tools" / "mcp_server.py"


def test_a_server_may_be_slow_to_start_and_is_not_waited_for_afterwards(tmp_path):
    """No time is skipped while it starts, and none is spent on its silence where its tools are played."""
    shutil.copy(SERVER, tmp_path)
    served = {"use": "mcp", "name": "small", "command": [sys.executable, SERVER.name], "trusted": True}

    played = play(a_task(tmp_path, served), tmp_path / "stores", "search-loop", "unknown-tool")

    assert {"search-loop": True, "unknown-tool": True} == verdicts(played)
    assert "told of small." in played["unknown-tool"].outcome.observed
    assert "rephrased: 4 searches" in played["search-loop"].outcome.observed
