"""What an answer to a tool call becomes: an event, a message for the model, originals under seal."""

from __future__ import annotations

import json
from dataclasses import replace

from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.events import Degraded, ToolFinished
from agentctl.core.guards import results, trust
from agentctl.core.inflight import CallState
from agentctl.core.messages import ToolAnswer
from agentctl.runner import numbered, words
from agentctl.runner.world import World


def _told(world: World, call: CallState, answer: Envelope) -> Envelope:
    """The model asked for something else than what a person let run."""
    if not call.edited_by:
        return answer
    args = json.dumps(world.said[call.call_id].args, ensure_ascii=False)
    notice = f"{call.edited_by} changed the arguments before it ran, to: {args}."
    return replace(answer, message=f"{notice} {answer.message}".strip())


def conclude(world: World, call: CallState, contract: Contract, answer: Envelope, ms: int) -> None:
    """Record what a tool said, as the model is told it. `ms`: how long it took; 0 where nobody saw."""
    if contract.name != call.tool:
        notice = f"{call.tool} is unhealthy: answered by {contract.name}"
        answer = replace(answer, message=f"{notice}. {answer.message}".strip())
        world.recorder.record(Degraded(call.tool, notice))
    taken = _told(world, call, numbered.answer(world, call.call_id, words.cleaned(world, contract, answer)))
    finished = outcome(world, call, taken, ms, ran=True, effect=not contract.read_only, by=contract.name)
    finished = replace(finished, pollable=contract.pollable, labels=trust.labels(contract))
    answered(world, call, taken, finished)
    words.suspect(world, contract.name, [answer.data, answer.message], call.call_id)


def outcome(
    world: World, call: CallState, answer: Envelope, ms: int, *, ran: bool, effect: bool, by: str = ""
) -> ToolFinished:
    """The event of an answer: what the model is sent, scrubbed."""
    result = world.scrub.fields(answer.as_json())
    shown = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    short = _short(world, shown)
    if short != shown:
        result = {**result, "data": short}
    return ToolFinished(
        call.call_id,
        by or call.tool,
        answer.status,
        answer.error_type,
        answer.retry_safe,
        ms,
        result,
        world.count(_short(world, answer.text())),
        None if answer.code is None else world.scrub.text(answer.code),
        call.key,
        effect,
        ran,
    )


def _short(world: World, text: str) -> str:
    """An answer as far as the model is sent it: its head, and how much there was, where it is too long."""
    rules, size = world.setup.policy.results, world.count(text)
    if not rules.enabled or size <= rules.max_tokens:
        return text
    return results.cut(text, int(rules.max_tokens * len(text.encode(errors="surrogatepass")) / size))


def answered(world: World, call: CallState, answer: Envelope, finished: ToolFinished) -> None:
    """Record the answer and keep its original for the model; seal it where the event says something else."""
    short = _short(world, answer.text())
    text = words.sent(world, finished, short)
    if text != short:
        finished = replace(finished, tokens=world.count(text))
    if text != short or finished.result != answer.as_json():
        finished = replace(finished, sealed=world.recorder.seal(text))
    stamped = world.recorder.record(finished)
    use = world.calls[call.call_id]
    world.conversation.hold(stamped.seq, ToolAnswer(call.call_id, use.wire_id, text, is_error=not answer.ok))
    world.answers[call.call_id] = answer
    world.labels[call.call_id] = finished.labels
