"""Keys leave the environment of a guarded process, are still known to it, and are gone from what the kernel shows."""

import os
import subprocess
import sys

import pytest

from agentctl import ownkeys

SHOW = """
import os, sys
from agentctl import ownkeys
ownkeys.guard()
ownkeys.withhold(["OWN_KEY", "NOT_SET"])
os.environ["LATER"] = "x"
ownkeys.withhold(["LATER"])
block = open("/proc/self/environ", "rb").read()
print(os.environ.get("OWN_KEY"), ownkeys.get("OWN_KEY"), ownkeys.get("LATER"), sorted(ownkeys.values()))
print(os.environ["WELL"], b"OWN_KEY=\\0" in block, sys.argv[1].encode() in block, b"WELL=known" in block)
print(ownkeys.environment()["OWN_KEY"], "NOT_SET" in ownkeys.environment())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what other kernels show is not known")
def test_a_key_is_taken_out_of_everything_that_children_and_neighbours_see():
    env = {**os.environ, "OWN_KEY": "k1-value", "WELL": "known"}

    made = subprocess.run([sys.executable, "-c", SHOW, "k1-value"], env=env, capture_output=True, text=True, check=True)

    first, second, third = made.stdout.splitlines()
    assert "None k1-value x ['k1-value', 'x']" == first
    assert "known True False True" == second
    assert "k1-value False" == third


def test_a_library_does_not_empty_the_environment_of_its_host(monkeypatch):
    monkeypatch.setenv("OWN_KEY", "k1-value")

    ownkeys.withhold(["OWN_KEY"])

    assert ("k1-value", "k1-value") == (os.environ["OWN_KEY"], ownkeys.get("OWN_KEY"))
