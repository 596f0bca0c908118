"""The page of a run as text: nothing of it comes from elsewhere, and nothing in a run becomes a part of it."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from agentctl.approvals.printable import printable
from agentctl.core import events as e
from agentctl.core.messages import Usage
from agentctl.core.tracepage import Point, page
from agentctl.telemetry.page import chart, render, words
from tests.core.test_timeline import completed, finished, sample, stamped, started, tool_started
from tests.journal.golden import EXPECTED
from tests.play import policy

HOSTILE = (
    "</script><script>alert(1)</script>",
    "<img src=http://192.0.2.1/x onerror=alert(1)>",
    "</pre></details></li></style><style>*{display:none}</style>",
    '" onmouseover="alert(1)',
    "{{ 7 * 7 }}{% raw %}",
    "\u202egnp.exe\u2066 \u200b\U000e0041",
    "a\x00b\x1b[2J\ud800",
    "--><!--<![CDATA[",
)
ALL = "\n".join(HOSTILE)
VOID = {"meta", "input"}


class Read(HTMLParser):
    """Tags with what they hold, and whether each is closed where it should be."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.open, self.texts, self.wrong = [], [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open:
            self.texts.setdefault(self.open[-1], []).append(data)

    def of(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def made(events, under=None):
    return render(page(events, under), printable)


def hostile_events():
    """A run in which everything that may be said by anybody is hostile."""
    call = e.CallProposed("c1", "w", ALL, {ALL: ALL}, "k")
    base = {"task": ALL, "policy": ALL, "user": ALL, "tenant": ALL, "goal": ALL, "system": ALL, "variables": {"v": ALL}}
    return stamped(
        started(**base),
        e.Thought(ALL),
        e.ModelReplied(ALL, ALL, ALL, Usage(10, 5), 9, 9, "end_turn", ALL, (call,), "answer", 9),
        e.ApprovalRequested("c1", ALL, "high", ALL, "d", {ALL: ALL}, change=ALL, untrusted=(ALL,)),
        e.ApprovalDecided("c1", "deny", ALL, 3.0, ALL, "d"),
        tool_started("c1", ALL),
        finished("c1", result={"message": ALL, ALL: ALL}, tool=ALL),
        e.Degraded(ALL, ALL),
        e.Completed("failed", ALL, 1, 0, ALL, ALL),
        run=ALL,
    )


@pytest.mark.parametrize("events", [sample(), stamped(*EXPECTED["1.0.0"]), hostile_events(), []])
def test_it_is_one_page_that_names_nothing_elsewhere(events):
    """E23: exportable, to whoever has a browser."""
    text = made(events, policy())
    read = Read(text)

    assert [] == read.wrong + read.open
    assert [] == read.of("script")[1:] + read.of("link") + read.of("img") + read.of("iframe") + read.of("base")
    reach = ("src", "srcset", "action", "formaction", "data", "poster", "background", "ping", "style")
    assert [] == [attrs for _, attrs in read.tags for name in attrs if name in reach or name.startswith("on")]
    assert [] == [a["href"] for a in read.of("a") if not re.fullmatch(r"#(trace|e\d+)", a["href"])]
    assert [] == [a["fill"] for _, a in read.tags if "fill" in a and not re.fullmatch(r"url\(#hatch-\w+\)", a["fill"])]
    ids = [attrs["id"] for _, attrs in read.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_its_policy_lets_its_own_script_and_style_run_and_nothing_else():
    read = Read(made(hostile_events()))
    (said,) = [attrs["content"] for attrs in read.of("meta") if attrs.get("http-equiv")]
    rules = dict(part.strip().split(" ", 1) for part in said.split(";"))

    def digest(tag):
        (text,) = read.texts[tag]
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    assert rules == {
        "default-src": "'none'",
        "style-src": digest("style"),
        "script-src": digest("script"),
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_whatever_a_run_says_stays_text_and_every_character_of_it_is_visible():
    text = made(hostile_events())
    body = text[text.index("<body>") : text.index("<script>")]

    assert [] == re.findall(r"<(?:script|img|style)", body)
    assert "&lt;img src=http://192.0.2.1/x onerror=alert(1)&gt;" in body
    assert "{{ 7 * 7 }}" in body
    assert [] == [char for char in "\x00\x1b\u202e\u2066\u200b\U000e0041\ud800" if char in text]
    assert r"\u202egnp.exe\u2066" in body
    assert text.encode()


def test_it_is_the_same_text_each_time():
    assert made(sample(), policy()) == made(sample(), policy())


def test_it_says_how_the_run_ended_and_what_it_cost_of_what_it_might():
    """E22"""
    text = " ".join(
        re.sub(r"<style>.*?</style>|<script>.*|<[^>]+>", " ", made(sample(), policy()), flags=re.DOTALL).split()
    )

    for said in (
        "Trace: r_a3f7b2 · order-triage · customer-facing",
        "completed: done",
        "All is well.",
        "cost $0.0246 of $1.50",
        "user ada session s_1 policy customer-facing",
        "exit code 0",
        "tool.get_order_status timeout → retry #1",
        "tool.get_order_status 5,012ms, transient error → circuit open",
        "response.final 2,471 tokens total, $0.0246 total",
        "From $0.0000 to $0.0246 in 13.0s; the limit is $1.5000",
    ):
        assert said in text, said


def test_who_sees_no_colours_and_who_uses_no_script_has_it_all():
    read = Read(made(stamped(*EXPECTED["1.0.0"])))
    rows = [attrs for attrs in read.of("li") if "row" in attrs["class"]]

    assert {"ok", "failed", "warning", "note"} <= {attrs["data-word"] for attrs in rows}
    assert len(read.of("details")) >= len(rows)
    assert all(svg.get("aria-label") or svg.get("aria-hidden") for svg in read.of("svg"))
    assert ["en"] == [attrs["lang"] for attrs in read.of("html")]
    assert ["hidden"] == [
        name for attrs in read.of("div") if attrs.get("role") == "search" for name in attrs if name == "hidden"
    ]
    assert 2 <= len(read.of("tr"))


def test_what_waits_and_what_failed_is_named_at_the_top():
    waiting = e.ApprovalRequested("c1", "send_refund", "high", "rule", "d", {"amount": 5})
    text = made(stamped(started(), waiting, completed("parked", "approval", 12)))
    top = text[: text.index("<main>")]

    assert 'href="#e2">open: approval.send_refund</a>' in top
    assert '<li class="row k-person w-open" id="e2" data-kind="person" data-word="open"><details open>' in text


# --- the chart ---


def points(*moments):
    return [Point(at_s, number, number * 1_000, number * 100) for number, at_s in enumerate(moments)]


def test_a_night_of_waiting_is_a_short_gap_that_says_so():
    drawn = chart._chart(points(0, 10, 20, 40_000, 40_010), [0, 1, 2, 2, 3], None, str, "")
    (pause,) = drawn.pauses

    assert ("11h 06m 20s of waiting", chart.GAP) == (pause.text, pause.width)
    assert ["0", "11h 06m 50s"] == [drawn.across[0].label, drawn.across[-1].label]
    assert chart.RIGHTMOST == pytest.approx(chart._places([0, 10, 20, 40_000, 40_010])[-1])


def test_a_limit_is_drawn_where_it_is_near_and_told_where_it_is_far():
    near = chart._chart(points(0, 1), [0, 1], 2.0, "{:.0f}".format, "one")
    far = chart._chart(points(0, 1), [0, 1], 200.0, "{:.0f}".format, "one")

    assert ("2", None) == (near.limit.label, far.limit)
    assert "one; the limit is 200" == far.told


@pytest.mark.parametrize("moments", [(0, 0, 0), (0, 1e-9), (0, 1e9), (0, 100, 200, 300)])
def test_every_curve_stays_within_its_frame(moments):
    drawn = chart._chart(points(*moments), [0.0] * len(moments), 0.0, str, "")
    numbers = [float(number) for number in re.findall(r"[-\d.]+", drawn.line)]

    assert all(0 <= number <= chart.WIDTH for number in numbers)
    assert chart.LEFT == numbers[0]


def test_one_moment_is_no_curve():
    assert None is chart.money(page(stamped(started())))
    assert None is chart.context(page([]))


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4242, "0.42s"), (12.34, "12.3s"), (62, "1m 02s"), (7_384, "2h 03m 04s"), (273_900, "3d 4h 05m")],
)
def test_spans_are_short(seconds, said):
    assert said == words.span(seconds)
