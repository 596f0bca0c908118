"""Opening the box of a task's programs: what of the policy this machine can keep, and what may not lie in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agentctl.core import outside
from agentctl.core.policy import Sandbox
from agentctl.errors import Invalid, SandboxMissing
from agentctl.tools.sandbox.box import UNBOXED, Box
from agentctl.tools.sandbox.probe import Found, probe

NO_LIST = "only bubblewrap can hold programs to a list"


def open_box(
    rules: Sandbox,
    folder: Path,
    fixed: tuple[Path, ...] = (),
    hidden: tuple[Path, ...] = (),
    *,
    found: Found | None = None,
) -> Box:
    """The box of a task's programs; `found` is what this machine can do, else it is tried.

    Raises:
        SandboxMissing: required, and there is none. Invalid: what may be written holds what nobody may write.
    """
    folder = folder.resolve()
    if rules.mode == "off":
        return Box(UNBOXED, folder)
    found = found or probe()
    if found.backend == "none":
        if rules.mode == "required":
            raise SandboxMissing(f"the policy requires a sandbox and there is none here: {found.said}", hint=found.fix)
        return Box(found, folder)
    writes = tuple(dict.fromkeys((folder / each).resolve() for each in rules.write))
    hidden = tuple(sorted({each.resolve() for each in hidden}))
    for path in (folder, *writes):
        _check(path, hidden, found)
    inside = tuple(dict.fromkeys(file.resolve() for file in fixed))
    hosts = () if isinstance(rules.network, bool) else tuple(map(outside.read, rules.network))
    if hosts and found.backend != "bubblewrap":
        if rules.mode == "required":
            raise SandboxMissing(f"the policy's list of hosts: {NO_LIST}", hint=found.fix)
        found = replace(found, said=f"{found.said}; {NO_LIST}: programs reach no network")
    inside_of = tuple(path for path in writes if path.is_dir())
    return Box(found, folder, inside_of, rules.network is True, hosts, inside, hidden)


def told(box: Box) -> str:
    """What a person should know of the box at every start; empty where it is all that it can be."""
    if box.found.backend == "bubblewrap" or box.found is UNBOXED:
        return ""
    if box.found.backend == "landlock":
        return f"sandbox: {box.found.said} ({box.found.fix} for a stronger one)"
    return f"sandbox: none, programs run without one: {box.found.said} ({box.found.fix})"


def _check(path: Path, hidden: tuple[Path, ...], found: Found) -> None:
    home = Path.home().resolve()
    if path == Path("/") or home.is_relative_to(path):
        raise Invalid(
            f"{path}: a sandbox does not open a whole home folder to programs",
            hint='Put the task in a folder of its own, narrow [sandbox] write, or say [sandbox] mode = "off".',
        )
    for each in hidden:
        if path.is_relative_to(each) or (found.backend == "landlock" and each.is_relative_to(path)):
            raise Invalid(
                f"{path}: agentctl's own {each} lies there, and no program may see it",
                hint="Move the task, or AGENTCTL_HOME and AGENTCTL_STORE.",
            )
