"""What this machine has to confine programs with, tried, and what would mend it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.tools.sandbox import launch, mending
from agentctl.tools.sandbox.probe import probe

ROOT = Path(__file__).parents[3]
LACKING = Path(__file__).with_name("lacking.py")
LOOK = (
    "from agentctl.tools.sandbox.probe import probe, fallback; it = probe(); print(it.backend, it.fix, fallback()[0])"
)


def machine(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"proc/sys/kernel/unprivileged_userns_clone": "0\n"}, "sysctl -w kernel.unprivileged_userns_clone=1"),
        ({"proc/sys/user/max_user_namespaces": "0\n"}, "sysctl -w user.max_user_namespaces=15000"),
        ({"proc/sys/kernel/apparmor_restrict_unprivileged_userns": "1\n"}, "/etc/apparmor.d/bwrap"),
        ({".dockerenv": ""}, "--security-opt seccomp=unconfined"),
        ({"run/.containerenv": ""}, "--security-opt seccomp=unconfined"),
        ({"proc/self/status": "Name:\tx\nSeccomp:\t2\n"}, "--security-opt seccomp=unconfined"),
        ({}, "agentctl help sandbox"),
    ],
)
def test_the_fix_is_the_one_for_what_is_in_the_way(tmp_path, files, said):
    found = mending.allow(machine(tmp_path, files))

    assert said in found
    assert "\n" not in found


@pytest.mark.parametrize(
    ("there", "said"), [("apt-get", "apt install"), ("dnf", "dnf install"), ("apk", "apk add"), ("", "dnf install")]
)
def test_bubblewrap_is_installed_with_what_this_machine_has(tmp_path, monkeypatch, there, said):
    if there:
        (tmp_path / there).write_text("#!/bin/sh\n")
        (tmp_path / there).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert f"{said} bubblewrap" in mending.install()


@pytest.mark.parametrize(
    ("lacks", "backend"), [("nothing", "bubblewrap"), ("namespaces", "landlock"), ("landlock,namespaces", "none")]
)
def test_what_the_kernel_refuses_is_found_out_by_trying(lacks, backend):
    if lacks == "nothing" and probe().backend != "bubblewrap":
        pytest.skip("needs bubblewrap")
    if backend == "landlock" and not launch.supported():
        pytest.skip("needs Landlock")
    command = [sys.executable, str(LACKING), lacks, sys.executable, "-c", LOOK]
    said = subprocess.run(command, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, check=True,
                          capture_output=True, text=True).stdout  # fmt: skip

    assert said.startswith(backend)
    assert said.strip().endswith(str("landlock" not in lacks and launch.supported()))
    fix = "" if backend == "bubblewrap" else "seccomp=unconfined" if shutil.which("bwrap") else "bubblewrap"
    assert fix in said
