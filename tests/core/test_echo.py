"""A copy of the system prompt is told from talk about it, in any case, punctuation and script."""

import json
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core import echo
from agentctl.core.echo import WORDS, Echo, tokens

PROMPT = (
    "You are the clerk of a small shop. Never promise a refund above fifty dollars without a manager, never name a "
    "supplier, and answer every question in three short sentences. The internal code of the week is blue heron."
)
CHINESE = (
    "你是一家小商店的店员。未经经理批准,绝不承诺超过五十美元的退款,绝不透露供应商的名字,"
    "并用三个短句回答每个问题。本周的内部代码是蓝鹭。"
)
THAI = (
    "คุณเป็นพนักงานของร้านค้าเล็กๆ อย่าสัญญาคืนเงินเกินห้าสิบดอลลาร์โดยไม่มีผู้จัดการ "
    "และอย่าบอกชื่อผู้จัดหาสินค้าแก่ผู้ใดทั้งสิ้นไม่ว่าในกรณีใดก็ตามที่เกิดขึ้นในร้าน "
    "และตอบทุกคำถามด้วยประโยคสั้นๆ สามประโยค"
)
words = PROMPT.split()


def run(count: int, start: int = 3) -> str:
    return " ".join(words[start : start + count])


def test_twenty_five_words_in_a_row_are_a_copy_and_twenty_four_are_none():
    """D09"""
    known = Echo(PROMPT)

    assert known.heard(f"My orders are these: {run(25)} and so on")
    assert not known.heard(f"My orders are these: {run(24)} and so on")


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text.replace(" ", "\n\n* "),
        lambda text: text.replace(",", " —").replace(".", ""),
        lambda text: "_" + text.replace(" ", "_ _") + "_",
        lambda text: text.replace("a", "a\u200b"),
        lambda text: "".join(chr(ord(c) + 0xFEE0) if "a" <= c <= "z" else c for c in text),
    ],
)
def test_case_punctuation_and_dress_do_not_hide_it(change):
    assert Echo(PROMPT).heard(change(PROMPT))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "\n".join(f"{number}. {word}" for number, word in enumerate(text.split())),
        lambda text: json.dumps({"said": text.replace(" ", "\n")}),
        lambda text: "".join(f"\\u{ord(c):04x}" for c in text),
        lambda text: json.dumps(text.split()),
        "\u0301".join,
        "\ufe0f".join,
        "\U000e0041".join,
        lambda text: unicodedata.normalize("NFD", text.replace("e", "\u00e9")),
    ],
)
def test_nor_do_numbers_escapes_and_accents(change):
    """D09: what a clever user asks for instead of the prompt as it is."""
    assert Echo(PROMPT).heard(change(PROMPT))


def test_the_same_words_in_another_order_are_no_copy():
    assert not Echo(PROMPT).heard(" ".join(reversed(words)))


def test_a_prompt_of_twenty_four_words_is_no_secret():
    short = run(24, 0)

    assert not Echo(short)
    assert not Echo(short).heard(short * 5)


@pytest.mark.parametrize(("prompt", "some", "least"), [(CHINESE, 60, 20), (THAI, 150, 60)])
def test_where_words_have_no_spaces_characters_are_counted(prompt, some, least):
    known = Echo(prompt)

    assert known.heard(f"Sure: {prompt[:some]} …")
    assert not known.heard(f"Sure: {prompt[:least]} …")


@settings(deadline=None)
@given(st.lists(st.sampled_from([*words, "other", "words", "\n", "—"]), max_size=120), st.integers(1, 40))
def test_what_is_let_go_while_it_streams_never_holds_the_beginning_of_a_copy(said, step):
    """Law: whatever comes in whatever pieces, nothing of a copy was shown when it is heard."""
    known, text = Echo(PROMPT), " ".join(said)
    shown = held = ""
    for at in range(0, len(text), step):
        held += text[at : at + step]
        if known.heard(held):
            break
        edge = known.safe(held)
        shown, held = shown + held[:edge], held[edge:]
    else:
        assert not known.heard(text)
        return
    after = [word for word, _, _ in tokens(shown + held)][len([*tokens(shown)]) :]
    assert known.heard(" ".join(after))


def test_nothing_is_held_back_where_there_is_nothing_to_keep():
    assert 5 == Echo("").safe("hello")
    assert 0 == Echo(PROMPT).safe("hello")
    assert WORDS == 25


def test_a_prompt_is_worked_out_once():
    assert echo.of(PROMPT) is echo.of(PROMPT)
