"""The summary of messages that a trim drops: asked for, recorded, put behind the goal. `core/recap.py` has the rules.

What is sent and kept are the originals; what is written is scrubbed, with the original sealed where that changed it.
"""

from __future__ import annotations

from agentctl.core import decisions as do
from agentctl.core import recap, wrapping
from agentctl.core.events import ContextTrimmed, Decided, Event, ModelReplied, StepsPlanned
from agentctl.core.guards import trust
from agentctl.core.messages import Delta, History, Message, Reply, Request, Text
from agentctl.core.policy import Provider
from agentctl.journal.ledger import Refused
from agentctl.journal.pace import TooLong
from agentctl.runner import words
from agentctl.runner.books import window
from agentctl.runner.world import World

LONGEST_TOKEN = 8
"""Characters a token, at the most: a server that does not keep to the limit gives no longer summary either."""


def is_message(event: Event) -> bool:
    """Whether an event is an assistant's message of the conversation."""
    return isinstance(event, StepsPlanned) or (isinstance(event, ModelReplied) and event.purpose != "summary")


def request(world: World, action: do.AskModel) -> Request:
    """No tools, no history: the instruction, and the quotes of what is about to be dropped."""
    dropped = world.conversation.before(world.state.transcript, action.upto)
    quotes = recap.quoted(dropped, action.estimated_tokens, world.count)
    history = History([Message("user", (Text(quotes),))], epoch=world.state.seq)
    return Request(recap.INSTRUCTION, (), history, action.max_output_tokens, use_tools=False)


def unseen(_: Delta) -> None:
    """A summary is for the model: it is not shown as it comes."""


def text_of(reply: Reply, action: do.AskModel) -> str:
    """The summary, without blank lines; nothing where the model would not."""
    said = "".join(block.text for block in reply.blocks if isinstance(block, Text))
    lines = [line.strip() for line in said[: LONGEST_TOKEN * action.max_output_tokens].splitlines()]
    return "" if reply.stop == "refusal" else "\n".join(line for line in lines if line)


def event(world: World, provider: Provider, reply: Reply, text: str, ms: int) -> ModelReplied:
    """The reply, as it is recorded."""
    price, shown = world.setup.prices.get(provider.name), world.scrub.text(text)
    return ModelReplied(
        provider.name,
        provider.identity,
        reply.model,
        reply.usage,
        0 if price is None else price.cost(reply.usage),
        ms,
        reply.stop,
        shown,
        (),
        "summary",
        world.count(recap.told(text)) if text else 0,
        world.recorder.seal(text) if shown != text else "",
        world.scrub.text(reply.refusal),
    )


def refused(world: World, answer: Refused | TooLong) -> None:
    """The shared books had no room for it: no reason to end the run, the trim does without."""
    match answer:
        case Refused():
            why = f"no room in {window(answer.scope.key)}"
        case TooLong(demand=demand, seconds=seconds):
            why = f"{window(demand.scope)} is full for {seconds:.0f}s"
    world.recorder.record(Decided("before_model", "context", "no_summary", why))


def marked(world: World, lines: str, seq: int) -> str:
    """Summaries as the model is sent them: what was made of somebody else's words stands between marks like these. D22

    A model wrote the lines, but out of those words; behind the goal they would pass for the user's own.
    """
    sources = _sources(world)
    if not (sources and lines):
        return lines
    mark = words.mark_of(world, f"summary {seq}")
    return wrapping.wrap(lines, sources, mark)


def _marks(world: World) -> int:
    """Tokens that the marks take."""
    sources = _sources(world)
    return world.count(wrapping.wrap("", sources, "0" * 16)) if sources else 0


def _sources(world: World) -> str:
    found = trust.sources(world.state.trust) if world.setup.policy.trust.enabled else ()
    return trust.listed(found) if found else ""


def trim(world: World, action: do.Trim) -> None:
    """Record a trim, and what stands behind the goal from then on where that changes."""
    conversation, transcript = world.conversation, world.state.transcript
    earlier = conversation.summary(transcript)
    new = conversation.text(action.summary) if action.summary else ""
    trimmed = ContextTrimmed(action.tokens, action.limit, action.dropped, action.first_kept)
    new = wrapping.harmless(new) if _sources(world) else new
    lines = recap.joined(wrapping.unwrapped(earlier), new, action.most - _marks(world), world.count)
    if lines == wrapping.unwrapped(earlier):
        world.recorder.record(trimmed)
        return
    text, shown = marked(world, lines, world.state.seq), world.scrub.text(lines)
    sealed = world.recorder.seal(text) if shown != text else ""
    summed = ContextTrimmed(
        action.tokens,
        action.limit,
        action.dropped,
        action.first_kept,
        shown,
        world.count(recap.told(text)),
        sealed,
    )
    conversation.hold(world.recorder.record(summed).seq, Text(text))
