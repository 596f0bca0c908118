"""`shell`: one command line, run by the user's shell in the task's folder, shut in a sandbox.

Rules. No login, no start-up files. Nothing to read from: stdin is closed, and there is no terminal in its session. Of
the environment only what the policy names, without what would make a shell run more than the command. When it is over,
by itself or not, nothing that it started is left.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from agentctl.core import envelope
from agentctl.core.commands import Command, Part, only_reads
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.messages import JsonObject
from agentctl.core.policy import Sandbox
from agentctl.core.tiers import Tier
from agentctl.records import dataclass
from agentctl.tools.declared import Labels
from agentctl.tools.plain import clean
from agentctl.tools.process import Ended
from agentctl.tools.sandbox.box import Box, run_boxed
from agentctl.tools.sandbox.keeping import words

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation

HEAD = 16_000
TAIL = 8_000
"""Characters of an output that are kept from its beginning and its end."""
SHELLS: dict[str, tuple[str, ...]] = {
    "bash": ("--noprofile", "--norc"),
    "zsh": ("-f",),
    "sh": (),
    "dash": (),
    "ksh": (),
    "mksh": (),
    "ash": (),
}
"""What keeps a shell from its start-up files. Others read a command in another way than it was judged."""
FALLBACKS = ("/bin/bash", "/usr/bin/bash", "/bin/sh")
HAZARDS = frozenset({
    *("BASH_ENV", "ENV", "ZDOTDIR", "SHELLOPTS", "BASHOPTS", "PS4", "IFS", "CDPATH", "GLOBIGNORE", "PROMPT_COMMAND"),
    *("GREP_OPTIONS", "TAR_OPTIONS", "RIPGREP_CONFIG_PATH", "LESSOPEN", "LESSCLOSE"),
    *("GIT_EXTERNAL_DIFF", "GIT_PAGER", "PAGER", "GIT_EXEC_PATH", "GIT_DIR", "GIT_WORK_TREE", "GIT_CONFIG_PARAMETERS"),
})  # fmt: skip
"""Variables that run programs or change what a command means; not passed on even where the policy names them."""
HAZARD_STARTS = ("BASH_FUNC_", "LD_", "DYLD_", "GIT_CONFIG_", "GIT_SSH", "GIT_TRACE")
CAUTIOUS = {
    "safe.bareRepository": "explicit",
    "core.fsmonitor": "false",
    "log.showSignature": "false",
    **dict.fromkeys(("gpg.program", "gpg.ssh.program", "gpg.x509.program"), "false"),
}
"""Git's settings for what runs by itself: files of the folder's own do not become a repository that starts programs."""
FOLLOWS = frozenset({"diff"})
"""Programs that open what links in a folder lead to."""
LOOKED_AT = 20_000
"""Files of a folder in which such links are looked for."""
DENIED = "The shell is denied: there is no sandbox for it here."
UNSEEN = "Programs run in a sandbox, which shows the system's own and the task's folder: none below a home folder."
"""With the exit codes of a shell that found no program, or could not start it."""
WAY_OUT = 'A person can install bubblewrap, or accept the risk with `[sandbox] mode = "off"` in the policy.'


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs a command line, each call in a shell of its own."""

    DESCRIPTION: ClassVar[str] = (
        "Run one command line in the shell, in the task's folder. There is no input and no terminal; the answer is the "
        "exit code and the output. One plain command per call is the least likely to need a person's approval."
    )
    PARAMETERS: ClassVar[JsonObject] = {
        "type": "object",
        "properties": {
            "command": {"type": "string", "minLength": 1, "maxLength": 20_000, "description": "the command line"},
        },
        "required": ["command"],
        "additionalProperties": False,
    }
    BASE_TIER: ClassVar[Tier] = Tier.HIGH
    LABELS: ClassVar[Labels] = Labels(untrusted=True, private=True, egress=True)
    """Without a sandbox that keeps it from the network."""

    contract: Contract
    rules: Sandbox
    box: Box

    async def run(self, call: Invocation) -> Envelope:
        """Run it once."""
        text = call.args.get("command")
        if not isinstance(text, str):
            return envelope.bad_arguments("'command' must be string", "Expected string for 'command'.")
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text):
            return envelope.bad_arguments("'command' holds what no shell can be given", "Leave out NUL and surrogates.")
        if self.rules.mode != "off" and self.box.found.backend == "none":
            return envelope.permanent(f"{DENIED} {self.box.found.said}", code="SANDBOX", hint=WAY_OUT)
        env = environment(self.rules.env, self.box.folder, call)
        if self.contract.command is not None and only_reads(self.contract.command(call.args)):
            env |= _settings(CAUTIOUS)
        try:
            ended = await run_boxed(self.box, (*user_shell(), "-c", text), env, b"", call.timeout_s)
        except (OSError, ValueError) as error:
            return envelope.permanent(f"The shell could not be started: {error}", code="SANDBOX")
        return _result(ended, call.timeout_s, boxed=self.box.found.backend != "none")


def open_shell(contract: Contract, rules: Sandbox, box: Box) -> Shell:
    """The tool, with a contract that says what a shell would make of its arguments."""
    return Shell(dataclasses.replace(contract, command=reading(box.folder)), rules, box)


