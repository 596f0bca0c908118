"""The lines that a person who watches a run is told: one for each event that matters, the same on every terminal."""

from __future__ import annotations

import json
from dataclasses import field

from agentctl.approvals.printable import printable
from agentctl.cli.render import Tone
from agentctl.core import events as e
from agentctl.core.messages import Json
from agentctl.core.people import circling, who
from agentctl.records import dataclass
from agentctl.runner.order import Progress

MOST = 110
"""Characters of a tool's result on its line."""
MOST_WORDS = 80
"""Characters of what a server says of a call's progress."""
MOST_COUNTED = 1e15
"""A count above this is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """What is said, and how it is meant."""

    text: str
    tone: Tone = "plain"


@dataclass(slots=True)
class Telling:
    """Remembers what a line needs of earlier events: the tier of a call in flight. Bound: the calls of one reply."""

    tiers: dict[str, str] = field(default_factory=dict[str, str])

    def line(self, event: e.Event) -> Line | None:
        """The line of an event, or None: it does not matter to who watches."""
        match event:
            case e.ToolStarted(call_id=call_id, tier=tier):
                self.tiers[call_id] = tier
                return None
            case e.ToolFinished() as done:
                return _finished(done, self.tiers.pop(done.call_id, ""))
            case e.ApprovalRequested() as asked:
                return Line(f"? {one(asked.tool)} needs a person: {asked.tier}, by {one(asked.rule)}", "warn")
            case e.ApprovalDecided() as decided:
                word = {"approve": "approved", "deny": "denied", "stop": "stopped"}[decided.decision]
                why = f": {one(decided.why)}" if decided.why else ""
                kept = ", remembered for this run" if decided.remember else ""
                return Line(f"! {word} {one(who(decided))}{kept}{why}", "warn")
            case e.CallEdited(tool=tool, by=by):
                return Line(f"! {one(by)} changed the arguments of {one(tool)}", "warn")
            case e.CallSettled(tool=tool) as settled:
                return Line(f"! {one(tool)}, in doubt: {one(settled.words)}", "warn")
            case e.LoopSeen() as loop:
                return Line(f"! loop: {one(circling(loop))}", "warn")
            case e.HandedOff(reason=reason, contact=contact):
                return Line(f"! handed over to {one(contact)}: {one(reason)}", "warn")
            case e.RunStarted() as started:
                rehearsed = " · rehearsed: a script plays the model" if started.rehearsed else ""
                return Line(f"{one(started.task)} under {one(started.policy)}{rehearsed}", "quiet")
            case _:
                return _model(event) or _limits(event)


def one(text: str) -> str:
    """On one line, harmless."""
    return printable(text, lines=False)


def progressed(at: Progress) -> str:
    """`fs.copy 40 % reading page 4`; a count where nobody knows how much there is to do."""
    words = one(" ".join(at.words.split()))
    if len(words) > MOST_WORDS:
        words = f"{words[: MOST_WORDS - 1]}…"
    far = "" if at.share is None else f"{int(at.share * 100)} %"
    if not far and at.done is not None and at.done < MOST_COUNTED:
        far = f"{at.done:,.0f}"
    return " ".join(part for part in (one(at.tool), far, words) if part)


def _finished(done: e.ToolFinished, tier: str) -> Line:
    tool = one(done.tool)
    head = f"{tool} {tier}" if tier else tool
    message = str(done.result.get("message", ""))
    if done.status == "success":
        return Line(f"✓ {head} {done.duration_ms:,}ms  {short(done.result.get('data'))}", "good")
    if not done.ran:
        return Line(f"✗ {tool} not run: {short(message)}", "warn")
    kind = (done.error_type or "unknown").replace("_", " ")
    return Line(f"✗ {head} {done.duration_ms:,}ms  {kind}: {short(message)}", "bad" if done.final else "warn")


def short(value: Json) -> str:
    """The beginning of a result."""
    text = one(" ".join((value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)).split()))
    return text if len(text) <= MOST else f"{text[: MOST - 1]}…"


def _model(event: e.Event) -> Line | None:
    match event:
        case e.ModelFailed() as failed:
            what = f"{failed.status} {failed.kind}" if failed.status else failed.kind
            return Line(f"✗ {failed.provider}: {what.replace('_', ' ')}: {short(failed.message)}", "warn")
        case e.Retried() as retried:
            return Line(f"  retry #{retried.attempt} in {retried.delay_s:.1f}s", "quiet")
        case e.CacheSeen(miss_reason=why) if why:
            return Line(f"! the cache was missed: {short(why)}", "warn")
        case e.Waited(reason=reason, seconds=seconds, refused=True):
            return Line(f"! {one(reason)}: would wait {seconds:,.0f}s, too long", "warn")
        case e.Waited(reason=reason, seconds=seconds):
            return Line(f"  waits {seconds:.1f}s: {one(reason)}", "quiet")
        case e.FellBack() as fell:
            whom = f"{fell.to} answers instead of" if fell.to else "nobody is left to answer for"
            return Line(f"! {whom} {fell.from_}: {one(fell.reason)}", "warn")
        case e.ProviderOut(provider=provider, reason=reason):
            return Line(f"! {provider} is out: {short(reason)}", "warn")
        case e.CircuitMoved() as moved if moved.from_ != moved.to:
            return Line(f"! circuit {one(moved.name)}: {moved.from_} → {moved.to}", "warn")
        case e.Degraded(provider=provider, notice=notice):
            return Line(f"! {provider}: {one(notice)}", "warn")
        case _:
            return None


def _limits(event: e.Event) -> Line | None:
    match event:
        case e.ContextTrimmed(dropped=dropped, tokens=tokens, summary=summary):
            how = "summarised" if summary else "trimmed"
            return Line(f"! context {how}: {dropped} messages left, {tokens:,} tokens remain", "warn")
        case e.Checked(passed=True):
            return Line("✓ check passed", "good")
        case e.Checked(code=code, output=output):
            return Line(f"✗ check failed (exit {code}): {short(output)}", "bad")
        case e.BudgetCounted(state="warning") as close:
            return Line(f"! {close.key} is close to its limit: {close.used:g} of {close.limit:g}", "warn")
        case e.BudgetCounted(state="refused") as over:
            return Line(f"! {over.key} is used up: {over.used:g} of {over.limit:g}", "warn")
        case e.InjectionSuspected() as found:
            return Line(f"! injection suspected in {one(found.tool)}: {found.kind.replace('_', ' ')}", "warn")
        case e.Decided(guard="route", reason=reason):
            return Line(f"  routed to {one(reason)}", "quiet")
        case e.Decided(decision="land" | "misfit") as told:
            return Line(f"! {one(told.message or told.reason)}", "warn")
        case e.Failed(code=code, message=message):
            return Line(f"✗ {code}: {short(message)}", "bad")
        case _:
            return None
