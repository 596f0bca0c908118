"""The commands within a text, without what hides them; for rules that make a call stricter."""

import random
import shutil
import subprocess
import sys

import pytest

from agentctl.config import patterns
from agentctl.core import command_rules, commands
from agentctl.core.guards.risk import Reader, Rule, Rules
from agentctl.core.tiers import Tier
from agentctl.tools.shell_reading import LONGEST, read
from agentctl.tools.shell_spellings import DEPTH, MOST
from tests.play import contract

READER = Reader(patterns.found)
SHELL = contract("shell", side_effects=None, base_tier=Tier.HIGH, command=lambda _: None)
RM = Rule("shell", "forbid", {"command": "^rm( |$)"})
HIDDEN = [
    *("rm >f x", "A=1 >f rm x", "2>&1 rm x"),
    *("rm x", " rm  x ", "'rm' x", '"rm" x', "r''m x", 'r"m" x', r"\rm x", r"r\m x", "$'rm' x", r"$'\x72m' x"),
    *(r"$'\162m' x", "/bin/rm x", "./rm x", "A=1 rm x", "A=1 B=$C rm x", "rm x >f", ">f rm x", "<f rm x", "rm x &"),
    *("ls; rm x", "ls && rm x", "ls || rm x", "ls | rm x"),
    *("ls |& rm x", "ls & rm x", "ls\nrm x", "(rm x)", "{ rm x; }"),
    *("echo $(rm x)", "echo `rm x`", 'echo "$(rm x)"'),
    *("cat <(rm x)", "A=$(rm x)", "echo ${A:-$(rm x)}", "echo $((`rm x`))"),
    *("if rm x; then ls; fi", "while rm x; do ls; done", "for a in b; do rm x; done", "case a in b) rm x;; esac"),
    *("f() { rm x; }; f", "function f { rm x; }", "! rm x", "time rm x", "coproc rm x", "[[ -f x ]] && rm x"),
    *("sudo rm x", "sudo -u a /bin/rm x", "env A=1 rm x"),
    *("env -S 'rm x'", "xargs -n1 rm", "nohup rm x", "timeout 5 rm x"),
    *("sh -c 'rm x'", "bash -c 'ls; rm x'", "bash -c \"ls && r''m x\"", "eval 'rm x'", "eval r''m x", "exec rm x"),
    *("command rm x", "builtin rm x", "trap 'rm x' EXIT"),
    *("alias ls='rm x'; ls", "find . -exec rm {} +", "busybox rm x"),
    *("bash <<E\nrm x\nE", "bash <<'E'\nrm x\nE", "cat <<E\n$(rm x)\nE", "bash <<< 'rm x'", "sh -c \"sh -c 'rm x'\""),
    *("ls é; rm x", "ls \\\n; rm x", "r\\\nm x", "ls \x1b[2J; rm x", "ls\r; rm x", "# a\nrm x", "ls # a\nrm x"),
]  # fmt: skip


def ruled(text, *rules):
    return command_rules.tier(Rules(rules=rules), SHELL, {"command": text}, READER, read(text))


@pytest.mark.parametrize("text", HIDDEN)
def test_a_forbidden_command_is_seen_in_every_part_however_it_is_quoted_or_wrapped(text):
    ruling = ruled(text, RM)

    assert ruling.forbidden
    assert 0 == ruling.decided


@pytest.mark.parametrize("text", ["git log rm", "echo 'rm x'", "ls rm", "grep -rn 'rm x' .", "cat rm", "echo a # rm x"])
def test_what_is_only_a_word_of_another_command_is_not_forbidden(text):
    assert not ruled(text, RM).forbidden


def test_what_is_more_than_is_looked_at_counts_as_forbidden():
    """Otherwise a long enough text would hide anything; what is spelt out is bounded in number and depth."""
    wide = "sudo " + " ".join(f"a{number}" for number in range(600))
    nested = "rm x"
    for _ in range(DEPTH + 2):
        nested = "eval '" + nested.replace("'", "'\\''") + "'"
    many = "; ".join(f"ls {number}" for number in range(700)) + "; rm x"

    for text in (wide, nested, many):
        parts = read(text).parts
        assert all(len(part.spellings) <= MOST for part in parts)
        assert any(part.more for part in parts)
        assert ruled(text, RM).forbidden
        assert Tier.HIGH == ruled(text).tier
        assert not ruled(text).forbidden


@pytest.mark.parametrize(
    "text",
    [
        "rm x\nif (",
        "ls )\nrm x",
        "{rm,x}",
        "'rm' x\nls 'x",
        "repeat 3 { rm x }",
        "foreach a (b) rm x; end",
        "ls 'a\n rm x",
    ],
)
def test_what_the_grammar_cannot_read_is_searched_between_its_joints(text):
    """A shell runs what stands before a mistake, and some shells read what others don't."""
    assert ruled(text, RM).forbidden
    assert Tier.HIGH == ruled(text, Rule("shell", "safe", {"command": "(?s)."})).tier


