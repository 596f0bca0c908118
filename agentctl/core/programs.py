"""The programs that a shell command may start without anybody being asked, and how: the table, and how it is read.

Allow-lists throughout. An option that is not here asks, so that no abbreviation (`git diff --outp=F`), no cluster
(`sort -ro F`) and no option of a later version gets past. `REFUSED` only says why, in the prompt. Nothing here writes
a file, starts another program, opens a connection or changes the machine.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from agentctl.records import dataclass

ANY = 1_000
"""Operands, where there may be as many as one likes."""


@dataclass(frozen=True, slots=True)
class Program:
    """How one program, or one subcommand, may be used."""

    flags: str = ""
    """Letters without a value: `-l`, `-la`. A digit in it allows `-20`."""
    valued: str = ""
    """Letters with a value: `-n5`, `-n 5`, `-rn5`."""
    options: frozenset[str] = frozenset()
    """Long options without a value, or with one after `=`."""
    settings: frozenset[str] = frozenset()
    """Long options with a value: `--lines=5`, `--lines 5`."""
    operands: int = ANY
    """How many words that are no options there may be at most."""
    operand: str = ""
    """What such a word must look like, as a pattern; empty: anything that stays in the folder."""
    commands: Mapping[str, Program] = field(default_factory=dict[str, "Program"])
    """Subcommands; where there are some, one is needed."""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DIFF = _names("""--stat --shortstat --numstat --name-only --name-status --cached --staged --no-color --color
    --word-diff --ignore-all-space --ignore-space-change --minimal --patience --histogram --check --raw --summary
    --patch --no-patch --no-renames --find-renames --no-ext-diff --no-textconv --unified --full-index --abbrev""")
_LOG = _DIFF | _names("""--oneline --graph --decorate --no-decorate --all --branches --tags --remotes --merges
    --no-merges --first-parent --reverse --follow --date --format --pretty --abbrev-commit --since --until --author
    --grep --max-count --no-walk --topo-order --date-order""")
_GREP = _names("""--recursive --ignore-case --line-number --files-with-matches --files-without-match --count
    --only-matching --word-regexp --line-regexp --invert-match --fixed-strings --extended-regexp --basic-regexp
    --perl-regexp --with-filename --no-filename --no-messages --quiet --color --include --exclude --exclude-dir
    --context --after-context --before-context --max-count --regexp --null""")

GIT: dict[str, Program] = {
    "status": Program("sb", options=_names("--short --branch --porcelain --ignored --untracked-files --long")),
    "log": Program("p0123456789", "nSGL", _LOG),
    "diff": Program("pwbUM0123456789", "", _DIFF),
    "show": Program("ps", "", _LOG),
    "blame": Program("wceslM", "L", _names("--date --porcelain --line-porcelain --show-email")),
    "branch": Program("avr", options=_names("--list --all --remotes --show-current --no-color --verbose"), operands=0),
    "tag": Program("l", options=_names("--list --sort --column --no-column"), operands=0),
    "remote": Program("v", options=_names("--verbose"), operands=0),
    "rev-parse": Program(
        options=_names("--short --abbrev-ref --verify --show-toplevel --is-inside-work-tree --show-prefix --git-dir")
    ),
    "ls-files": Program(
        "cdmosktuz", options=_names("--cached --deleted --modified --others --stage --exclude-standard")
    ),
    "ls-tree": Program("rdtlz", options=_names("--name-only --long --full-tree")),
    "cat-file": Program("ptse"),
    "describe": Program(options=_names("--tags --always --dirty --long --abbrev --all")),
    "merge-base": Program(options=_names("--all --is-ancestor")),
    "rev-list": Program("0123456789", "n", _names("--count --all --max-count --since --until --reverse")),
}

PROGRAMS: dict[str, Program] = {
    # What is there.
    "ls": Program(
        "aAlhtrRS1dFinspcLQ",
        options=_names("""--all --almost-all --human-readable --recursive --reverse --color --sort --time --size
            --directory --classify --inode --full-time --group-directories-first"""),
    ),
    "pwd": Program("LP", operands=0),
    "find": Program(),
    "du": Program("shackmd", "", _names("--human-readable --summarize --all --total --apparent-size --max-depth")),
    "df": Program("hTikPl", options=_names("--human-readable --print-type --inodes --local")),
    "stat": Program("Lft", "c", _names("--format --printf --dereference --terse")),
    "file": Program("biLhkN", options=_names("--brief --mime --mime-type --mime-encoding --dereference")),
    "basename": Program("az", "s", _names("--multiple --suffix --zero")),
    "dirname": Program("z", options=_names("--zero")),
    "realpath": Program("emLPsqz", options=_names("--canonicalize-existing --canonicalize-missing --no-symlinks")),
    "readlink": Program("femnqsvz", options=_names("--canonicalize --canonicalize-existing --no-newline")),
    "which": Program("a"),
    # What is in it.
    "cat": Program("nbsAETvet", options=_names("--number --number-nonblank --show-all --squeeze-blank --show-ends")),
    "tac": Program("br", "s", _names("--before --separator")),
    "head": Program("qvz0123456789", "nc", settings=_names("--lines --bytes")),
    "tail": Program("qvz0123456789", "nc", settings=_names("--lines --bytes")),
    "nl": Program("p", "bhfnsvwi"),
    "wc": Program("lwcmL", options=_names("--lines --words --bytes --chars --max-line-length")),
    "cut": Program("snz", "bcdf", _names("--only-delimited --complement"), _names("--fields --delimiter --bytes")),
    "uniq": Program("cduiz", "fsw", _names("--count --repeated --unique --ignore-case"), operands=1),
    "sort": Program("bdfginMhnRrVcCmsuz", "kt", _names("--numeric-sort --reverse --unique --version-sort --check")),
    "comm": Program("123iz", options=_names("--check-order --nocheck-order --total")),
    "cmp": Program("bls", "n", _names("--print-bytes --verbose --silent --quiet"), operands=2),
    "diff": Program(
        "qsrcuyewbBiaNTtd0123456789",
        "UCWx",
        _names("--brief --recursive --unified --context --side-by-side --ignore-all-space --new-file --color"),
        operands=2,
    ),
    "fold": Program("bs", "w", _names("--bytes --spaces --width")),
    "od": Program("abcdfiloxv", "AjNtw"),
    "strings": Program("a", "nt"),
    "grep": Program("rniIlLcowxvFEPGHhsqz0123456789", "emABC", _GREP),
    "rg": Program(
        "niIlcowxvFSsHNup0123456789",
        "egtTmABC",
        _names("""--line-number --no-line-number --ignore-case --smart-case --case-sensitive --files
            --files-with-matches --files-without-match --count --only-matching --word-regexp --line-regexp
            --invert-match --fixed-strings --hidden --no-ignore --no-heading --heading --color --multiline --no-config
            --json --stats --type-list --sort"""),
        _names("""--glob --iglob --type --type-not --regexp --max-count --max-depth --context --after-context
            --before-context"""),
    ),
    "sed": Program("nEr", options=_names("--quiet --silent --regexp-extended")),
    "md5sum": Program("bt", options=_names("--binary --text --tag")),
    "sha1sum": Program("bt", options=_names("--binary --text --tag")),
    "sha256sum": Program("bt", options=_names("--binary --text --tag")),
    "tar": Program("tvz", "f", _names("--list --verbose --gzip"), _names("--file"), operands=0),
    "git": Program(options=_names("--no-pager"), commands=GIT),
    # What the machine says of itself.
    "date": Program("uIR", options=_names("--utc --iso-8601 --rfc-3339 --rfc-email"), operand=r"\+.*"),
    "uname": Program("asnrvmpio", options=_names("--all --machine --kernel-name --kernel-release"), operands=0),
    "whoami": Program(operands=0),
    "id": Program("ugGnrz", options=_names("--user --group --groups --name --real"), operands=0),
    "nproc": Program(options=_names("--all"), operands=0),
    "seq": Program("w", "fs", _names("--equal-width --format --separator"), operand=r"-?[0-9.]+"),
    # The shell's own, which start nothing.
    "echo": Program("neE"),
    "true": Program(),
    "false": Program(),
}
BUILTINS = frozenset({"pwd", "echo", "true", "false"})
"""Of these the ones that the shell does itself."""

FIND_ALONE = _names(
    "-print -print0 -prune -not -o -a -or -and -empty -depth -mount -xdev -true -false -quit -readable -executable"
)
FIND_VALUED = _names("""-name -iname -path -ipath -wholename -type -maxdepth -mindepth -size -mtime -mmin -atime -ctime
    -newer -regex -iregex -regextype -user -group -perm""")
VERIFIES = re.compile(r"%[-+ ]?G")
"""In a format of git's: the signature, which gpg.program is asked about."""
SED = re.compile(r"(?:[0-9]+|\$)(?:,(?:[0-9]+|\$))?p")
"""The one kind of script: print these lines. Any other could write (`w`) or run (`e`)."""

