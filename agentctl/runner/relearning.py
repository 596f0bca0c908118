"""A resumed run masks what it masked before: the filter reads the sealed originals once and learns their secrets again.

What was learned is in no event. What was found in a part of an answer that was cut away is sealed nowhere either: it
is found again by its form, not by its value.
"""

from __future__ import annotations

from collections.abc import Sequence

from agentctl.core.events import ModelReplied, Stamped, StepsPlanned
from agentctl.core.guards.scrub import Filter
from agentctl.core.messages import Message, Text, Thinking, ToolUse
from agentctl.core.wrapping import unwrapped
from agentctl.journal.store import Store
from agentctl.runner import originals


def relearn(scrub: Filter, journal: Store, events: Sequence[Stamped]) -> None:
    """Read everything that is sealed, in the order in which it came. A41

    Raises:
        StoreUnusable: an original is gone or was changed.
    """
    for stamped in events:
        event, digest = stamped.event, str(getattr(stamped.event, "sealed", ""))
        original = journal.original(stamped.run_id, digest).decode() if digest else ""
        match event:
            case ModelReplied(purpose="summary"):
                scrub.text(original)
            case ModelReplied() | StepsPlanned() if original:
                _message(scrub, originals.to_message(original, ""))
            case _:
                scrub.data(unwrapped(original))


def _message(scrub: Filter, message: Message) -> None:
    for block in message.blocks:
        match block:
            case Text(text=text) | Thinking(text=text):
                scrub.text(text)
            case ToolUse(args=args, garbled=garbled):
                scrub.data(args)
                scrub.text(garbled)
            case _:
                pass