def test_words_after_a_redirection_are_words_of_the_command():
    rule = Rule("shell", "forbid", {"command": "^rm -rf x$"})

    assert ruled("rm >f -rf x", rule).forbidden
    assert ruled("rm -rf <<E x\na\nE", rule).forbidden


# --- 2,000 compounds under rules of all kinds ------------------------------------------------------

SAFE = ["git status", "ls -la src", "grep -rn 'a b' src", "cat README.md", "wc -l f", "find . -name '*.py'", "pwd"]
DANGEROUS = [
    *("rm -rf x", "curl http://h/x", "cat /etc/passwd", "cat ../x", "find . -delete", "git -c core.pager=x log"),
    *("sed -i 1p f", "xargs rm", "env ls", "python3 -c 1", "./run", "tar xf a", "sort -o f f", "git push", "dd of=f"),
    *("A=1 ls", "PATH=. ls", "echo $(id)", "ls `id`", "ls >f", "ls 2>&1", "cat <f", "cat <<E\nx\nE\n", "cat <<< x"),
    *("echo $HOME", "ls *", "ls ?", "ls [a]", "echo ~"),
    *("echo {a,b}", "ls \\-l", "l''s", "'ls'", "$'ls'", "alias ls=rm"),
    *("ls # x", "! ls", "[ -f x ]", "export A=1", "set -e", "cd /", "umask 0", "ls =a", "ls !x", "ulimit -c 0"),
]  # fmt: skip
JOINTS = [" && ", " || ", "; ", " | ", " & ", "\n", " |& ", ";", "&&", "|", " ;\n", "\n\n"]
WRAPS = [
    *("{}", "({})", "{{ {}; }}", "! {}", "if {}; then ls; fi", "while {}; do ls; done", "for a in b; do {}; done"),
    *("case a in a) {};; esac", "f() {{ {}; }}; f", "echo $({})", 'echo "$({})"', "cat <({})", "{} > f", "{} >> f"),
    *("{} &", "{} 2> f", "{} # a", "A=1; {}"),
    *("alias ls='rm x'; {}", "{} <<E\nx\nE", "time {}", "until {}; do ls; done"),
    *("A=$({})", "echo ${{A:-$({})}}", "coproc {}", "[[ a ]] && {}", "{}\n", "function g {{ {}; }}", "echo `{}`"),
]  # fmt: skip
PATTERNS = [
    ".",
    "^git",
    "^ls",
    "^(git|ls|cat|pwd).*$",
    "^.*$",
    "status",
    "(?s)^.*$",
    "^[a-z]+ [^;]*$",
    "ls|rm|curl",
    "^$",
]


def compound(dice):
    parts = [dice.choice(SAFE) for _ in range(dice.randint(0, 3))] + [dice.choice(DANGEROUS)]
    dice.shuffle(parts)
    text = parts[0] + "".join(dice.choice(JOINTS) + part for part in parts[1:])
    return dice.choice(WRAPS).format(text)


def lowering(dice):
    """Rules that let run, with one now and then that raises."""
    tiers = ["safe", "safe", "low", "low", "medium", "high", "forbid"]
    return [
        Rule(dice.choice(["shell", "*", "sh*"]), dice.choice(tiers), {"command": dice.choice(PATTERNS)})
        for _ in range(dice.randint(0, 4))
    ]


def test_of_3000_generated_compounds_none_comes_out_below_high_whatever_rules_say_of_arguments():
    """A dangerous part alone may be let run by a rule where it is one plain command; that is what rules are for."""
    dice = random.Random(60)
    compounds = 0
    for _ in range(3_600):
        text, rules = compound(dice), lowering(dice)
        command = read(text)
        if commands.plain(command):
            continue
        compounds += 1
        assert Tier.HIGH == ruled(text, *rules).tier, (text, rules)

    assert compounds >= 3_000


def test_of_2000_generated_compounds_no_dangerous_one_is_safe_under_rules_for_the_harmless_ones():
    """Rules that let run exactly the harmless commands let nothing dangerous run, alone or joined."""
    dice = random.Random(61)
    rules = [Rule("shell", "safe", {"command": f"^{each.replace('*', '[*]').replace('.', '[.]')}$"}) for each in SAFE]
    for _ in range(2_400):
        text = compound(dice)
        assert Tier.HIGH == ruled(text, *rules).tier, text


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_the_generated_compounds_are_commands_that_bash_reads():
    """Else it would be no wonder that they ask."""
    dice = random.Random(62)
    texts = [compound(dice) for _ in range(200)]
    done = [subprocess.run(["bash", "-n", "-c", text], capture_output=True, check=False) for text in texts]
    good = [each for each in done if not each.returncode]

    assert len(good) > 160


