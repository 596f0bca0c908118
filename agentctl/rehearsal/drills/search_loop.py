"""Searches that find nothing, put in other words each time, and repeated to the letter. A31, A38, C05, C37"""

from __future__ import annotations

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Change, Client, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Reply

INJECTED = "searches that find nothing: rephrased each time, then the same one again and again"
NIGHT, MOST = 40, 20
GUARDS = frozenset({10, 11, 13, 19})


def scene(ground: Ground) -> Scene | Skip:
    """A model that does not give up; with other words where the tool can be asked in other words."""
    target = next((each for each in ground.readers() if not each.contract.pollable), None)
    if target is None:
        return Skip('no tool of the task is known to only read (side_effects = "none"), but for those that are polled')
    acts: list[Act] = []
    for rephrased in (True, False) if target.varies else (False,):
        numbers = range(1, NIGHT + 1)
        replies = [Reply(text=f"Nothing. Attempt {n}.", calls=(target.call(n if rephrased else 1),)) for n in numbers]
        script = ground.script(*replies, person=ground.yes() * (NIGHT // MOST))
        acts.append(Act(script, {target.name: nothing}, shared=False))
    return Scene(tuple(acts))


def nothing(_: JsonObject, __: int) -> Envelope:
    """No results, however it is asked."""
    return envelope.success({"results": [], "total": 0})


def judge(_: Ground, seen: Seen) -> Finding:
    """A guard ends each of them within so many searches."""
    said: list[str] = []
    for client, how in zip(seen.clients, ("rephrased", "identical")[-len(seen.clients) :], strict=True):
        searches = sum(use.run_id == client.run_id for use in seen.uses)
        asked = f"{how}: {searches} search{'' if searches == 1 else 'es'} in {client.steps} steps"
        if not _ended(client, searches):
            return failed(
                f"{asked}, and nothing stopped it ({client.status}, {client.reason})",
                Change("progress.enabled", value=True),
                Change("loops.enabled", value=True),
                Change("progress.halt_on_stall", value=True),
                Change("budget.enabled", value=True),
                Change("budget.max_steps", MOST),
            )
        said.append(f"{asked}, stopped by {client.reason}")
    return held("; ".join(said))


def _ended(client: Client, searches: int) -> bool:
    return client.exit_code in GUARDS and max(searches, client.steps) <= MOST
