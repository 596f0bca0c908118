"""Narrow rules from repeated approvals: what a person has let through many times, and nobody has ever denied.

Rules.
1. Only asks that a tier alone has caused: none that trust or a rule raised, that may not be remembered, whose outcome
   was in doubt or whose arguments are masked. A rule could not help there, or should not.
2. Never for a tool that is irreversible, that a policy names high, or that nobody classified.
3. Every argument that the tool knows is pinned, by a pattern for each JSON path; of a shell command every word.
4. One denial of what it is about, or one change of it, by anybody, and there is no rule.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from agentctl.core.contract import Contract
from agentctl.core.guards import trust
from agentctl.core.guards.risk import Rule, Verdict
from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.core.suggest import shapes
from agentctl.core.suggest.limits import Kept
from agentctl.records import dataclass

MANY: Final = 10
"""Approvals by people from which on a rule is worth it."""
RUBBER_S: Final = 2.0
"""Nobody reads in less."""
FAR: Final = frozenset((
    *("rm", "rmdir", "mv", "dd", "shred", "truncate", "mkfs", "sudo", "su", "doas", "chmod", "chown", "kill"),
    *("curl", "wget", "ssh", "scp", "rsync", "nc", "ncat", "telnet", "ftp", "sftp", "sh", "bash", "zsh", "dash", "ksh"),
    *("eval", "exec", "env", "xargs", "find", "nohup", "timeout", "crontab", "at", "systemctl", "docker", "kubectl"),
    *("time", "nice", "ionice", "setsid", "stdbuf", "busybox", "toybox", "builtin", "command", "source", ".", "fish"),
    *("chroot", "unshare", "nsenter", "runuser", "pkexec", "flock", "watch", "strace", "parallel", "script", "npx"),
    *("bunx", "uvx", "pipx", "perl", "ruby", "awk", "gawk", "unlink", "wipefs", "tee"),
))  # fmt: skip
"""Programs of which no rule is suggested: they destroy, reach out, or start whatever their words say."""
INLINE: Final = frozenset({"-c", "-e", "--eval", "--command", "-exec"})
"""Words behind which a program stands."""
LOOSE: Final = frozenset(
    {"patternProperties", "allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "if", "dependentSchemas"}
)
"""Keys of a schema that let through more arguments than `properties` names."""
OTHERS: Final = frozenset({"additionalProperties", "unevaluatedProperties"})
"""Keys that say what becomes of arguments without a name in the schema; a strict check leaves it at that."""
plain_word = re.compile(r"[A-Za-z0-9_.:=@,+%/-]+")
plain_key = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Ask:
    """One call that somebody was asked about."""

    run_id: str
    tool: str
    args: Json
    decision: str
    """`approve`, `deny`, `stop`, `edit`; empty: nobody answered."""
    person: bool
    """Somebody said so, and no program, script or clock."""
    waited_s: float
    contract: Contract
    known: trust.State
    words: tuple[str, ...] = ()
    """Of a plain shell command."""
    why_not: str = ""
    """Why no rule can be about it; empty: one could."""

    @property
    def denied(self) -> bool:
        """Somebody said no, or would have it otherwise."""
        return self.decision in {"deny", "stop", "edit"}

    @property
    def group(self) -> tuple[str, ...]:
        """Calls that one rule may be about, and one denial speaks against; of a shell by program and first word."""
        return (self.tool, *(shapes.digits.sub("#", word) for word in self.words[:2]))


@dataclass(frozen=True, slots=True)
class Proposal:
    """One rule, and what it is from."""

    rule: Rule
    approvals: int
    rubber: int
    """Of these so many took less than RUBBER_S."""
    runs: int

    @property
    def comment(self) -> str:
        """Where it comes from, on one line."""
        told = f"{self.approvals:,} approvals by people in {self.runs:,} runs, none denied"
        rubber = f"; {self.rubber:,} of them in under {RUBBER_S:g} s: LOOK, nobody may have read them"
        return f"{told}{rubber if self.rubber else ''}"


def proposals(asks: Sequence[Ask], tier: Verdict, *, strict: bool) -> tuple[list[Proposal], list[Kept]]:
    """The rules that these asks bear out, and what they don't. `strict`: a call has only arguments of its schema."""
    groups: dict[tuple[str, ...], list[Ask]] = {}
    for ask in asks:
        groups.setdefault(ask.group, []).append(ask)
    found: list[Proposal] = []
    kept: list[Kept] = []
    for group, alike in sorted(groups.items()):
        made = _proposal(alike, tier, strict=strict)
        if isinstance(made, Proposal):
            found.append(made)
        else:
            kept.append(Kept(" ".join(group), made))
    return found, kept


