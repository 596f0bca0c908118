"""What the earlier runs of a session have said, on its way into the next one.

Rules.
1. Only scrubbed words travel, and they go through the filters of the run that they come to: another policy, other
   secrets, placeholders of its own. They are recorded as they are sent, so that a resumed run sends them again.
2. They take SHARE of what a trim leaves, at the most: the latest exchanges; what is left out is said in one line.
3. Labels come along with words: a run that reads of one with somebody else's words begins with somebody else's words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from agentctl.core import transcript, wrapping
from agentctl.core.events import Exchange, RunStarted
from agentctl.core.guards import context
from agentctl.core.messages import Message, Text
from agentctl.journal.sessions import Said, Session
from agentctl.runner import numbered
from agentctl.runner.plan import Plan, answering

if TYPE_CHECKING:
    from agentctl.runner.conversation import Conversation
    from agentctl.runner.order import Order
    from agentctl.runner.world import World

SHARE: Final = 0.25
"""Of the tokens that a trim leaves."""
LEFT_OUT: Final = "[What was said before this in the conversation is left out.]"
CUT: Final = "[… cut: {left:,} of {size:,} characters are not shown …]"
RUN: Final = "run "
"""Before the id of an earlier run, where the source of words is named."""


def session_of(order: Order) -> Session | None:
    """Whose conversation a run goes on with; None: nobody's."""
    return Session(order.tenant, order.user, order.session, order.rehearse) if order.session else None


def room(plan: Plan) -> int:
    """Tokens that what was said before may take, so that it fits whoever answers."""
    rules, setup = plan.policy.context, plan.setup
    limits = [context.limits(rules, setup.windows[each.name], each.max_output_tokens)[0] for each in answering(plan)]
    return int(min(limits, default=rules.max_tokens) * rules.trim_to * SHARE)


def carried(
    said: Sequence[Said], shown: Callable[[str], str], count: Callable[[str], int], most: int, *, more: bool
) -> tuple[Exchange, ...]:
    """The latest exchanges that take no more than `most` tokens, the oldest first; the last one is cut if it must be.

    `more`: there were others before them. What somebody else may have written passes for nobody's role.
    """
    left, found = most - count(LEFT_OUT), list[Exchange]()
    for each in reversed(said):
        safe = wrapping.harmless if "untrusted" in each.labels else str
        asked, answer = shown(safe(each.asked)), shown(safe(each.answer))
        if not found:
            asked, answer = _cut(asked, left // 2, count), _cut(answer, left // 2, count)
        sizes = count(asked), count(answer)
        if sum(sizes) > left:
            break
        left -= sum(sizes)
        found.append(Exchange(each.run_id, asked, answer, *sizes))
    if found and (more or len(found) < len(said)):
        first = found.pop()
        asked = f"{LEFT_OUT}\n\n{first.asked}"
        found.append(Exchange(first.run_id, asked, first.answer, count(asked), first.answer_tokens))
    return tuple(found[::-1])


def _cut(text: str, most: int, count: Callable[[str], int]) -> str:
    size = len(text)
    if count(text) <= most:
        return text
    kept = size
    while kept and count(_marked(text, kept)) > most:
        kept = kept * 3 // 4
    return _marked(text, kept)


def _marked(text: str, kept: int) -> str:
    return f"{text[:kept]}\n{CUT.format(left=len(text) - kept, size=len(text))}".strip()


def begun(world: World, plan: Plan, order: Order) -> tuple[tuple[Exchange, ...], dict[str, tuple[str, ...]]]:
    """What a run that begins is told, and by label whose words and data come with it. The person is told, too."""
    session = session_of(order)
    if session is None:
        return (), {}
    said, more = world.recorder.said_in_the_session(session)

    def shown(text: str) -> str:
        return world.scrub.text(numbered.text(world, text))

    found = carried(said, shown, world.count, room(plan), more=more)
    read = {each.run_id for each in found}
    sources = {
        label: tuple(f"{RUN}{each.run_id}" for each in said if each.run_id in read and label in each.labels)
        for label in ("untrusted", "private")
    }
    if said:
        left = "; what was said before is left out" if more or len(found) < len(said) else ""
        world.listener.note(f"session {order.session}: goes on after {_runs(len(found))}{left}")
    return found, sources


def _runs(count: int) -> str:
    return f"{count} earlier run{'' if count == 1 else 's'}"


def hold(conversation: Conversation, started: RunStarted) -> None:
    """Give the conversation what it is told."""
    for (asked, said), each in zip(transcript.places(len(started.earlier)), started.earlier, strict=True):
        conversation.hold(asked, Text(each.asked))
        conversation.hold(said, Message("assistant", (Text(each.answer),)))


def compared(world: World, started: RunStarted) -> None:
    """Words that may be somebody else's are compared with what the model writes."""
    for each in started.earlier:
        source = f"{RUN}{each.run_id}"
        if source in started.untrusted:
            world.untrusted.add_text(source, f"{each.asked}\n{each.answer}")
