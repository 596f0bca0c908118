"""The targets of scrubbing, measured: how much is found, how much is blackened, whatever shape it comes in."""

import json
import sys
from collections import Counter
from dataclasses import replace

import pytest

from agentctl.config import masking
from agentctl.core.echo import Echo
from agentctl.core.guards import scrub
from agentctl.core.guards.scrub import FAILED, Literals, Rules
from agentctl.core.messages import Delta
from agentctl.runner.streaming import Stream
from tests.core.secret_corpus import Case, look_alikes, secrets
from tests.core.wild_alikes import wild_look_alikes
from tests.core.wild_secrets import wild_secrets

CASES = [*secrets(), *wild_secrets()]
ALIKE = [*look_alikes(), *wild_look_alikes()]


def mask(value: object, literals: Literals | None = None) -> str:
    """As a run with nothing known would write it."""
    made = scrub.make(Rules(), (), (), literals)
    masked = made.text(value) if isinstance(value, str) else made.data(value)
    return masked if isinstance(masked, str) else json.dumps(masked, ensure_ascii=False)


def found(case: Case) -> bool:
    """Whether no eight letters of the secret in a row are left, and the filter did not just give up."""
    masked = mask(case.text)
    pieces = (case.secret[at : at + 8] for at in range(max(1, len(case.secret) - 7)))
    return FAILED not in masked and not any(piece in masked for piece in pieces)


def test_every_secret_is_in_its_text_before():
    """Or it would count as found for nothing."""
    given = [(case.text if isinstance(case.text, str) else json.dumps(case.text), case) for case in CASES]

    assert [] == [case.kind for text, case in given if case.secret not in text and "pem" not in case.kind]


def recall(cases: list[Case]) -> float:
    missed = Counter(case.kind for case in cases if not found(case))
    sys.stdout.write(f"recall {1 - missed.total() / len(cases):.1%} of {len(cases)}; missed: {dict(missed)}" + "\n")
    return 1 - missed.total() / len(cases)


def test_the_corpora_are_large_enough_to_say_something():
    assert len(CASES) >= 500
    assert len(ALIKE) >= 350


@pytest.mark.parametrize(("difficulty", "least"), [("easy", 0.99), ("hard", 0.80), ("arguments", 1.0), ("wild", 0.97)])
def test_secrets_are_found_as_often_as_promised(difficulty, least):
    """C47, C54, A41"""
    assert recall([case for case in CASES if case.difficulty == difficulty]) >= least


def test_secrets_of_all_kinds_are_found():
    """All of the corpus, nothing left out."""
    assert recall(CASES) >= 0.97


@pytest.mark.parametrize(
    "printed",
    [
        lambda text: "12:00 INFO body=" + json.dumps({"msg": text}) + " end",
        lambda text: "x " + json.dumps({"a": json.dumps({"msg": text})}),
        lambda text: f"12:00 DEBUG { {'msg': text} }",
        lambda text: f"\x1b[32m{text}\x1b[0m",
        lambda text: "\n".join(f"+{line}" for line in text.split("\n")),
        lambda text: "\n".join(f"web-1  | {line}" for line in text.split("\n")),
    ],
    ids=["JSON in a line", "JSON in JSON in a line", "repr", "coloured", "diff", "several programs"],
)
def test_secrets_are_found_however_their_text_is_printed(printed):
    """C54: the same promises in a log of a log; what is encoded besides is left out."""
    cases = [case for case in CASES if isinstance(case.text, str) and case.difficulty != "hard"]
    alike = [printed(text) for text in ALIKE]

    assert recall([replace(case, text=printed(str(case.text))) for case in cases]) >= 0.97
    assert sum(mask(text) != text for text in alike) / len(alike) <= 0.02


def test_what_only_looks_like_a_secret_stays_readable():
    hit = [text for text in ALIKE if mask(text) != text]
    sys.stdout.write(f"false positives {len(hit) / len(ALIKE):.1%} of {len(ALIKE)}: {sorted(set(hit))[:20]}" + "\n")

    assert len(hit) / len(ALIKE) <= 0.02


def test_a_faster_engine_finds_the_same():
    """With RE2 the literals are looked for in one pass."""
    texts = [*(case.text for case in CASES), *ALIKE, "\ud800 password=k7x9z2k4m1 ghp_é", "no secret", ""]

    assert [mask(text) for text in texts] == [mask(text, masking.literals()) for text in texts]


def test_json_stays_json():
    texts = [case.text if isinstance(case.text, str) else json.dumps(case.text) for case in CASES]
    for text in texts:
        json.loads(mask(json.dumps({"log": text})))
        made = scrub.make(Rules(), ()).data(json.dumps({"log": text}))
        assert isinstance(made, str)
        assert json.loads(made).keys() == {"log"}


def test_masking_twice_is_masking_once():
    made = scrub.make(Rules(), ())
    once = [made.data(case.text) for case in CASES]

    assert once == [made.data(each) for each in once]


@pytest.mark.parametrize("size", [1, 7, 60])
def test_streamed_secrets_are_found_as_whole_ones_are(size):
    every = 5 if size == 1 else 1  # each letter is looked at with all that is held back
    texts = [case for case in CASES[::every] if isinstance(case.text, str) and found(case)]
    hidden = 0
    for case in texts:
        said: list[Delta] = []
        stream = Stream(scrub.make(Rules(), ()), said.append, Echo(""))
        whole = f"Well then. {'word ' * 130}\n{case.text}\nand so on {'word ' * 130}"
        for at in range(0, len(whole), size):
            stream.take(Delta("text", whole[at : at + size]))
        stream.end()
        hidden += case.secret not in "".join(each.text for each in said)
    sys.stdout.write(f"streamed by {size}: {hidden / len(texts):.1%} of {len(texts)}" + "\n")

    assert hidden / len(texts) >= 0.99