def _proposal(alike: Sequence[Ask], tier: Verdict, *, strict: bool) -> Proposal | str:
    if any(ask.denied for ask in alike):
        return f"{sum(ask.denied for ask in alike):,} of {len(alike):,} asks were denied or changed"
    said = [ask for ask in alike if ask.decision == "approve" and ask.person]
    usable = [ask for ask in said if not ask.why_not]
    if len(said) >= MANY > len(usable):
        return next(ask.why_not for ask in said if ask.why_not)
    if len(usable) < MANY:
        return f"too few approvals by people: {len(usable)} of {MANY}"
    args = _words(usable) if usable[0].words else _arguments(usable, strict=strict)
    if isinstance(args, str):
        return args
    rubber = sum(ask.waited_s < RUBBER_S for ask in usable)
    match, other = _examples(usable)
    why = f"approved {len(usable)} times, never denied"
    rule = Rule(usable[0].tool, tier, args, why, match, other)
    return Proposal(rule, len(usable), rubber, len({ask.run_id for ask in usable}))


def _words(asks: Sequence[Ask]) -> dict[str, str] | str:
    """Word by word."""
    program = asks[0].words[0]
    far = FAR.intersection(word for ask in asks for word in ask.words)  # `time rm x`, `git rm x` too
    if far or "/" in program:
        return f"no rule is suggested for {min(far, default=program)}"
    if len({len(ask.words) for ask in asks}) > 1:
        return "its commands have different numbers of words"
    parts: list[str] = []
    for column in zip(*(ask.words for ask in asks), strict=True):
        if any(_far(word) for word in column):
            return f"a word of it may reach further than it says: {next(word for word in column if _far(word))}"
        options = any(word.startswith("-") for word in column)
        made = shapes.pattern(column, digits_may_vary=not options and column[0] != program)
        if made is None:
            return f"its words vary too much, such as {column[0]}"
        parts.append(made)
    return {"command": f"^{' '.join(parts)}$"}


def _far(word: str) -> bool:
    return word in INLINE or ".." in word or word.startswith("/") or not plain_word.fullmatch(word)


def _arguments(asks: Sequence[Ask], *, strict: bool) -> dict[str, str] | str:
    """Path by path."""
    given = [ask.args for ask in asks if is_object(ask.args)]
    names = sorted({name for args in given for name in args})
    schemas = [ask.contract.parameters for ask in asks]  # tools of several tasks may have one name
    declared = {name for schema in schemas for name in _declared(schema)}
    closed = all(_closed(schema, strict=strict) for schema in schemas)
    if open_ := sorted({key for schema in schemas for key in LOOSE & schema.keys()}):
        return f"a rule could not pin all of its arguments: its schema has {', '.join(open_)}"
    if not names or not closed:
        why = "its schema allows others" if strict else "args.strict is off"
        return f"a rule could not pin all of its arguments: {why}" if names else "it takes no arguments"
    if loose := sorted(declared - set(names)):
        return f"a rule would leave {', '.join(loose)} open: it was never given"
    args: dict[str, str] = {}
    for name in names:
        values = [shapes.text_of(each.get(name)) for each in given]
        texts = [text for text in values if text is not None]
        if len(texts) < len(values):
            return f"{name} is not always given"
        made = shapes.pattern(texts, digits_may_vary=all(isinstance(each.get(name), str) for each in given))
        if made is None:
            return f"{name} varies too much for a pattern"
        path = _path(name)
        if path is None:
            return f"no rule can name {json.dumps(name)}"
        args[path] = f"^{made}$"
    return args


def _declared(schema: JsonObject) -> Iterable[str]:
    known = schema.get("properties")
    return known if is_object(known) else ()


def _closed(schema: JsonObject, *, strict: bool) -> bool:
    """Whether a call has no arguments but those that its schema names."""
    said = OTHERS & schema.keys()
    return schema.get("additionalProperties") is False or (strict and "properties" in schema and not said)


def _path(name: str) -> str | None:
    """How a rule calls it; None: it has both kinds of quotes, or is empty."""
    if plain_key.fullmatch(name):
        return name
    return next((f"[{mark}{name}{mark}]" for mark in "\"'" if name and mark not in name), None)


def _examples(asks: Sequence[Ask]) -> tuple[tuple[JsonObject, ...], tuple[JsonObject, ...]]:
    """The first and last of what it is about, and the same with something added."""
    texts = sorted({json.dumps(ask.args, sort_keys=True) for ask in asks})
    shown: list[JsonObject] = [json.loads(text) for text in dict.fromkeys((texts[0], texts[-1]))]
    if asks[0].words:
        command = str(shown[0]["command"])
        return tuple(shown), ({"command": f"{command}; rm -rf /"}, {"command": f"{command} --force"})
    name = min(shown[0])
    value = shown[0][name]
    taken = {shapes.text_of(ask.args.get(name)) for ask in asks if is_object(ask.args)}
    other = f"{value}-x" if isinstance(value, str) else "another"
    while other in taken:
        other += "-x"
    return tuple(shown), ({**shown[0], name: other},)