def shut_in(box: Box | None) -> bool:
    """Whether it can neither carry anything out nor bring in what others say."""
    return box is not None and box.found.backend != "none" and not box.network and not box.hosts


def reading(folder: Path) -> Callable[[JsonObject], Command | None]:
    """How the arguments of a shell in this folder are read."""
    return functools.partial(_read, folder)


def _read(folder: Path, args: JsonObject) -> Command | None:
    from agentctl.tools import shell_reading  # the grammar

    text = args.get("command")
    if not isinstance(text, str):
        return None
    command = shell_reading.read(text)
    out = next((word for part in command.parts for word in part.words[1:] if _leads_out(folder, word)), None)
    if out is None and not command.why and command.parts[0].words and command.parts[0].words[0] in FOLLOWS:
        out = next((link for word in command.parts[0].words[1:] for link in _links_out(folder, word)), None)
    if out is None or command.why:
        return command
    why = f"'{out}' is a link that leads out of the folder"
    return Command((Part(text, why=why),), why)


def _leads_out(folder: Path, word: str) -> bool:
    """Through a link that is there now; the sandbox looks again when it runs."""
    try:
        return not Path(os.path.realpath(folder / word)).is_relative_to(os.path.realpath(folder))
    except (OSError, ValueError):
        return True


def _links_out(folder: Path, word: str) -> Iterator[str]:
    """The links below a folder that do; also where there is more in it than is looked at."""
    left = LOOKED_AT
    for above, folders, files in os.walk(folder / word):
        left -= len(folders) + len(files)
        if left < 0:
            yield f"{word}/…"
            return
        for name in (*folders, *files):
            path = Path(above, name)
            if path.is_symlink() and _leads_out(folder, str(path)):
                yield str(path.relative_to(folder))


def _settings(values: Mapping[str, str]) -> dict[str, str]:
    """Git's settings as variables: they go before those of any file."""
    found = {"GIT_CONFIG_COUNT": str(len(values))}
    for at, (key, value) in enumerate(values.items()):
        found |= {f"GIT_CONFIG_KEY_{at}": key, f"GIT_CONFIG_VALUE_{at}": value}
    return found


def user_shell() -> tuple[str, ...]:
    """The shell that this user has, where it is of the Bourne family, without its start-up files; else bash or sh."""
    try:
        own = os.environ.get("SHELL") or pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        own = ""
    for path in (own, *FALLBACKS):
        name = Path(path).name
        if path.startswith("/") and name in SHELLS and os.access(path, os.X_OK):
            return (path, *SHELLS[name])
    raise FileNotFoundError("there is no shell of the Bourne family here")


def environment(names: tuple[str, ...], folder: Path, call: Invocation) -> dict[str, str]:
    """What is passed on. A program of a bare name never comes out of the folder that the agent writes in."""
    passed = {name: os.environ[name] for name in names if name in os.environ and not _hazardous(name)}
    if "PATH" in passed:
        passed["PATH"] = _outside(passed["PATH"], folder)
    marks: Mapping[str, str] = {"AGENTCTL_RUN_ID": call.run_id, "AGENTCTL_CALL_ID": call.call_id}
    return {**passed, **marks}


def _hazardous(name: str) -> bool:
    return name in HAZARDS or name.startswith(HAZARD_STARTS)


def _outside(path: str, folder: Path) -> str:
    inside = os.path.realpath(folder)
    kept = [each for each in path.split(os.pathsep) if each.startswith("/")]
    kept = [each for each in kept if not Path(os.path.realpath(each)).is_relative_to(inside)]
    return os.pathsep.join(kept) or "/usr/bin:/bin"  # an empty one would mean the folder itself


def _result(ended: Ended, timeout_s: float, *, boxed: bool) -> Envelope:
    """The exit code and what was said; a program that fails has run all the same."""
    said: JsonObject = {"stdout": _shortened(ended.stdout), "stderr": _shortened(ended.stderr)}
    if what := words(ended.changed, ended.left):
        told = f"The command changed what decides what is done later, and {what}"
        return dataclasses.replace(envelope.permanent(told, code="SANDBOX"), data=said)
    if ended.how == "processes":
        crowd = envelope.permanent(
            "The command started more than 256 processes or 2,048 threads at a time and was stopped.", code="LIMIT"
        )
        return dataclasses.replace(crowd, data=said)
    if ended.how == "timeout":
        return dataclasses.replace(envelope.timed_out(timeout_s), data=said)
    if ended.how == "output":
        late = envelope.permanent("The command wrote more than 1 MB of output and was stopped.", code="OUTPUT")
        return dataclasses.replace(late, data=said)
    hint: JsonObject = {"hint": UNSEEN} if boxed and ended.code in {126, 127} else {}
    return envelope.success({"exit_code": ended.code, **said, **hint})


def _shortened(raw: bytes) -> str:
    text = clean(raw.decode("utf-8", "replace"))
    if len(text) <= HEAD + TAIL:
        return text
    left = len(text) - HEAD - TAIL
    return f"{text[:HEAD]}\n… ({left:,} of {len(text):,} characters left out) …\n{text[-TAIL:]}"
