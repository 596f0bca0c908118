"""The page of drills: nothing of it comes from elsewhere, no word of a drill becomes a part of it, and it draws."""

import base64
import hashlib
import re

import pytest

from agentctl.approvals.printable import printable
from agentctl.telemetry.drillpage import Card, Mark, Page, Phase, Row, render
from agentctl.telemetry.drillpage.picture import LEFT, MOST, RIGHT, drawn
from tests.browser import chromium, watched
from tests.telemetry.test_page import ALL, Read

assert chromium


def card(number=0, **changes):
    marks = (
        Mark(0.0, "anthropic", "failed", "503 status, after 0.00s"),
        Mark(2.0, "openai", "ok", "200, after 2.00s"),
        Mark(600.0, "tool:find", "warning", "no answer, after 10m 00s"),
    )
    said = {
        "name": f"drill-{number}",
        "word": "ok",
        "result": "held",
        "naive": "FAILED",
        "injected": "a provider that is down",
        "observed": "90 clients, 0 failed",
        "fix": "",
        "command": "",
        "cost_usd": 0.0873,
        "duration_s": 2.8,
        "played_s": 1_200.0,
        "drawn_s": 1_200.0,
        "lanes": ("anthropic", "openai", "tool:find"),
        "marks": marks,
        "phases": (Phase("anthropic", 5.0, 605.0),),
        "spent": ((2.0, 0.01), (600.0, 0.0873)),
    }
    return Card(**{**said, **changes})


def skipped():
    return card(9, word="note", result="does not apply", marks=(), lanes=(), phases=(), spent=())


def page(*cards, word="ok", rows=()):
    return Page("order-triage under standard", "14 of 15 held", word, cards or (card(), skipped()), rows, 1.8e9)


def hostile():
    one = card(1, name=ALL, word="failed", result=ALL, naive=ALL, injected=ALL, observed=ALL, fix=ALL, command=ALL)
    marks = (Mark(1.0, ALL, "failed", ALL),)
    return page(card(2), Card(**{**fields(one), "marks": marks, "lanes": (ALL,)}), rows=(Row(ALL, ALL, ALL, ALL, ALL),))


def fields(one):
    return {name: getattr(one, name) for name in Card.__slots__}


def made(of):
    return render(of, printable)


@pytest.mark.parametrize(
    "of", [page(), hostile(), page(*(card(n) for n in range(40)))], ids=["plain", "hostile", "many"]
)
def test_it_is_whole_and_asks_nobody_for_anything(of):
    text = made(of)
    read = Read(text)
    policy = next(each["content"] for each in read.of("meta") if each.get("http-equiv"))
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    assert ([], []) == (read.wrong, read.open)
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" == policy
    assert not {"script", "img", "iframe", "link", "object"} & {tag for tag, _ in read.tags}
    assert not [name for _, attrs in read.tags for name in attrs if name.startswith("on") or name in {"src", "style"}]
    assert all(attrs["href"].startswith("#") for attrs in read.of("a"))


def test_each_drill_has_its_tile_its_row_and_its_words():
    read = Read(made(page(rows=(Row("outage tolerance", "12 %", "100 %", "+88 points", "median of 3"),))))
    words = [text for texts in read.texts.values() for text in texts]

    assert 2 == len([each for each in read.of("rect") if "tile" in each["class"]])
    assert {"#drill-1", "#drill-2"} <= {each["href"] for each in read.of("a")}
    for each in (
        "held",
        "does not apply",
        "FAILED",
        "90 clients, 0 failed",
        "$0.0873",
        "outage tolerance",
        "+88 points",
    ):
        assert each in words, each


def test_a_picture_has_a_lane_for_each_provider_and_tool_and_tells_it_in_words():
    it = drawn(card())

    assert ["anthropic", "openai", "tool:find"] == [each.text for each in it.lanes]
    assert {"failed", "ok", "warning"} == {each.word for each in it.dots}
    assert (RIGHT - LEFT) / 2 == pytest.approx(it.bars[0].width, abs=0.2)
    assert "circuit open from 5.00s until 10m 05s" == it.bars[0].text
    assert ["0.00s", "20m 00s"] == [it.ticks[0].text, it.ticks[-1].text]
    assert (
        it.told == "anthropic: 1, 1 of them not well; openai: 1; tool:find: 1, 1 of them not well. $0.0873 in 20m 00s"
    )
    assert it.curve.startswith(f"M{LEFT}")


def test_what_has_nothing_to_show_has_no_picture_and_what_is_crowded_is_thinned():
    crowd = tuple(Mark(float(n), "anthropic", "ok", "200") for n in range(5_000))

    assert drawn(skipped()) is None
    assert MOST >= len(drawn(card(marks=crowd, lanes=("anthropic",))).dots) > MOST / 2
    assert drawn(card(marks=crowd[:1], lanes=("anthropic",), drawn_s=0.0, spent=())).curve == ""


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1_100])
def test_a_browser_shows_it_in_silence(chromium, tmp_path, scheme, width):
    for name, of in (("plain", page()), ("hostile", hostile())):
        file = tmp_path / f"{name}.html"
        file.write_text(made(of))
        with watched(chromium, viewport={"width": width, "height": 800}, color_scheme=scheme) as (shown, seen):
            shown.goto(file.as_uri())

            assert shown.evaluate("document.documentElement.scrollWidth") <= width
            assert "rgb(255, 255, 255)" == shown.evaluate("getComputedStyle(document.body).backgroundColor") or (
                scheme == "dark"
            )
            assert 0 == shown.evaluate("document.scripts.length + document.images.length + (window.hurt ? 1 : 0)")
            shown.emulate_media(media="print", color_scheme="light")  # as a browser prints
            assert "rgb(0, 0, 0)" == shown.evaluate("getComputedStyle(document.body).color")
        assert [file.as_uri()] == seen.requests
        assert [] == seen.complaints
