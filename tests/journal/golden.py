"""What each committed journal must decode to: one event of every kind, with nothing left at its default.

A released journal and its expectation are never changed: RELEASED holds what each file's bytes come to. For the next
release raise the version, add what came since to its expectation, and write and pin its file with

    PYTHONPATH=. .venv/bin/python tests/journal/golden.py
"""

import hashlib
import json
from pathlib import Path

from agentctl import __version__
from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.journal import codec

FOLDER = Path(__file__).parent.parent / "journals"
RELEASED = {
    "0.1.0": "8126a957150b4b334e086efa5ff2ee7d0c0ba7a226f771100fa738d65159c1cc",
    "1.0.0": "8126a957150b4b334e086efa5ff2ee7d0c0ba7a226f771100fa738d65159c1cc",
}
"""The sha256 of each released journal."""

EXPECTED = {
    "0.1.0": [
        e.RunStarted(
            task="order-triage",
            policy="standard",
            policy_digest="0f3a",
            user="ada",
            tenant="acme",
            goal="Find order A-1001 — „wo ist sie?“",
            system="You triage order questions.",
            fixed_tokens=410,
            goal_tokens=17,
            tools={"get_order_status": "9c1d", "send_refund": "77aa"},
            rehearsed=True,
            sealed="d3b0",
            price_source="genai-prices 0.2.3",
            variables={"order": "A-1001", "urgent": False, "tries": 2, "note": None},
            prefix="a0b1",
            prefix_system="a1",
            prefix_tools="b1",
            untrusted=("var.mail",),
            earlier_calls={"search_orders": 3},
            earlier_starts={"search_orders": (1_790_000_000.25, 1_790_000_001.5)},
            earlier=(e.Exchange("r_0a1b", "Where is A-1000?", "On its way.", 6, 4),),
            private=("run r_0a1b",),
        ),
        e.StepsPlanned(
            calls=(e.CallProposed("s1", "step_1", "get_order_status", {"order_id": "A-1001"}, "5e1f"),),
            tokens=21,
        ),
        e.Checked(passed=False, code=1, output="1 failed", duration_ms=812),
        e.ModelAsked(
            provider="anthropic",
            identity="anthropic||claude-sonnet-4-6",
            model="claude-sonnet-4-6",
            attempt=1,
            purpose="answer",
            estimated_tokens=1847,
            max_output_tokens=8192,
            reserved_micro=128_421,
            position=3,
        ),
        e.ModelReplied(
            provider="anthropic",
            identity="anthropic||claude-sonnet-4-6",
            model="claude-sonnet-4-6-20260101",
            usage=Usage(1200, 80, 300, 200, 100),
            cost_micro=18_400,
            duration_ms=423,
            stop_reason="tool_use",
            text="Let me look.",
            calls=(
                e.CallProposed("c1.0", "toolu_01", "get_order_status", {"order_id": "A-1001"}, "k1", filled=(1, 2)),
                e.CallProposed("c1.1", "toolu_02", "nonsense", '{"broken', "k2", "x2"),
            ),
            purpose="answer",
            tokens=80,
            sealed="a1b2",
            refusal="none",
            withheld="system_prompt",
        ),
        e.ModelFailed(
            provider="anthropic",
            identity="anthropic||claude-sonnet-4-6",
            kind="rate_limit",
            status=429,
            retry_after_s=2.5,
            message="Number of request tokens has exceeded your limit",
            attempt=2,
            purpose="summary",
            cost_micro=1,
            duration_ms=31,
        ),
        e.Retried(attempt=1, delay_s=1.25, call_id="c1.0"),
        e.Waited(reason="pace", seconds=3.5),
        e.FellBack(from_="anthropic", to="openai", reason="circuit open"),
        e.ProviderOut(provider="anthropic", reason="rate_limit", until=1_790_000_000.5),
        e.Thought(text="The order number looks valid."),
        e.ToolStarted(
            call_id="c1.0",
            tool="get_order_status",
            args={"order_id": "A-1001", "depth": [1, {"x": 0.5}]},
            tier="low",
            attempt=2,
            effect=True,
            timeout_s=5.0,
            idempotency_key="r_golden:c1.0",
            copied=(e.Copied("order a-1001", "http_get", recipient=True),),
        ),
        e.ToolFinished(
            call_id="c1.0",
            tool="get_order_status",
            status="error",
            error_type="transient",
            retry_safe=True,
            duration_ms=5012,
            result={"status": "error", "data": None, "message": "Timeout after 5s"},
            tokens=42,
            ran=False,
            final=False,
            sealed="beef",
            shared_with="c1.1",
            labels=("untrusted", "egress"),
            pollable=True,
        ),
        e.ApprovalRequested(
            call_id="c2.0",
            tool="send_refund",
            tier="high",
            rule="tiers",
            digest="51fe",
            args={"amount": 49.9},
            copied=(e.Copied("49.9 to iban", "var.mail"),),
            once=True,
            limit_micro=1_500_000,
            remembers="this exact call of send_refund again, in this run, for an hour",
            fixed=True,
            stands_s=300.0,
            after="the run parks",
            cache_until=1_760_000_300.25,
            later_micro=3_400,
        ),
        e.InjectionSuspected("http_get", "override", "c1.0"),
        e.CallEdited("c1.0", "send_refund", {"order_id": "A-1002"}, "ada", "k2", "x2", "5ea1"),
        e.CallSettled("c1.0", "send_refund", happened=False, by="verify", why="no such refund"),
        e.ApprovalDecided("c1.0", "approve", "ada", 3.5, "", "51fe", 1_760_000_000.5, remember=True),
        e.ApprovalDecided("c2.0", "deny", "ada", 12.75, "ask the customer first", "51fe"),
        e.Decided("before_tool", "loops", "reflect", "window", text="Stop repeating.", tokens=9),
        e.ContextTrimmed(tokens=45_000, limit=75_000, dropped=14, first_kept=31),
        e.BudgetCounted(key="run_usd", used=1.13, limit=1.5, state="warning"),
        e.CircuitMoved(name="anthropic||claude-sonnet-4-6", from_="closed", to="open"),
        e.LoopSeen(kind="window", tool="search_orders", count=3, window=8, halt=True),
        e.Forked(
            parent="r_parent",
            at=12,
            by="ada",
            policy="strict",
            policy_digest="77ab",
            goal="Only say where it is.",
            goal_tokens=6,
            sealed="f0a1",
            gone=2,
        ),
        e.SecretsNumbered(count=2, sealed="9c41"),
        e.Alerted("slow_vs_median", 72.5, 60.0, subject="r_0a1b", baseline=12.0),
        e.CacheSeen(hit_ratio=0.875, read=7000, write=1000, miss_reason="tools changed"),
        e.Degraded(provider="openai", notice="Answers may be less polished."),
        e.HandedOff(reason="5 tool errors in a row", contact="ops@example.com", call_id="c2.0"),
        e.Resumed(
            from_seq=21,
            by="bob",
            add_micro=500_000,
            add_steps=5,
            add_tokens=10_000,
            policy_digest="0f3b",
            fixed_tokens=411,
            earlier_calls={"search_orders": 1},
        ),
        e.Failed(code="defect", message="crash report written"),
        e.Completed(
            status="stopped",
            reason="run_usd",
            exit_code=10,
            cost_micro=1_499_999,
            answer="The order is on its way.",
            message="Budget reached.",
            labels=("untrusted",),
        ),
    ]
}
EXPECTED["1.0.0"] = [*EXPECTED["0.1.0"]]  # and here whatever kind or field came since


def digest(version):
    """The sha256 of a release's journal."""
    return hashlib.sha256((FOLDER / f"{version}.jsonl").read_bytes()).hexdigest()


def lines(events):
    """A journal as text: a line of tag, version and data for each event."""
    for event in events:
        tag, version, text = codec.encode(event)
        yield json.dumps({"tag": tag, "version": version, "data": json.loads(text)}, ensure_ascii=False)


if __name__ == "__main__":
    current = FOLDER / f"{__version__}.jsonl"
    current.write_text("".join(f"{line}\n" for line in lines(EXPECTED[__version__])))
    print(f'"{__version__}": "{digest(__version__)}",')  # noqa: T201 -- for RELEASED
