"""The profile for bubblewrap: an empty world, and what is laid into it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from agentctl.records import dataclass

ALWAYS = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
    *("--cap-drop", "ALL", "--new-session", "--die-with-parent", "--clearenv"),
)
"""A root bubblewrap that keeps capabilities remounts `/`; without a session of its own a program types into ours."""
LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
ETC = (
    *(
        "passwd",
        "group",
        "hosts",
        "localtime",
        "resolv.conf",
        "nsswitch.conf",
        "ld.so.cache",
        "ld.so.conf",
        "ld.so.conf.d",
        "ld.so.preload",
    ),
    *("ssl/certs", "ssl/openssl.cnf", "pki/tls/certs", "pki/ca-trust", "ca-certificates", "alternatives"),
)
"""Not `ssl` as a whole: its `private` is readable to root."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What one call sees and may write. Whatever is not there is left out."""

    folder: Path
    reads: tuple[Path, ...]
    writes: tuple[Path, ...]
    fixed: tuple[Path, ...]
    """Below what is written, and not to be."""
    hidden: tuple[Path, ...]
    network: bool
    private: Path | None = None
    """What is /tmp; None: an empty one."""
    laid: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Files of ours, by where they are seen."""
    filter_at: int = -1
    """A descriptor with the filter of system calls; -1: there is none for this machine."""


def system_paths() -> tuple[Path, ...]:
    """What every program may read of the system."""
    links = tuple(Path(each) for each in LINKS)
    return (Path("/usr"), *(each for each in links if each.exists()), *_etc())


def arguments(profile: Profile, env: Mapping[str, str]) -> list[str]:
    """For `bwrap --args`, without the command."""
    found = [*ALWAYS, *(() if profile.network else ("--unshare-net",)), *_system()]
    found += ["--proc", "/proc", "--dev", "/dev"]
    if os.geteuid() == 0:  # to /proc/sys whoever is root outside is root, with no capability left
        found += ["--remount-ro", "/proc"]
    tmp = "/tmp"  # noqa: S108  # the box's own
    found += ["--bind", str(profile.private), tmp] if profile.private else ["--tmpfs", tmp]
    if (home := Path(env.get("HOME", "/"))).is_absolute() and len(home.parts) > 1:
        found += ["--tmpfs", str(home)]  # an empty one that is gone afterwards
    found += _trees(profile)
    for where, path in profile.laid.items():
        found += ["--ro-bind", str(path), where]
    if profile.filter_at >= 0:
        found += ["--seccomp", str(profile.filter_at)]
    found += ["--remount-ro", "/", "--chdir", str(profile.folder)]
    for name, value in env.items():
        found += ["--setenv", name, value]
    return found


def _system() -> list[str]:
    found = ["--ro-bind", "/usr", "/usr"]
    for link in map(Path, LINKS):
        if link.is_symlink():
            found += ["--symlink", str(link.readlink()), str(link)]
        elif link.is_dir():
            found += ["--ro-bind", str(link), str(link)]
    for path in _etc():
        found += ["--ro-bind", str(path.resolve()), str(path)]
    return found


def _trees(profile: Profile) -> list[str]:
    """What is read, what is written, and what lies in there and is neither."""
    found: list[str] = []
    trees = dict.fromkeys(profile.reads, "--ro-bind") | dict.fromkeys(profile.writes, "--bind")
    for path in sorted(trees):  # what lies within another comes after it
        found += [trees[path], str(path), str(path)]
    for path in profile.fixed:
        if path.exists() and any(path.is_relative_to(root) for root in profile.writes):
            found += ["--ro-bind", str(path), str(path)]
    for path in profile.hidden:
        if path.exists() and any(path.is_relative_to(root) for root in trees):
            found += ["--tmpfs", str(path)] if path.is_dir() else ["--ro-bind", "/dev/null", str(path)]
    return found


def _etc() -> tuple[Path, ...]:
    return tuple(path for each in ETC if (path := Path("/etc", each)).exists())
