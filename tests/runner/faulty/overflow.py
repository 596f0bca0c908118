"""25 contexts that overflow: a book of many pages, and what is looked for stands on the last one."""

import json
from dataclasses import replace
from string import ascii_lowercase
from typing import Any

from tests.runner.faulty.errands import Case, Errand, Lay
from tests.runner.stage import APIS, Fault, Reply, calls


def pages(turns: int = 9, size: int = 300, *, at_once: int = 1, **rules: Any) -> Lay:
    """A book is read page by page, `size` words each; what is looked for stands on the last page."""

    def lay(errand: Errand) -> None:
        stage = errand.stage
        names = [f"p{n}" for n in range(turns * at_once)]
        for name in names:
            text = " ".join("".join(errand.dice.choices(ascii_lowercase, k=5)) for _ in range(size))
            page = stage.folder / "pages" / name
            page.parent.mkdir(parents=True, exist_ok=True)
            page.write_text(json.dumps(f"{errand.fact}. {text}" if name == names[-1] else text))
        stage.tool(errand.tool, "cat pages/$(sed 's/[^0-9a-z]//g; s/^id//')")
        asked = [names[n : n + at_once] for n in range(0, len(names), at_once)]
        stage.replies = [calls(*((errand.tool, {"id": name}) for name in step), text="Next.") for step in asked]
        stage.replies.append(errand.ends)
        stage.policy(context={"max_tokens": 2_000, "hard_limit_tokens": 3_000, "keep_recent": 4} | rules)
        stage.policy(budget={"max_steps": 60})

    return lay


ROOMY = {"max_tokens": 75_000, "hard_limit_tokens": 90_000, "keep_recent": 2}


def says_too_long(requests: str = "6", kind: str = "context_exceeded", **fault: Any) -> Lay:
    """The policy has room enough; the provider has not."""

    def lay(errand: Errand) -> None:
        pages(**ROOMY)(errand)
        faults = [Fault(kind, requests=one, **fault) for one in requests.split()]  # type: ignore[arg-type]
        errand.stage.faults = faults

    return lay


def small_window(errand: Errand) -> None:
    """The provider refuses what is above its window; nobody has told the policy how large that is."""
    pages(**ROOMY)(errand)
    errand.stage.standin_options["context_tokens"] = 3_200
    errand.stage.refusals_expected = True


def known_window(errand: Errand) -> None:
    """The same, and the policy knows."""
    pages(**ROOMY)(errand)
    errand.stage.standin_options["context_tokens"] = 3_200
    errand.stage.providers[0] |= {"context_tokens": 3_000, "max_output_tokens": 500}


def falls_back(requests: str, *, known: bool) -> Lay:
    """The first provider is gone for good after a while, and the second one's window is smaller."""

    def lay(errand: Errand) -> None:
        pages(**ROOMY)(errand)
        second = {"name": "spare", "api": APIS[(errand.number + 1) % 3], "priority": 2}
        errand.stage.providers.append(second | ({"context_tokens": 2_500, "max_output_tokens": 500} if known else {}))
        errand.stage.faults = [Fault("status", provider="main", requests=f"{requests}-", status=401)]
        if not known:
            errand.stage.faults.append(Fault("context_exceeded", provider="spare", requests="1"))

    return lay


def summarised(*faults: Fault, brief: bool = True, **rules: Any) -> Lay:
    """Older pages become a summary; `faults` befall who makes it."""

    def lay(errand: Errand) -> None:
        pages(strategy="summary", **rules)(errand)
        stage = errand.stage
        stage.faults = list(faults)
        if brief:
            stage.replies = [replace(reply, provider="main") for reply in stage.replies]
            stage.replies.append(Reply(text="- P-17 is looked for.\n- Not on the first pages.", provider="brief"))
            stage.providers.append({"name": "brief", "api": stage.api, "roles": ["summary"], "priority": 9})

    return lay


def one_large_page(errand: Errand) -> None:
    """The last page alone is larger than the window; its head says where the parcel is."""
    pages(turns=3)(errand)
    errand.stage.policy(results={"max_tokens": 800})
    last = errand.stage.folder / "pages" / "p2"
    last.write_text(json.dumps(json.loads(last.read_text()) + " more" * 9_000))


def full_in_the_middle(errand: Errand) -> None:
    """The model itself stops in the middle of its answer: the window is full. Only the Messages API says so."""
    assert errand.stage.api == "messages"
    pages(**ROOMY)(errand)
    whole = errand.stage.replies.pop().text
    errand.stage.replies += [Reply(text=whole[:12], stop="context_exceeded"), Reply(text=whole[12:])]


def budget_warns(errand: Errand) -> None:
    """The run has used three quarters of its tokens: what is old is dropped although it would fit."""
    pages(**ROOMY)(errand)
    assert errand.stage.api == "messages", "no other one bills the whole prompt at every turn"
    errand.stage.policy(tokens={"total": 26_000}, cache={"enabled": False})
    errand.stage.providers[0]["max_output_tokens"] = 500


OVERFLOW = [
    Case("the oldest go", pages()),
    Case("two stay", pages(keep_recent=2)),
    Case("more would stay than there is room for", pages(keep_recent=40)),
    Case("three pages a turn", pages(turns=5, size=200, at_once=3)),
    Case("many small pages", pages(turns=24, size=90)),
    Case("pages of half a window", pages(turns=6, size=600)),
    Case("a deep cut", pages(turns=12, trim_to=0.3)),
    Case("a shallow cut", pages(turns=12, trim_to=0.9)),
    Case("one page larger than the window", one_large_page),
    Case("older pages are summarised", summarised()),
    Case("summarised, two stay", summarised(keep_recent=2)),
    Case("summarised by who answers", summarised(brief=False)),
    Case("the summary fails", summarised(Fault("status", provider="brief", status=529))),
    Case("the summary is too long itself", summarised(Fault("context_exceeded", provider="brief", requests="1"))),
    Case("the provider says so", says_too_long()),
    Case("the provider says so twice", says_too_long("4 8")),
    Case("in words alone", says_too_long(kind="status", status=400, message="prompt is too long: 7 > 5 maximum")),
    Case("by its code", says_too_long(kind="status", status=400, code="context_length_exceeded", message="No.")),
    Case("as a local server says it", says_too_long(kind="status", status=400, code="exceed_context_size_error")),
    Case("the window is small and nobody knew", small_window),
    Case("the answer fills the window", full_in_the_middle),
    Case("the fallback's window is smaller", falls_back("7", known=True)),
    Case("the fallback says too long", falls_back("5", known=False)),
    Case("the budget of tokens warns", budget_warns),
    Case("the window is small and known", known_window),
]
