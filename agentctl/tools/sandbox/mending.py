"""What would give this machine a better sandbox: one line for whoever can change it, told by what is in its way."""

from __future__ import annotations

import shutil
from pathlib import Path

MANAGERS = (
    ("apt-get", "apt install bubblewrap"),
    ("dnf", "dnf install bubblewrap"),
    ("apk", "apk add bubblewrap"),
    ("pacman", "pacman -S bubblewrap"),
    ("zypper", "zypper install bubblewrap"),
)
PROFILE = "profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }"
APPARMOR = f"echo 'abi <abi/4.0>, {PROFILE}' > /etc/apparmor.d/bwrap && apparmor_parser -r /etc/apparmor.d/bwrap"
CONTAINER = "start the container with --security-opt seccomp=unconfined --security-opt systempaths=unconfined"
SWITCHES = (
    ("proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=15000"),
    ("proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", APPARMOR),
)
"""A file, what it holds where it is in the way, and what changes that."""
MARKS = (".dockerenv", "run/.containerenv")


def install() -> str:
    """How bubblewrap comes onto this machine."""
    found = [line for program, line in MANAGERS if shutil.which(program)]
    return f"install bubblewrap: {found[0] if found else ', '.join(line for _, line in MANAGERS[:3])}"


def allow(root: Path = Path("/")) -> str:
    """What keeps the bubblewrap that is there from making a sandbox."""
    found = [line for name, bad, line in SWITCHES if _read(root / name).strip() == bad]
    if any((root / mark).exists() for mark in MARKS) or _is_filtered(root):
        found.append(CONTAINER)
    return "allow user namespaces: " + (", and ".join(found) or "agentctl help sandbox")


def _is_filtered(root: Path) -> bool:
    """Whether somebody put a filter on this process's system calls, as containers do."""
    lines = _read(root / "proc/self/status").splitlines()
    return any(line.split() == ["Seccomp:", "2"] for line in lines)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