REFUSED: dict[str, dict[str, str]] = {
    "find": {
        "starts another program": "-exec -execdir -ok -okdir",
        "deletes or writes files": "-delete -fprint -fprint0 -fprintf -fls",
    },
    "rg": {"starts another program": "--pre --hostname-bin -z --search-zip"},
    "git": {
        "can start another program": """-c --config-env --exec-path -p --paginate --ext-diff --textconv -O
            --open-files-in-pager""",
        "reads the settings of another folder": "-C --git-dir --work-tree",
        "writes a file": "--output",
        "leaves the repository": "--no-index",
    },
    "sed": {
        "writes files": "-i --in-place",
        "runs a script that can write files and start programs": "-e --expression -f --file",
    },
    "sort": {"writes a file": "-o --output", "starts another program": "--compress-program"},
    "tar": {
        "starts another program": """--checkpoint-action --to-command -I --use-compress-program -F --info-script
            --rsh-command""",
        "writes files": "-x --extract -c --create -r -u -A --delete",
    },
    "date": {"sets the clock": "-s --set"},
    "diff": {"starts another program": "-l --paginate"},
    "file": {"starts another program": "-z --uncompress"},
}
"""By program: why, and of which options."""
STARTS_OTHERS = _names("""env xargs sudo doas su nohup timeout nice ionice time watch parallel setsid stdbuf script
    sh bash dash zsh ksh fish eval exec source . command builtin trap coproc awk gawk mawk nawk perl python python3
    ruby node deno bun php lua make npm npx yarn pnpm pip pipx uv uvx cargo go ssh docker podman kubectl vim vi ed ex
    less more man strace gdb busybox chroot unshare systemd-run at batch crontab expect tclsh
    coproc noglob nocorrect repeat flock compgen complete""")
