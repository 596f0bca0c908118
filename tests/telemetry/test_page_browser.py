"""The page of a run in a real browser: silent, searched, opened, printed, and never what a run wants it to be."""

import pytest

from agentctl.core import events as e
from tests.browser import chromium, watched
from tests.core.test_timeline import asked, completed, failed, finished, replied, started, tool_started
from tests.core.test_timeline import stamped as in_order
from tests.telemetry.test_page import ALL, hostile_events, made

assert chromium

pytestmark = [pytest.mark.needs("chromium")]

PAPER = {"width": 1100, "height": 900}
SHOWN = "li.row:not([hidden])"
TEXT_ALONE = "document.querySelectorAll('script').length + document.images.length + (window.hurt ? 1 : 0)"


def events():
    found = [started(goal="find the parcel")]
    for number in range(4):
        found += [
            asked(),
            replied(100, 1_000),
            tool_started(f"c{number}"),
            finished(f"c{number}", result={"n": number}),
        ]
    needle = {"data": "lorem ipsum " * 300 + "NEEDLE in it " + "dolor " * 900}
    found += [tool_started("c8"), finished("c8", result=needle), asked(), failed()]
    found += [e.ApprovalRequested("c9", "send_refund", "high", "rule", "d", {"amount": 5})]
    found += [e.ApprovalDecided("c9", "deny", "ada", 12.0, "ask first", "d")]
    return in_order(*found, completed("stopped", "denied", 13))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    for name, recorded in (("run", events()), ("hostile", hostile_events()), ("empty", [])):
        (folder / f"{name}.html").write_text(made(recorded))
    return lambda name: (folder / f"{name}.html").as_uri()


@pytest.fixture
def opened(chromium, written):
    with watched(chromium, viewport=PAPER, color_scheme="light") as (page, seen):
        page.goto(written("run"))
        yield page
        assert [written("run")] == seen.requests
        assert [] == seen.complaints


def rows(page):
    return page.locator(SHOWN).count()


def searched(page, words):
    page.keyboard.press("/")
    page.keyboard.type(words)
    page.wait_for_function("words => document.getElementById('count').textContent !== '' || !words", arg=words)
    page.wait_for_timeout(150)


def test_a_search_finds_what_lies_folded_opens_it_and_marks_it(opened):
    whole = rows(opened)
    searched(opened, "needle")

    assert (1, f"1 of {whole} rows") == (rows(opened), opened.inner_text("#count"))
    assert opened.locator(f"{SHOWN} details.long[open]").count()
    assert 1 <= opened.evaluate("CSS.highlights.get('found').size")
    opened.keyboard.press("Escape")
    assert (whole, "", 0) == (rows(opened), opened.inner_text("#count"), opened.locator("details.long[open]").count())


def test_a_search_for_what_nobody_said_says_so(opened):
    searched(opened, "no such words")

    assert (0, True) == (rows(opened), opened.is_visible(".nothing"))


def test_rows_are_opened_and_shown_by_keys_and_buttons(opened):
    open_rows = f"{SHOWN} > details[open]"
    opened.keyboard.press("c")
    assert 0 == opened.locator(open_rows).count()
    opened.keyboard.press("j")
    opened.keyboard.press("Enter")
    assert ["llm.completion"] == opened.locator(f"{open_rows} .name").all_inner_texts()
    opened.keyboard.press("e")
    assert rows(opened) == opened.locator(open_rows).count()
    opened.keyboard.press("n")
    assert "failed" == opened.evaluate("document.activeElement.closest('li').dataset.word")
    opened.click("text=people")
    assert ["approval.send_refund"] == opened.locator(f"{SHOWN} .name").all_inner_texts()
    assert "true" == opened.get_attribute("[data-show=person]", "aria-pressed")


def test_a_link_at_the_top_opens_its_row(opened):
    opened.keyboard.press("c")
    opened.click("nav.trouble a")

    assert ["llm.completion"] == opened.locator("li.row:target > details[open] .name").all_inner_texts()


