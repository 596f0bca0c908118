"""Who is due: the place in the script, and the requests counted so far, per run.

Several runs may share a server. Each has its own place, so that what one run hears does not depend
on the others.

Rules
- The next reply for a provider is the first unplayed one that waits for it or for nobody.
- When none is left, the last one that it may have repeats.
- A reply is taken when a call begins and put back when the call fails, so that two calls at once
  never hear the same one and a failed call hears it again.
- Replies can be played out of file order (they wait for providers). A place is therefore the list
  of the providers that were answered; a plain number stands for so many answers in file order.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import field

from agentctl.records import dataclass
from agentctl.rehearsal.script import Fault, Reply, Script, parse_range

NOTHING_SCRIPTED = Reply(text="The script holds no reply for this call.")


@dataclass(frozen=True, slots=True)
class Turn:
    """One reply, handed out."""

    reply: Reply
    """What to play."""

    index: int | None
    """Its place in the file, or `None` for a repeat."""

    number: int
    """How many replies the run had been given before."""


@dataclass(slots=True)
class _Run:
    """The place of one run. Everything in the file before `first` is played, so is `ahead`."""

    first: int = 0
    ahead: set[int] = field(default_factory=set[int])
    answered: int = 0
    asked: int = 0
    requests: Counter[str] = field(default_factory=Counter[str])


class Player:
    """Hands out the replies and faults of one script."""

    def __init__(self, script: Script) -> None:
        """Read the ranges of the faults once."""
        self._replies = script.reply
        self._faults = [(fault, *parse_range(fault.requests)) for fault in script.fault]
        self._runs: dict[str, _Run] = {}

    def _run(self, run: str) -> _Run:
        return self._runs.setdefault(run, _Run())

    def count(self, run: str, provider: str) -> int:
        """Count one more model request of a run to a provider; return its number, from 1."""
        state = self._run(run)
        state.asked += 1
        state.requests[provider] += 1
        return state.requests[provider]

    def asked(self, run: str) -> int:
        """How many model requests the run has made, to all providers."""
        return self._run(run).asked

    def requests(self, run: str, provider: str) -> int:
        """How many model requests of the run the provider has seen."""
        return self._run(run).requests[provider]

    def set_requests(self, run: str, provider: str, number: int) -> None:
        """Go on counting the provider's requests after `number`."""
        state = self._run(run)
        state.asked += number - state.requests[provider]
        state.requests[provider] = number

    def fault(self, provider: str, number: int) -> Fault | None:
        """What befalls this request."""
        for fault, first, last in self._faults:
            if fault.provider not in {None, provider}:
                continue
            if first <= number and (last is None or number <= last):
                return fault
        return None

    def take(self, run: str, provider: str) -> Turn:
        """Hand out the reply that is due."""
        state = self._run(run)
        state.answered += 1
        number = state.answered - 1
        for index in range(state.first, len(self._replies)):
            reply = self._replies[index]
            if index not in state.ahead and reply.provider in {None, provider}:
                state.ahead.add(index)
                self._advance(state)
                return Turn(reply, index, number)
        return Turn(self._last(provider), None, number)

    def put_back(self, run: str, turn: Turn) -> None:
        """Undo a `take`: the call has failed."""
        state = self._run(run)
        state.answered -= 1
        if turn.index is None:
            return
        if turn.index < state.first:
            state.ahead.update(range(turn.index, state.first))
            state.first = turn.index
        state.ahead.discard(turn.index)

    def position(self, run: str) -> int:
        """How many replies the run has been given."""
        return self._run(run).answered

    def set_position(self, run: str, played: int | Sequence[str]) -> None:
        """Go on as if so many replies, or one for each of these providers, had been given."""
        state = self._run(run)
        state.first, state.ahead, state.answered = 0, set(), 0
        if isinstance(played, int):
            state.first, state.answered = min(played, len(self._replies)), played
            return
        for provider in played:
            self.take(run, provider)

    def _advance(self, state: _Run) -> None:
        while state.first in state.ahead:
            state.ahead.remove(state.first)
            state.first += 1

    def _last(self, provider: str) -> Reply:
        for reply in reversed(self._replies):
            if reply.provider in {None, provider}:
                return reply
        return NOTHING_SCRIPTED
