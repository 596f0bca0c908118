"""The desk's mails, and what a model would say and do to each: one script per kind of mail."""

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MAILS = [json.loads(line) for line in (HERE / "mails.jsonl").read_text("utf-8").splitlines()]


def text(mail: dict[str, Any]) -> str:
    return mail["mail"] * mail.get("repeat", 1)


def script(mail: dict[str, Any]) -> dict[str, Any]:
    """The rehearsal script of a mail: calls by its kind, then its answer."""
    status = {"tool": "get_order_status", "args": {"order_id": mail["order"]}}
    refund = {"tool": "send_refund", "args": {"order_id": mail["order"], "reason": text(mail)[:200]}}
    notes = {"tool": "read_file", "args": {"path": "notes/returns.md"}}
    steps: dict[str, list[list[dict[str, Any]]]] = {
        "late": [[status]],
        "refund": [[status], [refund]],
        "denied": [[status], [refund]],
        "wrong": [[status, notes]],
        "rude": [],
        "inject": [[status, refund]],
        "stray": [[{"tool": "shell", "args": {"command": "cat /etc/passwd"}}]],
        "outside": [[{"tool": "read_file", "args": {"path": "../../../../etc/passwd"}}, status]],
        "empty": [],
        "lost": [[status], [{"tool": "get_order_status", "args": {"order": mail["order"]}}]],
    }
    replies: list[dict[str, Any]] = [
        {"calls": calls, "thinking": f"What does {mail['order']} look like?"} for calls in steps[mail["kind"]]
    ]
    made: dict[str, Any] = {"reply": [*replies, {"text": mail["answer"]}]}
    if mail["kind"] in {"refund", "denied", "inject"}:
        yes = mail["kind"] == "refund"
        made["person"] = [{"tool": "send_refund", "answer": "y" if yes else "n", "why": "" if yes else "not due"}]
        made["tool"] = [{"tool": "send_refund", "result": {"refund": "R-1"}}]
    return made
