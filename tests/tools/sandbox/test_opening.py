"""What opening a box refuses before anything runs."""

import pytest

from agentctl.core.policy import Sandbox
from agentctl.errors import Invalid, SandboxMissing
from agentctl.tools.sandbox.box import UNBOXED
from agentctl.tools.sandbox.opening import open_box, told
from agentctl.tools.sandbox.probe import Found
from tests.tools.sandbox.range import laid_out

LANDLOCK = Found("landlock", "", "Landlock is used", "install bubblewrap")
NONE = Found("none", "", "nothing here", "install bubblewrap")


@pytest.fixture
def folder(tmp_path):
    return laid_out(tmp_path)


def test_what_is_less_than_the_best_is_told_at_every_start(folder):
    assert "programs run without one: nothing here" in told(open_box(Sandbox(), folder, found=NONE))
    assert "Landlock is used" in told(open_box(Sandbox(), folder, found=LANDLOCK))
    assert not told(open_box(Sandbox(), folder, found=Found("bubblewrap", "/usr/bin/bwrap", "")))
    assert not told(open_box(Sandbox(mode="off"), folder, found=NONE))


def test_required_and_not_there_is_exit_16_with_the_fix(folder):
    with pytest.raises(SandboxMissing) as caught:
        open_box(Sandbox(mode="required"), folder, found=NONE)

    assert (16, "sandbox", "install bubblewrap") == (caught.value.exit_code, caught.value.code, caught.value.hint)


def test_off_asks_nobody(folder):
    assert UNBOXED is open_box(Sandbox(mode="off"), folder, found=LANDLOCK).found


def test_a_whole_home_is_not_opened(monkeypatch, folder):
    monkeypatch.setenv("HOME", str(folder))

    with pytest.raises(Invalid, match="whole home folder"):
        open_box(Sandbox(), folder, found=LANDLOCK)
