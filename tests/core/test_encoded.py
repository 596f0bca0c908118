"""Secrets under an encoding, far behind the beginning of a text."""

import base64

import pytest

from agentctl.core.guards import scrub
from agentctl.core.guards.scrub import Rules


@pytest.mark.parametrize("encode", [lambda raw: base64.b64encode(raw).decode(), bytes.hex])
def test_they_are_found_at_the_end_of_a_long_log_too(encode):
    """C54: what is no text once decoded uses nothing up."""
    sums = "\n".join(f"{number:032x}{number * 7919:032x}  file{number}.bin" for number in range(2_000))
    secret = encode(b"password=k7x9z2q4m1w8")

    assert f"{sums}\ndata [REDACTED] end" == scrub.make(Rules(), ()).text(f"{sums}\ndata {secret} end")
