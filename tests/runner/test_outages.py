"""A circuit from its opening by a run to its reset by a person, as `circuits` shows it."""

import json

from agentctl.cli.main import main
from tests.runner.stage import Fault, Reply, calls


async def test_a_run_asks_again_where_a_person_has_reset_the_circuit(stages, capfd):
    """C74: opened by one run, seen by the command, reset by a person, asked by the next run."""
    stage = stages("chat")
    stage.policy(circuit={"failure_threshold": 2, "recovery_s": 600.0}, retry={"max_attempts": 2})
    stage.tool("lookup", "cat")
    stage.replies = [calls(("lookup", {"id": "a"})), Reply(text="All done.")]
    stage.faults = [Fault("status", status=529, requests="1-2")]

    assert 14 == (await stage.run()).exit_code
    capfd.readouterr()
    assert 0 == main(["circuits", "--json"])
    (item,) = json.loads(capfd.readouterr().out)["items"]
    assert ("open", 2, "provider") == (item["state"], item["failures"], item["kind"])
    assert 14 == (await stage.resume()).exit_code

    assert 0 == main(["circuits", "reset", "gpt-5.4"])
    done = await stage.resume()

    assert (0, "All done.") == (done.exit_code, done.answer)
