"""What a shell would make of a text: only one plain command of literal words comes out as one."""

import ast
import os
import random
import shutil
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agentctl.core.commands import ruling
from agentctl.core.programs import BUILTINS, PROGRAMS
from agentctl.core.tiers import Tier
from agentctl.tools.shell_reading import LONGEST, literal_words, read

SAFE = ["git status", "ls -la src", "grep -rn 'a b' src", "cat README.md", "wc -l f", "find . -name '*.py'", "pwd"]
DANGEROUS = [
    "rm -rf x",
    "curl http://h/x",
    "cat /etc/passwd",
    "cat ../x",
    "find . -delete",
    "git -c core.pager=x log",
    "sed -i 1p f",
    "xargs rm",
    "env ls",
    "python3 -c 1",
    "./run",
    "ls >f",
    "A=1 ls",
    "echo $(id)",
    "tar xf a",
    "sort -o f f",
]


def tier(text: str) -> Tier:
    return ruling(read(text)).tier


@pytest.mark.parametrize("text", SAFE)
def test_one_plain_command_is_safe_also_with_blanks_around_it(text):
    assert Tier.SAFE == tier(text) == tier(f"  {text} ")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ls; rm x", "more than one command"),
        ("ls && ls", "more than one command"),
        ("ls || ls", "commands in a row"),
        ("ls | sh", "a pipe"),
        ("ls |& sh", "a pipe"),
        ("ls & rm x", "background"),
        ("ls &", "background"),
        ("ls;", "more than literal words"),
        ("ls\nrm x", "more than one command"),
        ("ls\n", "literal words"),
        ("ls $(rm x)", "a command within a word"),
        ("ls `rm x`", "a command within a word"),
        ('ls "$(rm x)"', "a command within a word"),
        ('echo "`rm x`"', "a command within a word"),
        ("diff <(rm x) f", "in the place of a file"),
        ("cat f > g", "a redirection"),
        ("cat f >> g", "a redirection"),
        ("cat < g", "a redirection"),
        ("ls 2>f", "a redirection"),
        ("ls &>f", "a redirection"),
        ("cat <<E\nx\nE", "a here-document"),
        ("cat <<< x", "a here-string"),
        ("A=1 ls", "an assignment"),
        ("PATH=. git status", "an assignment"),
        ("LD_PRELOAD=x ls", "an assignment"),
        ("A=1", "an assignment"),
        ("echo $HOME", "a variable"),
        ('echo "$HOME"', "a variable"),
        ("echo ${X:-y}", "a variable"),
        ("echo $((1))", "arithmetic"),
        ("echo ~", "literal words"),
        ("ls *", "literal words"),
        ("ls ?a", "literal words"),
        ("ls [a]", "literal words"),
        ("echo {a,b}", "literal words"),
        ("ls \\-l", "literal words"),
        ("l\\s", "literal words"),
        ("'ls'", "literal words"),
        ('"ls"', "literal words"),
        ("l's'", "literal words"),
        ("ls $'\\x2d'", "an escaped string"),
        ("ls # rm x", "a comment"),
        ("# ls", "a comment"),
        ("! ls", "a negation"),
        ("(ls)", "a subshell"),
        ("{ ls; }", "a group"),
        ("f() { rm x; }; f", "a function"),
        ("if ls; then rm x; fi", "control flow"),
        ("while ls; do rm x; done", "control flow"),
        ("for a in b; do rm x; done", "control flow"),
        ("case a in b) ls;; esac", "control flow"),
        ("[ -f x ]", "a test"),
        ("[[ -f x ]]", "a test"),
        ("export A=1", "a declaration"),
        ("ls \\\n-l", "next line"),
        ("ls \\\n;rm x", "next line"),
        ("ls 'x", "can't be read"),
        ("ls )", "can't be read"),
        ("", "nothing in it"),
        ("  ", "nothing in it"),
        ("./ls", "list of programs"),
        ("/bin/ls", "list of programs"),
        ("../ls", "list of programs"),
        ("=ls", "literal words"),
        ("ls =rm", "literal words"),
        ("echo 'a!b' \"c!d\"", "literal words"),
        ("ls %1", "literal words"),
        ("ls ^x", "literal words"),
    ],
)
def test_everything_else_asks_and_says_what_is_in_it(text, why):
    """Metacharacters, in every place that a shell reads them."""
    found = ruling(read(text))

    assert Tier.HIGH == found.tier
    assert why in found.why or why in " ".join(part.why for part in read(text).parts) or why == "list of programs"


