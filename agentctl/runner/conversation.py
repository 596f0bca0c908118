"""The messages that a model is sent, kept beside the state that says which.

The state holds seqs and sizes; this holds the originals, by the seq of the event that each came with, and drops them
when the transcript does. Nothing here is written anywhere: what must outlive the process is sealed by the recorder.
"""

from __future__ import annotations

from agentctl.core import recap, transcript
from agentctl.core.messages import Block, History, Message, Text, ToolAnswer
from agentctl.core.transcript import Entry

Body = Message | ToolAnswer | Text
SAID = 2_000
"""Characters of what was said that are looked back at: a copy of the system prompt may come in pieces."""
LATELY = 100
"""And messages."""


class Conversation:
    """Originals by seq, and the history that is built from them."""

    def __init__(self) -> None:
        self.history = History()
        self.wire_ids: set[str] = set()
        """Of every tool call that was ever held: a provider's ids must not come twice. Bound: the run's calls."""
        self._bodies: dict[int, Body] = {}
        self._epoch = 0

    def hold(self, seq: int, body: Body) -> None:
        """Keep the original of an event until the transcript has dropped it."""
        self._bodies[seq] = body

    def sync(self, state: transcript.State) -> History:
        """The history as the transcript says. Only what is new is built, unless something was rewritten."""
        history = self.history
        if state.epoch != self._epoch:
            self._epoch = state.epoch
            history.epoch += 1
            history.messages.clear()
            self._forget(state)
        history.messages.extend(
            self._message(entry, state.bare_until) for entry in state.entries[len(history.messages) :]
        )
        return history

    def before(self, state: transcript.State, seq: int) -> list[Message]:
        """The messages that a trim down to the one of that seq drops."""
        dropped = {entry.seq for entry in state.before(seq)}
        built = zip(self.sync(state).messages, state.entries, strict=True)
        return [message for message, entry in built if entry.seq in dropped]

    def said(self, state: transcript.State) -> str:
        """The end of what the assistant has said in its last replies."""
        found: list[str] = []
        for message in self.sync(state).messages[: -LATELY - 1 : -1]:
            if message.role == "assistant":
                found.append("".join(block.text for block in message.blocks if isinstance(block, Text)))
            if sum(map(len, found)) >= SAID:
                break
        return " ".join(reversed(found))[-SAID:]

    def summary(self, state: transcript.State) -> str:
        """What stands behind the goal; empty: nothing was summarised yet."""
        goal = next((entry for entry in state.entries if entry.kind == "goal"), None)
        return "".join(self.text(seq) for seq in goal.parts[1:]) if goal else ""

    def text(self, seq: int) -> str:
        """The words that were held."""
        body = self._bodies[seq]
        return body.text if isinstance(body, Text) else ""

    def _message(self, entry: Entry, bare_until: int) -> Message:
        bodies = tuple(self._bodies[seq] for seq in entry.parts)
        first = bodies[0]
        if isinstance(first, Message):
            bare = first.raw and entry.seq <= bare_until
            return Message(first.role, first.blocks, first.maker) if bare else first
        blocks: tuple[Block, ...] = tuple(body for body in bodies if isinstance(body, ToolAnswer | Text))
        if entry.kind == "goal":  # one text: some APIs make a message of each
            summaries = [recap.told(self.text(seq)) for seq in entry.parts[1:]]
            blocks = (Text("\n\n".join([self.text(entry.seq), *summaries])),)
        return Message("user", blocks)

    def _forget(self, state: transcript.State) -> None:
        kept = {seq for entry in state.entries for seq in entry.parts}
        kept.update(seq for _, seq, _ in state.answers)
        self._bodies = {seq: body for seq, body in self._bodies.items() if seq in kept}
