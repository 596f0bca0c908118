"""The table, program by program: what it lets through, and what it must not."""

import shlex

import pytest

from agentctl.core.programs import BUILTINS, PROGRAMS, REFUSED, STARTS_OTHERS, check

SAFE = """
ls
ls -la src
ls --color=never -1
pwd
find . -name '*.py' -type f -maxdepth 2
find src -not -path '*/x/*' -print
du -sh src
df -h
stat -c %s README.md
file -b README.md
basename a/b.py .py
dirname a/b
realpath -e src
readlink -f src
which git
cat -n README.md
tac f
head -n 5 f
head -5 f
tail -n5 f
nl -b a f
wc -l f g
cut -d : -f 1 f
uniq -c f
sort -k 2 -rn f
comm -12 a b
cmp -s a b
diff -u a b
fold -w 80 f
od -c f
strings -n 8 f
grep -rn 'a b' src --include=*.py
rg -n --glob '*.py' word src
sed -n 1,20p f
sed -n '5,$p' f
md5sum f
sha1sum f
sha256sum -b f
tar -tzf a.tgz
tar --list --file=a.tar
git status --short
git log --oneline -5 -- src
git log --since=2024-01-01 --format='%h %an'
git --no-pager log --format='%h %s' main..HEAD
git diff --stat HEAD
git show HEAD:README.md
git blame -L 1,5 f
git branch -a
git tag -l
git remote -v
git rev-parse --abbrev-ref HEAD
git ls-files -o --exclude-standard
git ls-tree -r HEAD
git cat-file -p HEAD
git describe --tags
git merge-base main HEAD
git rev-list --count HEAD
date +%F
date -u
uname -a
whoami
id -u
nproc
seq 1 -1 -5
echo -n a b
true
false
""".strip().splitlines()

ASKS = """
find . -exec rm x
find . -execdir rm x
find . -ok rm x
find . -delete
find . -fprintf f %p
find . -name
find . -newoption
rg --pre cat x
rg --pre=cat x
rg -z x
rg --hostname-bin=x y
rg --search-zip x
git -c core.pager=x status
git -ccore.pager=x status
git --config-env=a=B status
git -C sub status
git --git-dir=x status
git --exec-path=x status
git -p log
git diff --output=F
git diff --outp=F
git diff --ext-diff
git log --textconv
git diff --no-index a b
git log -S --output=F
git branch new
git branch -D main
git branch -d main
git tag v1
git tag -d v1
git remote add o u
git push
git commit -m x
git checkout f
git config -l
git st
git
git grep -O x
sed e f
sed 1e f
sed -n 1,5w f
sed 's/a/b/e' f
sed -i 1p f
sed -e 1p f
sed -n '1p;1e' f
sed -f script f
sed
sed -- 1p
awk '{system("id")}' f
gawk 1 f
tar -xf a.tar
tar xf a.tar
tar tf a.tar
tar -cf a.tar f
tar --checkpoint-action=exec=sh -tf a
tar -tf a --to-command=sh
tar -I sh -tf a
tar --use-compress-program=sh -tf a
tar -tf host:a
env ls
env -S 'sh -c id'
xargs rm
sort -o f f
sort -ro f f
sort --output=f f
sort --compress-program=sh f
uniq a b
uniq -- a b
date -s 2020-01-01
date 01010000
date --set=x
diff -l a b
file -z f
file -C -m f
tail -f f
tree -o f
python3 x.py
bash -c id
sh x.sh
eval ls
exec ls
command ls
source x
time ls
nohup ls
sudo ls
make
npm test
rm f
mv a b
cp a b
touch f
tee f
dd if=a of=b
chmod +x f
curl http://x
ssh h
kill 1
cat /etc/passwd
cat ../secret
cat a/../../secret
cat ~/x
cat ..
grep -f/etc/shadow x
grep --exclude=/etc x
head -n -c f
git show HEAD:../x
git log --format=%G?
git log '--pretty=%h %-GK'
strings @opts
strings -n 5 @opts
git diff --stat=/etc
printf -v PATH x
cd sub
export A=1
alias ls=rm
ls --unknown
ls -Z
LS
""".strip().splitlines()


@pytest.mark.parametrize("text", SAFE)
def test_a_command_that_only_reads_here_is_safe(text):
    assert "" == check(tuple(shlex.split(text)))


@pytest.mark.parametrize("text", ASKS)
def test_whatever_could_do_more_asks_and_says_why(text):
    words = tuple(shlex.split(text))

    why = check(words)

    assert any(word.partition("=")[0] in why or word[:2] in why for word in words), why


def test_every_program_and_every_subcommand_has_a_safe_use_here():
    used = {text.partition(" ")[0] for text in SAFE}
    git = {word for text in SAFE if text.startswith("git") for word in shlex.split(text)}

    assert set(PROGRAMS) == used
    assert set(PROGRAMS["git"].commands) <= git


def test_every_refused_option_asks_and_is_told_from_an_unknown_one():
    for name, reasons in REFUSED.items():
        for why, options in reasons.items():
            for option in options.split():
                said = check((name, option, "x"))
                assert said
                assert why in said or name == "find"


def test_no_option_is_both_allowed_and_refused():
    for name, reasons in REFUSED.items():
        refused = {option for options in reasons.values() for option in options.split()}
        program = PROGRAMS[name]
        allowed = program.options | program.settings | {f"-{letter}" for letter in program.flags + program.valued}
        assert set() == refused & allowed - {"-p"}


@pytest.mark.parametrize("name", sorted(PROGRAMS))
def test_any_unknown_option_of_any_program_asks(name):
    if name in {"echo", "true", "false"}:
        return
    below = next(iter(PROGRAMS[name].commands), "")
    words = (name, below) if below else (name,)

    assert check((*words, "--no-such-option"))
    assert check((*words, "--no-such-option=x", "f"))


def test_abbreviations_of_long_options_ask():
    assert check(("git", "diff", "--stag"))
    assert check(("grep", "--recurs", "x"))
    assert check(("sort", "--revers", "f"))


def test_who_starts_others_is_never_on_the_list():
    assert set() == STARTS_OTHERS & set(PROGRAMS)
    assert set(PROGRAMS) >= BUILTINS
