"""The user's own patterns for secrets: what is refused at load, and the filter that has them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from agentctl.config.patterns import Pattern, compiled
from agentctl.core.guards import scrub
from agentctl.core.policy import Policy

if TYPE_CHECKING:
    from agentctl.config.task import LoadedTask
    from agentctl.errors import Problem

Fault: TypeAlias = tuple[str] | tuple[str, str]
"""What is wrong, and what to write instead."""

LONGEST = 500
SLOWEST_S = 0.05
"""On a text of at most 4,096 characters. RE2 takes a thousandth of it."""
UNITS = ("a", "0", "aA0-", " ", "-", "ab")
SHARE = 5
"""A pattern that is found in one of so many ordinary texts masks too much."""
ORDINARY = (
    "The order A-1001 was paid on 2026-03-14 and is on its way.", "Please answer by Friday, 10:30.", "ok", "1",
    "def total(items: list[int]) -> int:", "    return sum(items)", "GET /api/orders?page=2 200 12ms", "error: no",
    "https://example.com/help/refunds", "src/orders/main.py:42", "Ann Example <ann@example.com>", "true", "name",
    "commit 4f2a9c1e", "[INFO] started in 1.2 s", '{"status": "success", "data": {"id": 7}}', "a-b-c", "€ 12.50",
    "SELECT id FROM orders WHERE total > 100", "README.md", "The customer asked twice.", "- first\n- second",
    "pytest -q: 12 passed", "version = 1", "Zürich, 8001", "null", "x = y + 1", "Thanks!", "2026-03-14T10:30:00Z",
    "127.0.0.1", "max_tokens=512", "What is the refund policy?", "It is fourteen days.", "step 3 of 5", "UTF-8",
)  # fmt: skip


def fault(pattern: str) -> Fault | None:
    """Why a pattern can't be used; None: it can."""
    if len(pattern) > LONGEST:
        return f"expected a pattern of at most {LONGEST} characters, got {len(pattern)}", "split it"
    try:
        made = compiled(pattern)
    except ValueError as error:
        return (f"expected an RE2 pattern: {error}",)
    if made.search(""):
        return "expected a pattern that matches something; this one matches the empty text", "write + for *"
    hit = sum(made.search(text) is not None for text in ORDINARY)
    if hit * SHARE >= len(ORDINARY):
        found = f"it is found in {hit} of {len(ORDINARY)} ordinary texts"
        return f"expected a pattern that matches secrets; {found}", "begin it with what only the secret has"
    if slow(made):
        return ("expected a pattern that is fast on every text; this one is not",)
    return None


def slow(pattern: Pattern) -> bool:
    """Whether texts that are made to be slow are; they grow, so that the first slow one is still short."""
    texts = ((unit * size)[:size] + "!" for size in (16, 64, 256, 1024, 4096) for unit in UNITS)
    return any(_took(pattern, text) > SLOWEST_S and _took(pattern, text) > SLOWEST_S for text in texts)


def _took(pattern: Pattern, text: str) -> float:
    """Seconds of this thread's own work: a busy machine makes no pattern slow."""
    began = time.thread_time()
    sum(1 for _ in pattern.finditer(text))
    return time.thread_time() - began


def given(name: str) -> tuple[str, str]:
    """What is wrong with handing on one of agentctl's own keys, and what to do instead."""
    return f"{name} holds a key of agentctl's own, which no program is given", "give the program a key of its own"


def given_away(policy: Policy, loaded: LoadedTask) -> Iterator[Problem]:
    """Servers that ask for one of agentctl's own keys."""
    for number, tool in enumerate(loaded.task.tools):
        for place, name in enumerate(tool.env):
            if name in policy.key_variables:
                yield loaded.document.problem(("tools", number, "env", place), *given(name))


def mask(rules: scrub.Rules, secrets: Iterable[str]) -> scrub.Filter:
    """The filter of a run, with the policy's own patterns."""
    return scrub.make(rules, secrets, [compiled(pattern) for pattern in rules.patterns], literals())


@cache
def literals() -> scrub.Literals | None:
    """What finds the filter's literals in one pass, where RE2 is there: some thirty times as fast as one by one."""
    try:
        re2 = cast("Any", import_module("re2"))  # it has no types
    except ImportError:
        return None
    options = re2.Options()
    options.log_errors = False
    written, lower = scrub.LITERALS
    every = (*written, *lower)
    wanted = re2.Set.SearchSet(options)
    for number, each in enumerate(every):
        wanted.Add(("" if number < len(written) else "(?i)") + re2.escape(each))
    wanted.Compile()

    def find(text: str) -> frozenset[str]:
        found = cast("list[int] | None", wanted.Match(text.encode(errors="replace")))
        return frozenset(every[number] for number in found or ())

    return find
