"""Masks that an editor leaves alone are the secrets again; a mask that was moved is nobody knows what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.approvals.masks import Moved, restored

MASK = "[REDACTED]"
ORIGINAL = {"to": "ann", "token": "hush", "rows": [{"pin": 1234}, "Bearer hush"], "hush": 1}
SHOWN = {"to": "ann", "token": MASK, "rows": [{"pin": MASK}, f"Bearer {MASK}"], MASK: 1}


@pytest.mark.parametrize(
    ("edited", "made"),
    [
        (SHOWN, ORIGINAL),
        (SHOWN | {"to": "bob"}, ORIGINAL | {"to": "bob"}),
        (SHOWN | {"token": "new"}, ORIGINAL | {"token": "new"}),
        ({"token": MASK}, {"token": "hush"}),
        (SHOWN | {"rows": [{"pin": MASK}]}, ORIGINAL | {"rows": [{"pin": 1234}]}),
        (SHOWN | {"rows": [{"pin": MASK, "x": 1}, "y", 2]}, ORIGINAL | {"rows": [{"pin": 1234, "x": 1}, "y", 2]}),
        ({}, {}),
    ],
)
def test_what_was_left_alone_is_what_it_was(edited, made):
    assert made == restored(edited, SHOWN, ORIGINAL, MASK)


@pytest.mark.parametrize(
    "edited",
    [
        {"to": MASK},
        {"to": f"x{MASK}"},
        {"cc": MASK},
        {"rows": [f"Bearer {MASK}"]},
        {"rows": [{"pin": MASK}, f"Basic {MASK}"]},
        {f"{MASK}2": 1},
        {"deep": {"token": [MASK]}},
    ],
)
def test_a_mask_that_was_moved_is_refused(edited):
    with pytest.raises(Moved, match="can be left as it is or replaced"):
        restored(edited, SHOWN, ORIGINAL, MASK)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.dictionaries(st.text(max_size=5), values, max_size=3), st.dictionaries(st.text(max_size=5), values, max_size=3)
)
def test_without_secrets_an_edit_is_what_was_typed(edited, original):
    assert edited == restored(edited, original, original, MASK)
