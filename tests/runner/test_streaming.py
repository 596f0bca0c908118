"""What is on the screen while a reply streams in is never a secret, and never a copy of the system prompt."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.core.echo import Echo, tokens
from agentctl.core.guards import scrub
from agentctl.core.messages import Delta
from agentctl.runner.streaming import Stream

PROMPT = " ".join(f"word{number}" for number in range(40))
masks = scrub.make(scrub.Rules(), ())


def shown(pieces, prompt="", before="", kind="text"):
    said: list[Delta] = []
    stream = Stream(masks, said.append, Echo(prompt), before)
    for piece in pieces:
        stream.take(piece if isinstance(piece, Delta) else Delta(kind, piece))
    stream.end()
    return said


def text(said, kind="text"):
    return "".join(delta.text for delta in said if delta.kind == kind)


def split(whole, size):
    return [whole[at : at + size] for at in range(0, len(whole), size)]


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(1, 50))
def test_what_is_no_secret_arrives_whole_and_in_order(words, size):
    assert masks.text(words) == text(shown(split(words, size))) or masks.text(words) != words


@settings(deadline=None)
@given(st.integers(0, 30), st.integers(1, 400), st.sampled_from([" ", "\n", "\n\n* "]))
def test_of_a_copy_nothing_is_shown_whatever_the_pieces(lead, size, between):
    """D09"""
    whole = "ok\n" * lead + PROMPT.replace(" ", between) + "\nmore"
    said = text(shown(split(whole, size), PROMPT))

    assert "word" not in said
    assert "more" not in said


@settings(deadline=None)
@given(st.integers(1, 60))
def test_less_than_a_copy_is_shown_in_the_end(size):
    whole = "My orders: " + " ".join(PROMPT.split()[:24])

    assert whole == text(shown(split(whole, size), PROMPT))


def test_the_last_words_wait_while_more_may_come():
    said: list[Delta] = []
    stream = Stream(masks, said.append, Echo(PROMPT))
    stream.take(Delta("text", "\n".join(f"a{number}" for number in range(100)) + "\n"))

    assert 25 <= 100 - len([*tokens(text(said))]) <= 27


def test_an_answer_that_goes_on_remembers_what_was_shown_before():
    first, second = " ".join(PROMPT.split()[:15]), " " + " ".join(PROMPT.split()[15:])

    assert "" == text(shown([second], PROMPT, before=first))


def test_a_thought_is_withheld_alone():
    pieces = [Delta("thinking", PROMPT), Delta("thinking", " more"), Delta("text", "The answer.")]

    assert [Delta("text", "The answer.")] == shown(pieces, PROMPT)


@pytest.mark.parametrize("prompt", ["", "Too short to be a secret."])
def test_without_a_prompt_to_keep_lines_are_shown_as_they_end(prompt):
    said: list[Delta] = []
    stream = Stream(masks, said.append, Echo(prompt))
    stream.take(Delta("text", "one\ntw"))

    assert "one\n" == text(said)