def test_light_and_dark_are_what_the_system_says_or_what_somebody_chose(chromium, written):
    def ground(page):
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    with watched(chromium, color_scheme="dark") as (page, _):
        page.goto(written("run"))
        assert "rgb(16, 18, 22)" == ground(page)
        page.keyboard.press("t")
        assert ("rgb(255, 255, 255)", "theme: light") == (ground(page), page.inner_text("#theme"))
        page.keyboard.press("t")
        page.keyboard.press("t")
        assert ("rgb(16, 18, 22)", "theme: system") == (ground(page), page.inner_text("#theme"))


def test_words_can_be_told_from_their_ground(chromium, written):
    """A ratio of 4.5 and more, as WCAG asks for."""
    for scheme in ("light", "dark"):
        with watched(chromium, color_scheme=scheme) as (page, _):
            page.goto(written("run"))
            colours = page.evaluate(
                "names => names.map((name) => getComputedStyle(document.body).getPropertyValue(name).trim())",
                ["--ground", "--card", "--ink", "--quiet", "--accent", "--ok", "--failed", "--warning", "--open"],
            )
        for ground in colours[:2]:
            assert [] == [colour for colour in colours[2:] if contrast(ground, colour) < 4.5]


def contrast(one, other):
    def light(colour):
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_a_phone_needs_no_sideways_scrolling(chromium, written):
    with watched(chromium, viewport={"width": 360, "height": 740}) as (page, _):
        page.goto(written("run"))

        assert 360 >= page.evaluate("document.documentElement.scrollWidth")


def test_on_paper_there_are_no_controls_and_what_matters_is_open(chromium, written, tmp_path):
    with watched(chromium, viewport=PAPER) as (page, _):
        page.goto(written("run"))
        page.keyboard.press("c")
        page.emulate_media(media="print")
        assert not page.is_visible(".bar")
        assert page.evaluate(
            "[...document.querySelectorAll('li.row')].filter((row) =>"
            " row.querySelector('.body').checkVisibility({contentVisibilityAuto: true})).map((row) => row.dataset.word)"
        ) == ["failed", "warning"]
        page.pdf(path=tmp_path / "page.pdf")

    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF-")


def test_without_scripts_it_is_all_there(chromium, written):
    with watched(chromium, java_script_enabled=False) as (page, seen):
        page.goto(written("run"))
        assert not page.is_visible(".bar")
        page.locator("li.row summary").first.click()
        assert page.locator("li.row details[open] .body").first.is_visible()
    assert [] == seen.complaints


def test_whatever_a_run_says_is_text_to_the_browser_too(chromium, written):
    with watched(chromium) as (page, seen):
        page.goto(written("hostile"))
        page.keyboard.press("e")
        assert 1 == page.evaluate(TEXT_ALONE)
        assert ALL.split("\n")[0] in page.inner_text("body")
        searched(page, "<img src")
        assert 1 <= rows(page)
        assert "\u202e" not in page.content()
        assert page.is_visible("footer")
    assert [[], []] == [seen.over_the_network, seen.complaints]


def test_a_script_that_came_in_all_the_same_would_not_run(chromium, written, tmp_path):
    """The policy of the page holds by itself."""
    page_of = made(hostile_events())
    evil = "<script>window.hurt=1</script><img src='http://192.0.2.1/x' onerror='window.hurt=1'><p style='color:red'>"
    (tmp_path / "evil.html").write_text(page_of.replace("<main>", f"<main>{evil}", 1))
    with watched(chromium) as (page, seen):
        page.goto((tmp_path / "evil.html").as_uri())
        hurt = page.evaluate("window.hurt === undefined")

    assert hurt
    assert 3 <= len(seen.complaints)
    assert all("Content Security Policy" in said for said in seen.complaints)


def test_a_run_without_a_row_is_a_page_too(chromium, written):
    with watched(chromium) as (page, seen):
        page.goto(written("empty"))
        assert "Nothing is recorded yet." in page.inner_text("main")
    assert [] == seen.complaints