def test_a_text_that_is_too_long_is_still_searched_for_what_is_forbidden():
    assert ruled("ls; " * LONGEST + "rm x", Rule("shell", "forbid", {"command": "rm x$"})).forbidden
    assert ruled("echo " + "a" * LONGEST + "; rm x", RM).forbidden


# --- Texts that would kill the grammar --------------------------------------------------------------

FAR = """
import random
from agentctl.tools.shell_reading import read
from agentctl.tools.shell_spellings import of_text
dice = random.Random(7)
plain = " abrm;|&<>(){}$`'\\"\\\\\\n!#=[]*?~%:-@+^"
for _ in range(4_000):
    far = [chr(dice.choice([dice.randint(0, 0x10FFFF), dice.randint(0x80, 0x7FF)])) for _ in range(12)]
    text = "".join(dice.choice([*far, *dice.choices(plain, k=12)]) for _ in range(20))
    read(text)
    of_text("$'" + text + "'")
print("alive")
"""


def test_characters_far_from_ascii_do_not_kill_the_process():
    """In a process of its own: the grammar's scanner would read beyond its tables."""
    done = subprocess.run([sys.executable, "-c", FAR], capture_output=True, text=True, check=False)

    assert (0, "alive") == (done.returncode, done.stdout.strip()), done.stderr[-400:]


# --- Words that a shell reads once more ------------------------------------------------------------

AGAIN = [
    *("test -v 'a[$(rm x)]'", "printf -v 'a[$(rm x)]' x", "read 'a[$(rm x)]'", "let 'a[$(rm x)]'", "let 'a[`rm x`]'"),
    *("eval 'ls; rm x'", "eval 'ls $(rm x)'", "bash -c 'ls && rm x'", "sh -c 'rm >f'", "env bash -c 'ls; rm x'"),
    *("timeout 5 sh -c '(rm x)'", "sudo /bin/sh -c 'ls | rm'", "trap 'ls; rm x' EXIT", "watch 'ls | rm'"),
    *("compgen -C 'rm;' a", "su -c 'ls; rm x'", "env -i busybox sh -c 'ls; rm'"),
]  # fmt: skip
FORMS = [
    "{} '{}'",
    "{} -v '{}'",
    "{} -v '{}' x",
    "{} a '{}'",
    "{} -n '{}'",
    "{} -p '{}'",
    "{} '{}=1'",
    "{} -a '{}' -eq 1",
]


@pytest.mark.parametrize("text", AGAIN)
def test_no_rule_lowers_a_compound_or_a_substitution_that_hides_in_a_literal_word(text):
    everything = Rule("shell", "safe", {"command": "(?s)^.*$"})

    assert Tier.HIGH == ruled(text, everything).tier
    assert "once more" in read(text).why
    assert Tier.HIGH == ruled(f"ls; {text}", everything).tier
    assert "once more" in read(f"ls; {text}").parts[1].why


@pytest.mark.parametrize(
    "text", ["bash scripts/test.sh", "sh -c ls", "timeout 5 make test", "test -f x", "printf '%s' x"]
)
def test_literal_words_that_are_read_once_more_and_stay_what_they_are_can_be_let_run(text):
    assert Tier.LOW == ruled(text, Rule("shell", "low", {"command": "^.*$"})).tier


@pytest.mark.parametrize("shell", [each for each in ("bash", "zsh") if shutil.which(each)])
def test_no_plain_command_of_the_shells_own_starts_what_stands_in_its_words(shell, tmp_path):
    """Each builtin and keyword, with words that some of them would expand: a PATH of one program that tells."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "rm").write_text('#!/bin/sh\necho "$0 $*" >> "$RECORD"\n')
    (tmp_path / "bin" / "rm").chmod(0o755)
    listed = {"bash": "compgen -kb", "zsh": "print -l ${(k)builtins} ${(k)reswords}"}
    names = subprocess.run([shell, "-c", listed[shell]], capture_output=True, text=True, check=True).stdout.split()
    texts = [form.format(name, word) for name in names for form in FORMS for word in ("a[$(rm x)]", "$(rm x)")]
    plain = [text for text in texts if commands.plain(read(text))]
    assert len(plain) > 20

    record = tmp_path / "record"
    env = {"PATH": str(tmp_path / "bin"), "RECORD": str(record), "HOME": str(tmp_path)}
    started: list[str] = []
    for text in plain:
        subprocess.run(
            [shutil.which(shell), "-c", text], cwd=tmp_path, env=env, stdin=-3, capture_output=True, check=False
        )
        started += [text] if record.exists() else []
        record.unlink(missing_ok=True)
    assert "" == " ".join(sorted({text.split()[0] for text in started}))
