"""The model sends arguments of the wrong type, corrects itself, and goes on. A03, A04, C41"""

from __future__ import annotations

from agentctl.core import sampling
from agentctl.core.events import ToolFinished
from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import Act, Change, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Call, Reply

INJECTED = "arguments of the wrong type for a tool, then the right ones"


def scene(ground: Ground) -> Scene | Skip:
    """One call that does not fit its schema, and one that does."""
    target = ground.reader() or ground.effect()
    wrong = None if target is None else sampling.misfit(target.contract.parameters)
    if target is None or wrong is None:
        return Skip("no tool of the task refuses any arguments")
    bad = Reply(text="I will look it up.", calls=(Call(target.contract.wire, dict(wrong[0])),))
    good = Reply(text="Once more, with the right arguments.", calls=(target.call(),))
    return Scene((Act(ground.script(bad, good)),))


def judge(ground: Ground, seen: Seen) -> Finding:
    """No tool ran with them, the model was told what was expected, and the run went on."""
    target = ground.reader() or ground.effect()
    client = seen.clients[0]
    reached = [use for use in seen.uses if target is not None and target.contract.check(use.args) is not None]
    if reached:
        return failed(
            f"{reached[0].tool} ran with arguments that do not fit its schema", Change("args.enabled", value=True)
        )
    told = [e for e in (one.event for one in client.events) if isinstance(e, ToolFinished) and e.code == "INVALID_ARGS"]
    if client.exit_code == 15 and ground.policy.args.error_format == "throw":
        return held('refused before the tool ran; the run ended, as args.error_format = "throw" says')
    if not told:
        return failed("nobody told the model what was wrong", Change("args.enabled", value=True))
    if client.exit_code != 0:
        return failed(f"refused, but the run did not recover: {client.status}, {client.reason}")
    return held("refused before the tool ran, with the field and the type expected; the model corrected itself")
