"""A program that reviews calls in a person's stead (`[approval] command`): JSON in, JSON out. Fails closed.

It is given the question, scrubbed, and answers `{"decision": "approve" | "deny" | "ask", "why": "…"}`. `ask` leaves it
to a person. Silence, failure, and anything else that is said mean deny. What a person alone may decide, it can only
deny.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from agentctl.approvals.base import Answer, Question
from agentctl.config import paths
from agentctl.config.load import LoadedPolicy
from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.errors import Problem
from agentctl.records import dataclass
from agentctl.tools.plain import parse
from agentctl.tools.process import run_program

LONGEST_WHY = 500
TOO_MUCH = "said more than 1 MB"
SWAPPED = "the reviewer has changed since the run began"
FAILED = "the reviewer failed (exit {})"


@dataclass(frozen=True, slots=True)
class Review:
    """What the program said."""

    decision: Literal["approve", "deny", "ask"]
    why: str


def of(loaded: LoadedPolicy) -> Reviewer | None:
    """The reviewer of a policy; None: it names none. A relative path is relative to the file that names it."""
    rules = loaded.policy.approval
    if not (rules.enabled and rules.command):
        return None
    found = loaded.merged.source(("approval", "command"))
    folder = (loaded.path if found is None else paths.expanded(found[0].file)).absolute().parent
    return Reviewer(rules.command, folder, rules.timeout_s, loaded.policy.sandbox.env)


def pinned(loaded: LoadedPolicy) -> Reviewer | None:
    """As `of`; from now on it has to stay what it is."""
    found = of(loaded)
    return None if found is None else replace(found, seen=found.state())


def missing(loaded: LoadedPolicy) -> list[Problem]:
    """Why the reviewer could never answer: better known now than when everything is denied."""
    program = of(loaded)
    if program is None or shutil.which(program.program) is not None:
        return []
    message = f"expected a program that can be started; {program.command[0]!r} is none here"
    return [loaded.merged.problem([("approval", "command")], message, "a path is relative to the file that names it")]


@dataclass(frozen=True, slots=True)
class Reviewer:
    """The program, and how it is started."""

    command: tuple[str, ...]
    folder: Path
    timeout_s: float
    env: tuple[str, ...]
    """Names of variables that are passed on."""
    seen: tuple[str, ...] = ()
    """What its files were when the run was started or resumed; empty: nobody looked."""

    @property
    def program(self) -> str:
        """One with a slash in its name lies beside the policy; another is looked for as a shell would."""
        first = self.command[0]
        return str(self.folder / first) if "/" in first else shutil.which(first) or first

    @property
    def files(self) -> tuple[Path, ...]:
        """What it consists of: the program, and the files that it is given by name; links, and what they lead to."""
        named = (Path(self.program), *(self.folder / word for word in self.command[1:]))
        real = [Path(os.path.realpath(each)) for each in named]
        return tuple(dict.fromkeys(each for each in (*named, *real) if "\0" not in str(each) and each.is_file()))

    def state(self) -> tuple[str, ...]:
        """Which files these are now: another one in the place of one of them, or another content, is told."""
        return tuple(sorted(f"{each} {_state(each)}" for each in self.files))

    async def answer(self, question: Question, *, person: bool) -> Answer | None:
        """What it decided; None: it left that to a person, or a `person` alone may say yes."""
        found = await self.review(question)
        if found.decision == "ask" or (found.decision == "approve" and person):
            return None
        return Answer(found.decision, f"reviewer {Path(self.command[0]).name}", found.why)

    async def review(self, question: Question) -> Review:
        """Ask it once."""
        if self.seen and self.state() != self.seen:
            return Review("deny", SWAPPED)
        try:
            ended = await run_program(
                (self.program, *self.command[1:]),
                folder=self.folder,
                env={name: os.environ[name] for name in self.env if name in os.environ},
                stdin=json.dumps(asked(question)).encode(),
                timeout_s=self.timeout_s,
            )
        except (OSError, ValueError) as error:
            return Review("deny", f"the reviewer could not be started: {error}")
        if ended.how != "exited":
            late = ended.how == "timeout"
            return Review("deny", f"the reviewer {f'did not answer within {self.timeout_s:g}s' if late else TOO_MUCH}")
        return _read(ended.stdout, question.digest) if ended.code == 0 else Review("deny", FAILED.format(ended.code))


def _state(file: Path) -> str:
    try:
        info = file.stat()
    except OSError:
        return "gone"
    return f"{info.st_dev} {info.st_ino} {info.st_size} {info.st_ctime_ns}"


def asked(question: Question) -> JsonObject:
    """What the program is given on stdin."""
    return {
        "run_id": question.run_id,
        "call_id": question.call_id,
        "tool": question.tool,
        "owner": question.owner,
        "args": question.args,
        "tier": question.tier.word,
        "rule": question.rule,
        "digest": question.digest,
        "copied": [{"source": source, "text": text} for source, text in question.copied],
        "untrusted": list(question.untrusted),
        "parts": [{"text": text, "verdict": verdict} for text, verdict in question.parts],
        "files": [{"path": path, "digest": digest} for path, digest in question.files],
        "change": question.change,
        "edited": question.edited,
        "doubt": list(question.doubt),
        "spent_usd": question.spent_usd,
        "limit_usd": question.limit_usd,
    }


def _read(stdout: bytes, digest: str) -> Review:
    try:
        said = parse(stdout.decode())
    except ValueError:
        return Review("deny", "the reviewer's answer is not JSON")
    if not is_object(said) or said.get("decision") not in ("approve", "deny", "ask"):
        return Review("deny", 'the reviewer said neither "approve" nor "deny" nor "ask"')
    if said.get("digest", digest) != digest:
        return Review("deny", "the reviewer answered another question")
    why: Json = said.get("why", "")
    decision = cast("Literal['approve', 'deny', 'ask']", said["decision"])
    return Review(decision, why[:LONGEST_WHY] if isinstance(why, str) else "")
