"""A policy from its file, its parents and `standard`: merged, checked, and able to say where each value came from."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.config import paths, policy_checks, schema, shape, toml
from agentctl.config.merge import Merged, merge
from agentctl.config.problems import KeyPath, did_you_mean, invalid, one_of, show, unheard
from agentctl.config.text import display
from agentctl.config.urls import normal
from agentctl.core.policy import Policy, Provider
from agentctl.core.task import Task
from agentctl.core.tiers import Tier
from agentctl.errors import Invalid, Problem, Usage
from agentctl.records import dataclass

if TYPE_CHECKING:
    from agentctl.config.task import LoadedTask

STANDARD = "standard"
MOST_PARENTS = 8
FOREIGN = {
    "name": "a policy is called by its file's name",
    **{key: "it belongs in a task file" for key in shape.names(Task) if key not in shape.names(Policy)},
}


@dataclass(frozen=True, slots=True, eq=False)
class LoadedPolicy:
    """A policy and where it is from."""

    policy: Policy
    path: Path
    digest: str
    """SHA-256 of the merged values: file names, comments and order do not matter."""
    merged: Merged = field(repr=False)

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.policy.name

    @property
    def explicit(self) -> set[KeyPath]:
        """The paths that a file of the user's own set."""
        sources = self.merged.sources.items()
        return {path for path, (document, _) in sources if not document.shipped}

    @property
    def origins(self) -> dict[KeyPath, tuple[str, int]]:
        """File and line of each value that a file set."""
        sources = self.merged.sources.items()
        return {path: (document.file, document.place(own)[0]) for path, (document, own) in sources}


def load_policy(name_or_path: str | Path, *, near: Path | None = None) -> LoadedPolicy:
    """Load a policy by path (relative to `near`, else the current folder) or by name.

    Raises:
        Invalid: with every problem of the file and its parents.
    """
    path = find(str(name_or_path), near or Path.cwd())
    if isinstance(path, Problem):
        raise invalid([path])
    return load_file(path)


def policy_of(task: LoadedTask, flag: str | None = None) -> LoadedPolicy:
    """The policy of a task: the one of `--policy`, else the one that the task names.

    Raises:
        Invalid: with every problem; a policy that is not there is told where the task names it.
    """
    if flag:
        return load_policy(flag)
    path = find(task.task.policy, task.base)
    if isinstance(path, Problem):
        raise invalid([task.document.problem(("policy",), path.message, path.suggestion)])
    if not path.exists():
        message = f"no such file: {show(task.task.policy)}"
        raise invalid([task.document.problem(("policy",), message)])
    return load_file(path)


def load_file(path: Path) -> LoadedPolicy:
    """Load the policy that stands in a file."""
    documents, problems = _chain(path)
    partial = merge(documents)
    for document in documents:
        _, found = schema.examine(Policy, document, foreign=FOREIGN, also=("extends",))
        problems += found
    policy = schema.salvage(Policy, {**partial.data, "name": path.stem})
    if policy is not None:
        problems += unheard(problems, policy_checks.check(policy, partial))
    if problems or policy is None:
        raise invalid(problems)
    policy = replace(policy, providers=tuple(map(_one_spelling, policy.providers)))
    return LoadedPolicy(policy, path, digest(policy), partial)


def _one_spelling(provider: Provider) -> Provider:
    return replace(provider, base_url=normal(provider.base_url)) if provider.base_url is not None else provider