"""Programs that start what their words or files say; only for the reason that is shown."""

leaves_folder = re.compile(r"^/|^~|[=:,]/|(?:^|[/=:,])\.\.(?:/|$)")
"""A word that leads out of the folder in one of the ways that the programs above read words."""


def check(words: tuple[str, ...]) -> str:
    """Why a plain command of these words asks; empty: it may run. Never raises."""
    name, *rest = words
    program = PROGRAMS.get(name)
    if program is None:
        why = "starts other programs" if name in STARTS_OTHERS else "is not on the list of programs that only read"
        return f"{name} {why}"
    for word in rest:
        attached = word.startswith("-") and "/" in word and not word.startswith("--")
        if leaves_folder.search(word) or attached:
            return f"'{word}' can lead out of the folder"
    if name == "find":
        return _find(rest)
    if name == "sed":
        return _sed(rest)
    if name == "tar" and any(":" in word for word in rest):
        return "tar reads 'host:file' over the network"
    if name == "strings" and any(word.startswith("@") for word in rest):
        return "strings reads options and files out of an '@file'"
    if name == "git" and any(VERIFIES.search(word) for word in rest):
        return "git starts another program for the signatures of a '%G' format"
    return _read(name, program, rest)


def _read(name: str, program: Program, words: list[str], label: str = "") -> str:
    operands = 0
    ended = False
    rest = iter(words)
    for word in rest:
        if word == "--" and not ended and not program.commands:
            ended = True
        elif word.startswith("-") and word != "-" and not ended and not _is_value(program, word):
            fits, takes = _option(program, word)
            if not fits:
                return _refusal(name, label or name, word)
            if takes and not _value(next(rest, "-")):
                return f"{word} of {label or name} lacks a plain value"
        elif program.commands:
            below = program.commands.get(word)
            return _read(name, below, list(rest), f"{name} {word}") if below else f"{name} {word} is not on the list"
        else:
            operands += 1
            if operands > program.operands or (program.operand and not re.fullmatch(program.operand, word)):
                return f"{label or name} does more than read with '{word}'"
    return f"{name} needs a subcommand" if program.commands else ""


def _is_value(program: Program, word: str) -> bool:
    """A negative number where numbers are what it takes."""
    return bool(program.operand) and re.fullmatch(program.operand, word) is not None


def _value(word: str) -> bool:
    """What looks like an option may be one, in another version of the program."""
    return not word.startswith("-") or re.fullmatch(r"-[0-9]+", word) is not None


def _option(program: Program, word: str) -> tuple[bool, bool]:
    """Whether an option is allowed, and whether the next word is its value."""
    if word.startswith("--"):
        name, equals, _ = word.partition("=")
        if name in program.settings:
            return True, not equals
        return name in program.options, False
    for at, letter in enumerate(word[1:], 2):
        if letter in program.valued:
            return True, at == len(word)
        if letter not in program.flags:
            return False, False
    return True, False


def _refusal(name: str, label: str, word: str) -> str:
    option = word.partition("=")[0]
    spelt = {option} if option.startswith("--") else {option, option[:2]}
    why = next((why for why, options in REFUSED.get(name, {}).items() if spelt & _names(options)), None)
    return f"{option} of {label} {why or 'is not on the list of options'}"


def _find(words: list[str]) -> str:
    """Its expression: every word with a dash is a test, one by one."""
    rest = iter(words)
    for word in rest:
        if word in FIND_VALUED:
            if next(rest, None) is None:
                return f"{word} of find lacks its value"
        elif word.startswith("-") and word not in FIND_ALONE:
            return _refusal("find", "find", word)
    return ""


def _sed(words: list[str]) -> str:
    """`sed -n 1,5p FILE`: the first word that is no option is the script."""
    script = next((word for word in words if not word.startswith("-")), "")
    if "--" in words:
        return "-- of sed is not on the list of options"
    options = _read("sed", PROGRAMS["sed"], words)
    return options or ("" if SED.fullmatch(script) else "this script of sed can write files or start programs")
