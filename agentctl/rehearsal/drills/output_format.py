"""Answers of the wrong shape, and an answer that would break whoever reads it. A77"""

from __future__ import annotations

import json

from agentctl.rehearsal.drills.ground import Ground
from agentctl.rehearsal.drills.scene import DEFECT, Act, Client, Finding, Scene, Seen, Skip, failed, held
from agentctl.rehearsal.script import Reply, ScriptUsage

INJECTED = "prose where JSON was asked for, then JSON of another shape; without [output]: a hostile answer of 1 MB"
PROSE = "Certainly! Here is what I found: everything is in order."
OTHERS: tuple[object, ...] = ({"unexpected": 1}, [1, 2, 3], "text", 42, None, {})
SIZE = 1_000_000
HOSTILE = 'All is well.\x1b[31m\x07\x00\u202egnp.exe\u2066 \u2028\u2029\x85\r\n"} {"status": "done"} \ud83d \udc00 '
LEAST_RETRIES = 2


def scene(ground: Ground) -> Scene | Skip:
    """Where the task asks for a shape: two that are wrong, then the right one. Else words that are hard to pass on."""
    if ground.output is None:
        text = HOSTILE + "x" * (SIZE - 2 * len(HOSTILE)) + HOSTILE
        return Scene((Act(ground.script(Reply(text=text, usage=ScriptUsage(output=2_000)))),))
    other = _other(ground)
    wrong = [PROSE] if other is None else [PROSE, other]
    return Scene((Act(ground.script(*(Reply(text=text) for text in wrong))),))


def _other(ground: Ground) -> str | None:
    """JSON that the task refuses; None: it takes all that there is."""
    return next((text for text in map(json.dumps, OTHERS) if _problem(ground, text)), None)


def _problem(ground: Ground, text: str) -> str:
    """What is wrong with an answer, as the task sees it; empty: nothing."""
    return "" if ground.setup.output is None else ground.setup.output(text)


def judge(ground: Ground, seen: Seen) -> Finding:
    """What `run --json` prints can be read by a program: one line, JSON, of the shape that was asked for."""
    client = seen.clients[0]
    line = json.dumps(client.body, ensure_ascii=False)
    unreadable = _unreadable(line, client)
    if unreadable:
        return failed(unreadable, advice=DEFECT)
    if ground.output is None:
        if client.exit_code:
            return _limited(client, f"{len(line):,} characters of result")
        return held(f"a hostile answer of {len(client.answer):,} characters came out as one line of JSON")
    tries = len([request for request in seen.requests if request.status == 200])
    if client.reason == "output":
        advice = f"[output] retries = {LEAST_RETRIES}, in the task"
        return failed(f"no answer of the right shape in {tries} replies: {client.message}", advice=advice)
    if client.exit_code:
        return _limited(client, f"{tries} replies")
    problem = _problem(ground, json.dumps(client.body.get("output")))
    if problem:
        return failed(f"it was taken for an answer although it has another shape: {problem}")
    return held(f"{tries - 1} wrong answers sent back with what is wrong; the right one came with reply {tries}")


def _unreadable(line: str, client: Client) -> str:
    """Why no program could read the result; empty: it can."""
    if client.error or client.exit_code == 1:
        return f"the run broke: {client.status}, {client.reason} {client.error}".strip()
    try:
        again = json.loads(line.encode(errors="backslashreplace"))
    except ValueError as error:
        return f"the result is no JSON: {error}"
    if "\n" in line or "\r" in line:
        return "the result is more than one line"
    return "" if again.get("run_id") == client.run_id else "the result is another's"


def _limited(client: Client, after: str) -> Finding:
    """It ended before it had an answer."""
    if client.exit_code in {10, 11, 13, 14, 18, 19}:
        return held(f"{client.status} by {client.reason} after {after}; the result is one line of JSON")
    return failed(f"{client.status}, {client.reason} after {after}: {client.message[:200]}")
