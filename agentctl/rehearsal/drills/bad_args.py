"""The model sends arguments of the wrong type, corrects itself, and goes on. A03, A04, C41"""

from __future__ import annotations

import json

from agentctl.core import sampling
from agentctl.core.events import ToolFinished
from agentctl.rehearsal.drills import bodies
from agentctl.rehearsal.drills.ground import Ground, Target
from agentctl.rehearsal.drills.scene import DEFECT, Act, Change, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Call, Reply

INJECTED = "arguments of the wrong type for a tool, then the right ones"

LIMITS = frozenset({10, 11, 13, 19})


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
    if client.exit_code in LIMITS:
        return held(f"refused before the tool ran; the run was then stopped by {client.reason}")
    if not _told(target, seen):
        return failed("the model was told that it was wrong, not what was expected", advice=DEFECT)
    if client.exit_code != 0:
        return failed(f"refused, but the run did not recover: {client.status}, {client.reason}")
    return held("refused before the tool ran, with the field and the type expected; the model corrected itself")


def _told(target: Target | None, seen: Seen) -> bool:
    """Whether a request that came after says what is wrong, as the tool's schema does."""
    wrong = None if target is None else sampling.misfit(target.contract.parameters)
    problem = None if target is None or wrong is None else target.contract.check(wrong[0])
    if problem is None:
        return False
    words = [json.dumps(each, ensure_ascii=False)[1:-1] for each in (problem.problem, problem.hint)]
    return any(bodies.says(request, said) for said in words for request in seen.requests)
