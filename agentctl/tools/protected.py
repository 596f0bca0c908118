"""Files that decide what is done later, with nobody asked: instructions, policies, hooks, CI, start-up files.

Whoever may write one of these decides what the next run, shell, commit or build does. Names are judged as a forgiving
file system would read them: without case, without characters that can't be seen.
"""

from __future__ import annotations

import itertools
import os
import re
import tomllib
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote

from agentctl.core import envelope
from agentctl.core.envelope import Envelope
from agentctl.records import dataclass
from agentctl.tools.confine import shown
from agentctl.tools.placing import Place

FILES = frozenset({
    *("agents.md", "agent.md", "agents.override.md", "claude.md", "claude.local.md", "gemini.md", "qwen.md"),
    *("crush.md", "copilot-instructions.md", ".cursorrules", ".windsurfrules", ".clinerules"),
    *(".goosehints", ".roorules", ".rules", ".aider.conf.yml", "opencode.json", "opencode.jsonc", ".crush.json"),
    *(".mcp.json", "mcp.json", "claude_desktop_config.json", "mcp_settings.json", "cline_mcp_settings.json"),
    *(".gitlab-ci.yml", ".gitlab-ci.yaml", ".travis.yml", "azure-pipelines.yml", "azure-pipelines.yaml"),
    *("bitbucket-pipelines.yml", "jenkinsfile", ".drone.yml", ".woodpecker.yml", ".cirrus.yml", "appveyor.yml"),
    *("cloudbuild.yaml", "cloudbuild.yml", "buildspec.yml", ".gitpod.yml", ".readthedocs.yaml"),
    *(".pre-commit-config.yaml", ".pre-commit-config.yml", ".huskyrc", ".lintstagedrc"),
    *("lefthook.yml", "lefthook.yaml", "lefthook-local.yml", ".gitconfig", ".gitmodules", ".lfsconfig"),
    *(".envrc", "mise.toml", ".mise.toml", ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases"),
    *(".profile", ".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".cshrc", ".tcshrc", ".login"),
    *(".inputrc", ".tmux.conf", ".screenrc", ".xprofile", ".xinitrc", ".xsession", ".pam_environment"),
    *(".vimrc", ".exrc", ".nvimrc", ".nvim.lua", ".gdbinit", ".lldbinit", ".dir-locals.el"),
    *(".npmrc", ".yarnrc", ".yarnrc.yml", ".pnpmfile.cjs", ".pypirc", "pip.conf", ".condarc"),
    *(".netrc", ".curlrc", ".wgetrc", ".terraformrc", "sitecustomize.py", "usercustomize.py"),
})  # fmt: skip
"""What whole projects are made of (`pyproject.toml`, `Makefile`, `package.json`) is not here: agents write it."""
FOLDERS = frozenset({
    *(".git", "git~1", ".husky", ".githooks", ".claude", ".cursor", ".windsurf", ".clinerules", ".roo", ".continue"),
    *(".gemini", ".codex", ".agents", ".kiro", ".junie", ".amazonq", ".opencode", ".crush", ".kilocode", ".trae"),
    *(".vscode", ".idea", ".zed", ".devcontainer", ".circleci", ".woodpecker", ".buildkite", ".semaphore", ".teamcity"),
    *(".direnv", ".ssh", ".gnupg", ".aws", ".kube", ".cargo", "launchagents", "launchdaemons"),
})  # fmt: skip
SITES = frozenset({"site-packages", "dist-packages"})
"""Where Python runs what a `.pth` file says."""
PAIRS = frozenset({
    *((".github", "workflows"), (".github", "actions"), (".github", "instructions"), (".github", "prompts")),
    *((".github", "chatmodes"), (".github", "agents"), (".github", "dependabot.yml"), (".github", "dependabot.yaml")),
    *((".forgejo", "workflows"), (".gitea", "workflows"), (".gitlab", "ci"), (".config", "git"), (".config", "fish")),
    *((".config", "autostart"), (".config", "systemd"), (".config", "environment.d"), (".config", "nvim")),
    *((".config", "mise"), (".config", "pip"), (".config", "agentctl"), ("share", "agentctl"), ("etc", "profile.d")),
    *(("etc", "crontab"), ("etc", "cron.d"), ("etc", "cron.daily"), ("etc", "cron.hourly"), ("cron", "crontabs")),
    ("etc", "sudoers.d"),
})  # fmt: skip
OF_OURS = frozenset({
    *("goal", "goal_file", "extends", "providers", "budget", "tokens", "retry", "circuit", "route", "context"),
    *("results", "loops", "args", "risk", "approval", "trust", "scrub", "sandbox", "handoff"),
})  # fmt: skip
"""Keys of which a task or a policy has at least one."""


LONGEST_PATH = 4096
head = re.compile(r"\s*(?:ref:|[0-9a-f]{40})")
separator = re.compile(r"[/\\]")
word = re.compile(r"""[^\s"'`;|&<>()={},$]+""")
"""What may be a path in a command."""


@dataclass(frozen=True, slots=True)
class Protected:
    """What no file tool writes in this version."""

    files: tuple[Path, ...] = ()
    """This task's own: the task, its policy, the programs that it starts."""

    def refusal(self, place: Place, text: str) -> Envelope | None:
        """Why this text may not be written there; None where it may."""
        what = _kind(place.root, place.parts) or self._own(place) or (_read_by_us(place.name, text) if text else "")
        if not what:
            return None
        name = shown(place.name)
        said = f"'{name}' is {what}, and what it says is done later without asking; a person has to write it"
        return envelope.forbidden(said)

    def _own(self, place: Place) -> str:
        here = None if place.missing else os.fstat(place.folder)
        for file in self.files:
            if _plain(file.name) == _plain(place.name) and here is not None and _same_folder(file.parent, here):
                return "a file of this task"
        return ""


def named(texts: Iterable[str], base: Path, files: tuple[Path, ...] = (), *, commands: bool = False) -> str:
    """The protected file that one of these texts is the path of, from `base`; empty: none is.

    For tools that are not ours: what a file of that name is to them nobody knows. `commands`: the texts are those of a
    shell, where any word may be a path.
    """
    own = {os.path.realpath(file) for file in files}
    for text in texts:
        if commands:
            paths = word.findall(text)
        else:
            whole = text.strip()
            paths = [] if "\n" in whole or len(whole) > LONGEST_PATH else [whole, unquote(whole)]
        for path in dict.fromkeys(paths):
            if path and "\0" not in path and _leads_there(path, base, own):
                return shown(path[:LONGEST_PATH])
    return ""


def _leads_there(path: str, base: Path, own: set[str]) -> bool:
    """By its words, with the dots resolved, or through a link."""
    parts = tuple(part for part in separator.split(path) if part not in {"", "."})
    if not parts:
        return False
    try:
        real = os.path.realpath(base / path)
    except UnicodeEncodeError:  # half of a surrogate pair: no file has that name, whatever the words beside it say
        real = os.path.realpath(base / path.encode(errors="replace").decode())
    inner = os.path.relpath(real, os.path.realpath(base))
    dotless = tuple(part for part in (real if inner.startswith("..") else inner).split("/") if part not in {"", "."})
    return any(names and _kind(Path(), names) for names in (parts, dotless)) or real in own


def _kind(root: Path, parts: tuple[str, ...]) -> str:
    names = [_plain(part) for part in parts]
    whole = [*map(_plain, root.parts), *names]
    if names[-1] in FILES or (names[-1].endswith(".pth") and SITES & set(whole)):
        return "an instruction, hook or CI file"
    # Of the root's own path less is asked: somebody's whole checkout may lie in a tool's folder.
    if FOLDERS & set(names) or ".git" in whole or PAIRS & set(itertools.pairwise(whole)):
        return "in a folder of instructions, hooks or CI files"
    return ""


def _plain(name: str) -> str:
    seen = "".join(each for each in unicodedata.normalize("NFKC", name) if unicodedata.category(each) != "Cf")
    return seen.casefold().partition(":")[0].rstrip(" .")  # a stream of the file, as Windows has them


def _same_folder(folder: Path, here: os.stat_result) -> bool:
    try:
        info = folder.stat()
    except OSError:
        return False
    return (info.st_dev, info.st_ino) == (here.st_dev, here.st_ino)


def _read_by_us(name: str, text: str) -> str:
    """A task or policy that is new: a later run could be given it; or what makes a repository of a folder."""
    if _plain(name) == "head" and head.match(text):  # beside `objects` and `refs`, whose `config` starts programs
        return "the head of a Git repository"
    if not _plain(name).endswith(".toml"):
        return ""
    try:
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ""
    return "a task or policy" if data.get("version") == 1 and OF_OURS & data.keys() else ""