@pytest.mark.parametrize(
    "odd",
    [
        *("\x1b[2J", "\x1b]0;t\x07", "\x1b]8;;http://h\x1b\\", "\x1b]52;c;eA==\x07", "\r", "\b", "\x7f", "\x00"),
        *("\x9b", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff", "\U000e0041", "\u00a0", "\u3000", "\u2028"),
        *("\u0430", "\u0455", "\uff4c", "\u2010", "\u2013", "\u02d0", "\ud800", "\x0b", "\x0c", "é"),
    ],
)
def test_no_control_invisible_or_foreign_character_is_ever_safe(odd):
    """CSI, OSC 0/8/52, CR, BS, C1, bidi, zero width, tags, homoglyphs, blanks that are none."""
    for text in (f"ls {odd}x", f"{odd}ls", f"ls{odd}", f"ls 'a{odd}b'", f"l{odd}s", f'cat "{odd}"'):
        command = read(text)
        assert Tier.HIGH == ruling(command).tier
        assert "U+" in ruling(command).why
        assert ruling(command).why.isprintable()


def test_long_tails_and_runs_of_blanks_ask():
    assert Tier.HIGH == tier("echo " + "a" * LONGEST)
    assert Tier.HIGH == tier("ls" + " " * 200 + "-l")
    assert Tier.HIGH == tier("ls" + "\t" * 3 + "-l")
    assert Tier.HIGH == tier("ls -l" + "\n" * 60 + "rm x")


def test_a_compound_shows_every_part_judged_alone():
    command = read("git status && rm -rf x | cat f > g; echo $(curl h)")

    assert ["git status", "rm -rf x", "cat f", "> g", "echo $(curl h)", "curl h"] == [p.text for p in command.parts]
    assert ("git", "status") == command.parts[0].words
    assert () == command.parts[3].words == command.parts[4].words
    assert "a redirection" in command.parts[3].why
    assert ["A=1", "[ -f x ]", "cat", "<f"] == [p.text for p in read("A=1; [ -f x ] && cat <f").parts]


def test_a_text_that_is_all_nesting_is_read_in_bounded_depth_and_size():
    assert Tier.HIGH == tier("$(" * 1_500)
    assert Tier.HIGH == tier("(" * 1_900 + ")" * 1_900)
    assert len(read("ls;" * 1_000).parts) <= 51


def test_of_2000_generated_compounds_with_a_dangerous_part_none_is_safe():
    """Each is judged as a whole; nor is a compound of safe parts, whose parts nobody judged together."""
    dice = random.Random(6)
    joints = [" && ", " || ", "; ", " | ", " & ", "\n", " |& ", ";", "&&"]
    wraps = ["{}", "({})", "{{ {}; }}", "! {}", "if {}; then ls; fi", "echo $({})", "{} > f", "{} &", "f() {{ {}; }}"]
    made = 0
    while made < 2_000:
        parts = [dice.choice(SAFE) for _ in range(dice.randint(0, 4))] + [dice.choice(DANGEROUS)]
        dice.shuffle(parts)
        text = parts[0] + "".join(dice.choice(joints) + part for part in parts[1:])
        text = dice.choice(wraps).format(text)
        assert Tier.HIGH == tier(text), text
        made += 1


def test_the_grammar_is_loaded_only_when_a_command_is_read():
    code = "import sys; import agentctl.tools.base; print('tree_sitter_bash' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "False" == done.stdout.strip()


# --- The law: what is judged is what runs ----------------------------------------------------------

RECORDER = """#!{python} -SE
import os, sys
with open(os.environ["RECORD"], "a") as file:
    print([os.path.basename(sys.argv[0]), *sys.argv[1:]], file=file)
"""
ALPHABET = " abfgilst-=,.:@+%/~0123'\"\\$`;|&<>(){}[]*?!#^\n\t"
NAMES = sorted(set(PROGRAMS) - BUILTINS - {"which"})  # zsh does `which` itself
SHELLS = [shell for shell in ("bash", "dash", "zsh", "ksh", "mksh") if shutil.which(shell)]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Files whose names would be options, and a PATH of nothing but programs that write down their words."""
    base = tmp_path_factory.mktemp("recording")
    (base / "bin").mkdir()
    (base / "work").mkdir()
    source = RECORDER.format(python=os.path.realpath(sys.executable))
    for name in [*NAMES, "rm", "sh", "id", "env"]:
        (base / "bin" / name).write_text(source)
        (base / "bin" / name).chmod(0o755)
    for name in ("-rf", "-exec", "a", "b", "--pre=x", "=ls", "f"):
        (base / "work" / name).write_text("")
    return base


def started(base, shell, text):
    """What a real shell started for this text: the words of each program."""
    record = base / "record"
    record.unlink(missing_ok=True)
    env = {"PATH": str(base / "bin"), "RECORD": str(record), "HOME": str(base)}
    options = {"bash": ["--noprofile", "--norc"], "zsh": ["-f"]}.get(shell, [])
    command = [shutil.which(shell), *options, "-c", text]
    done = subprocess.run(
        command, cwd=base / "work", env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    assert b"syntax error" not in done.stderr
    if not record.exists():
        return []
    return [tuple(ast.literal_eval(line)) for line in record.read_text().splitlines()]


def plain_words():
    bare = st.text("abfgist-=,.:@+%/0123~*?[]{}", max_size=6)
    single = st.text(' abf;|&<>(){}[]*?#~-="\\$`!%', max_size=6).map(lambda inner: f"'{inner}'")
    double = st.text(" abf;|&<>(){}[]*?#~-='%^$`", max_size=6).map(lambda inner: f'"{inner}"')
    return st.lists(st.one_of(bare, single, double), max_size=3).map("".join)


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    words=st.lists(plain_words(), max_size=4),
    shell=st.sampled_from(SHELLS),
)
@example(name="cat", words=["-"], shell="bash")
@example(name="ls", words=["''", '""', "'*'", "'$(rm x)'", '"a;b"'], shell="bash")
@example(name="git", words=["log", "--format='%h %s'", "'a b'\"c d\"e"], shell="bash")
def test_what_is_one_plain_command_starts_that_program_with_those_words(recording, name, words, shell):
    """Whether or not the table lets it through: the reading itself is right."""
    command = read(" ".join([name, *words]))

    if not command.why and len(command.parts) == 1 and command.parts[0].words:
        text = command.parts[0].text
        assert [command.parts[0].words] == started(recording, shell, text), text


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(ALPHABET, max_size=24), st.text(ALPHABET, max_size=16).map("ls ".__add__)))
def test_what_is_judged_safe_starts_exactly_that_and_nothing_else(recording, text):
    """Any text at all: those that come out safe are run by a real bash."""
    command = read(text)

    if Tier.SAFE == ruling(command).tier:
        words = command.parts[0].words
        assert ([] if words[0] in BUILTINS else [words]) == started(recording, "bash", text), text


@pytest.mark.parametrize("shell", SHELLS)
def test_every_safe_example_starts_exactly_what_was_judged(recording, shell):
    for text in SAFE:
        (part,) = read(text).parts
        assert ([] if part.words[0] in BUILTINS else [part.words]) == started(recording, shell, text)


@given(st.text(max_size=60))
def test_no_text_makes_the_reading_fail(text):
    command = read(text)

    assert command.parts
    assert not literal_words(text) or text.isascii()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("end", [";", "; sh go.sh", "$", '"', "'", "|", "\\"])
@pytest.mark.parametrize("word", ["1 ", "ab", "'a'", '"a" '])
def test_no_text_keeps_the_run_busy_with_reading_it(word, end):
    text = "echo " + word * (3_900 // len(word)) + end

    assert "" != read(text).why