def digest(policy: Policy) -> str:
    """What a policy says, in one word; not what it is called."""
    values = schema.plain(replace(policy, name=""))
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def lower(policy: Policy, *, max_usd: float | None = None, auto_approve: str = "") -> Policy:
    """The policy under `--max-usd` and `--auto-approve`, which only ever lower.

    Raises:
        Usage: one of them is no limit, or above the policy.
    """
    budget, risk = policy.budget, policy.risk
    if max_usd is not None:
        if not (math.isfinite(max_usd) and max_usd > 0):
            raise Usage(f"--max-usd: expected an amount above 0, got {show(max_usd)}")
        if max_usd > budget.run_usd:
            limit = f"budget.run_usd = {budget.run_usd:g}"
            hint = "raise it in the policy: the flag only lowers"
            raise Usage(f"--max-usd {max_usd:g} is above the policy's {limit}", hint=hint)
        budget = replace(budget, run_usd=float(max_usd))
    if auto_approve:
        words = [tier.word for tier in Tier]
        if auto_approve not in words:
            message = f"--auto-approve: expected {one_of(words)}, got {show(auto_approve)}"
            raise Usage(message, hint=did_you_mean(auto_approve, words))
        if Tier.of(auto_approve) > risk.auto_approve:
            limit = f'risk.auto_approve = "{risk.auto_approve.word}"'
            hint = "raise it in the policy: the flag only lowers"
            raise Usage(f"--auto-approve {auto_approve} is above the policy's {limit}", hint=hint)
        risk = replace(risk, auto_approve=Tier.of(auto_approve))
    return replace(policy, budget=budget, risk=risk)


def find(name: str, near: Path, *, besides: Path | None = None) -> Path | Problem:
    """The file of a policy: a path, else the user's own of that name, else a shipped one.

    `besides` is the file that asks: the user's `standard.toml` extends the shipped `standard`, not itself.
    """
    if "/" in name or name.endswith(".toml"):
        return near / paths.expanded(name)
    for folder in (paths.user_policies(), paths.shipped_policies()):
        path = folder / f"{name}.toml"
        if _is_file(path) and (besides is None or path.resolve() != besides.resolve()):
            return path
    known = [known for known, _ in paths.policies()]
    message = f"no policy is called {show(name)}"
    way_out = did_you_mean(name, known) or f"there is: {', '.join(known)}; a path ends in .toml"
    return Problem(show(name), 0, 0, "", message, way_out)


def _is_file(path: Path) -> bool:
    """A name that is too long is nobody's."""
    try:
        return path.is_file()
    except OSError:
        return False


def _chain(path: Path) -> tuple[list[toml.Document], list[Problem]]:
    """The documents of a policy from the bottom up, and what is wrong on the way to its parents."""
    base = paths.shipped_policies() / f"{STANDARD}.toml"
    documents: list[toml.Document] = []
    seen: list[Path] = []
    problems: list[Problem] = []
    while True:
        documents.insert(0, toml.load(path, shipped=paths.is_shipped(path)))
        seen.append(path.resolve())
        parent = _parent(documents[0], path, seen)
        if isinstance(parent, Path):
            path = parent
            continue
        if isinstance(parent, Problem):
            problems.append(parent)
        if base.resolve() not in seen:
            documents.insert(0, toml.load(base, shipped=True))
        return documents, problems


def _parent(document: toml.Document, path: Path, seen: list[Path]) -> Path | Problem | None:
    """The file that a policy extends, if it does."""
    if "extends" not in document.data:
        return None
    name = document.data["extends"]
    if not isinstance(name, str) or not name:
        got = show(name) if name != "" else "an empty one"
        return document.problem(("extends",), f"expected the name of a policy, got {got}")
    found = find(name, path.parent, besides=path)
    if isinstance(found, Problem):
        return document.problem(("extends",), found.message, found.suggestion)
    if not found.is_file():
        try:
            toml.load(found)
        except Invalid as error:
            (problem,) = error.problems
            said = f"{problem.file}: {problem.message}"
            return document.problem(("extends",), said, problem.suggestion)
    if found.resolve() in seen:
        circle = " extends ".join(display(each) for each in [*seen, found.resolve()])
        return document.problem(("extends",), f"a circle: {circle}")
    if len(seen) > MOST_PARENTS:
        return document.problem(("extends",), f"more than {MOST_PARENTS} parents in a row")
    return found
