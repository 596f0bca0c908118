"""What a program may not change is compared and put back: at any depth, whatever it left in the way."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from agentctl.tools.sandbox import guarded, keeping
from agentctl.tools.sandbox.guarded import TooMany
from agentctl.tools.sandbox.keeping import begin, end, standing, words


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "work"
    for name, text in {
        ".git/hooks/pre-commit": "good",
        ".git/config": "[core]",
        ".git/objects/aa/b": "blob",
        ".git/HEAD": "ref",
        ".git/refs/x": "",
        ".github/workflows/ci.yml": "on: push",
        "sub/AGENTS.md": "be kind",
        "src/main.py": "print()",
        "policy.toml": "version = 1",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(autouse=True)
def nothing_stands():
    yield
    assert [] == standing


def snapshot(root):
    return {
        str(path.relative_to(root)): (stat.S_IMODE(path.lstat().st_mode), path.read_text() if path.is_file() else "")
        for path in root.rglob("*")
    }


def changed(root, act, fixed=()):
    watch = begin((root,), fixed)
    act()
    return end(watch)


def planted(root, *names):
    def act():
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("evil")

    return act


@pytest.mark.parametrize(
    "name",
    [
        ".envrc", "AGENTS.md", ".git/hooks/post-checkout", ".git/config.worktree", ".git/info/attributes",
        ".git/commondir", ".git/modules/lib/hooks/update", ".git/worktrees/w/commondir", ".github/workflows/x.yml",
        "sub/deep/.git/hooks/pre-commit", "sub/.git/config", "sub/CLAUDE.md", "a/b/c/.cursor/rules/x.mdc",
        "pkg/.vscode/tasks.json", ".GIT/hooks/x", "sub/.Envrc", "x/.gitlab-ci.yml", ".git/hooks/pre-commit",
    ],
)  # fmt: skip
def test_what_is_made_or_changed_at_any_depth_goes_again(tree, name):
    before = {path: each for path, each in snapshot(tree).items() if (tree / path).is_file()}
    if ".git/modules" in name:
        for each in ("HEAD", "objects/a", "refs/a"):
            planted(tree, f".git/modules/lib/{each}")()
    undone = changed(tree, planted(tree, name))
    after = {path: each for path, each in snapshot(tree).items() if (tree / path).is_file()}

    assert undone.changed
    assert () == undone.left
    assert before == {path: each for path, each in after.items() if not path.startswith(".git/modules/lib/")}
    assert not (tree / name).exists() or (tree / name).read_text() == "good"


@pytest.mark.parametrize("marks", [("HEAD", "objects/x", "refs/x"), ("HEAD", "commondir")])
def test_a_folder_that_git_takes_for_a_repository_is_one(tree, marks):
    """`git status` in it would run what its config says."""
    undone = changed(tree, planted(tree, *(f"docs/{each}" for each in marks), "docs/config", "docs/hooks/x"))

    assert {str(tree / "docs" / "config"), str(tree / "docs" / "hooks")} <= set(undone.changed)
    assert not (tree / "docs" / "config").exists()


def test_what_is_not_guarded_is_left_alone(tree):
    work = planted(tree, "src/new.py", ".git/objects/cc/d", ".git/index", "node_modules/x/.travis.yml", "src/main.py")
    undone = changed(tree, work)

    assert ((), ()) == (undone.changed, undone.left)
    assert "evil" == (tree / "src" / "main.py").read_text()


def test_git_itself_can_commit(tmp_path):
    root = tmp_path / "repo"
    git = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    (root / "a").write_text("1")

    def commit():
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", "x"], check=True)
        subprocess.run([*git, "checkout", "-qb", "next"], check=True)

    assert () == changed(root, commit).changed


@pytest.mark.parametrize("way", ["link", "removed", "file", "closed", "renamed"])
def test_whatever_stands_in_the_way_of_a_folder_it_is_made_again(tree, tmp_path, way):
    """Nothing is ever written or removed through a link."""
    victim = tmp_path / "victim"
    (victim / "hooks").mkdir(parents=True)
    (victim / "workflows").mkdir()
    (victim / "hooks" / "mine").write_text("keep")
    (victim / "workflows" / "mine.yml").write_text("keep")
    before = snapshot(victim)

    def act():
        for name in (".git", ".github"):
            at = tree / name
            if way == "closed":
                (at / "workflows" if name == ".github" else at / "hooks").chmod(0)
                continue
            at.rename(tree / f"moved{name}")
            if way == "link":
                at.symlink_to(victim)
            elif way == "file":
                at.write_text(f"gitdir: {victim}")
            elif way == "renamed":
                (at / "hooks").mkdir(parents=True)
                (at / "hooks" / "pre-commit").write_text("evil")

    undone = changed(tree, act)

    assert () == undone.left
    assert undone.changed
    assert before == snapshot(victim)
    assert "good" == (tree / ".git" / "hooks" / "pre-commit").read_text()
    assert "on: push" == (tree / ".github" / "workflows" / "ci.yml").read_text()
    assert not (tree / ".git").is_symlink()
    assert (tree / ".git").is_dir()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_git_as_a_file_or_a_link_stays_what_it_was(tmp_path, kind):
    """Worktrees and submodules: the file says where the hooks are."""
    root = tmp_path / "work"
    root.mkdir()
    if kind == "file":
        (root / ".git").write_text("gitdir: /somewhere/.git/worktrees/w")
    else:
        (root / ".git").symlink_to("/somewhere/.git")

    def act():
        (root / ".git").unlink()
        (root / ".git" / "hooks").mkdir(parents=True)
        (root / ".git" / "hooks" / "x").write_text("evil")

    undone = changed(root, act)

    assert (True, ()) == (bool(undone.changed), undone.left)
    assert kind == "link" or "gitdir: /somewhere/.git/worktrees/w" == (root / ".git").read_text()
    assert kind == "file" or Path("/somewhere/.git") == (root / ".git").readlink()


def test_two_calls_side_by_side_never_take_what_the_other_made_for_given(tree):
    first = begin((tree,))
    planted(tree, ".git/hooks/pre-commit", ".envrc", "sub/.git/config")()
    (tree / "sub" / "AGENTS.md").unlink()
    second = begin((tree,))
    one = end(first)
    planted(tree, ".envrc")()
    two = end(second)

    assert ((), ()) == (one.left, two.left)
    assert one.changed
    assert "good" == (tree / ".git" / "hooks" / "pre-commit").read_text()
    assert "be kind" == (tree / "sub" / "AGENTS.md").read_text()
    assert not (tree / ".envrc").exists()
    assert not (tree / "sub" / ".git" / "config").exists()


def test_calls_with_other_files_and_other_roots_do_not_touch_each_other_s(tree):
    """What only one of them looks after is not a thing that was made, for the other."""
    first = begin((tree,))
    second = begin((tree / "sub", tree), (tree / "policy.toml",))
    end(second)
    end(first)

    assert "version = 1" == (tree / "policy.toml").read_text()


def test_a_file_of_the_task_comes_back_also_where_its_folder_is_a_link_now(tree, tmp_path):
    (tree / "conf").mkdir()
    (tree / "conf" / "mine.toml").write_text("strict")
    (tmp_path / "loose").mkdir()
    (tmp_path / "loose" / "mine.toml").write_text("strict")

    def act():
        (tree / "conf").rename(tree / "moved")
        (tree / "conf").symlink_to(tmp_path / "loose")
        (tmp_path / "loose" / "mine.toml").write_text("loose")

    undone = changed(tree, act, (tree / "conf" / "mine.toml",))

    assert (str(tree / "conf" / "mine.toml"),) == undone.changed
    assert not (tree / "conf").is_symlink()
    assert "strict" == (tree / "conf" / "mine.toml").read_text()
    assert "loose" == (tmp_path / "loose" / "mine.toml").read_text()


def test_what_is_too_long_to_be_kept_is_said_to_be_lost(tree, monkeypatch):
    monkeypatch.setattr(keeping, "KEPT_BYTES", 3)
    undone = changed(tree, planted(tree, ".git/hooks/pre-commit", ".envrc"))

    assert (str(tree / ".git" / "hooks" / "pre-commit"),) == undone.left
    assert "could not be put back" in words(undone.changed, undone.left)


def test_more_than_can_be_looked_at_starts_nothing(tree, monkeypatch):
    monkeypatch.setattr(guarded, "ENTRIES", 5)
    with pytest.raises(TooMany, match="narrow"):
        begin((tree,))


def test_a_tree_that_grows_beyond_what_can_be_looked_at_is_said_and_what_is_known_is_put_back(tree, monkeypatch):
    watch = begin((tree,))
    planted(tree, ".git/hooks/pre-commit", *(f"many/{number}" for number in range(50)))()
    monkeypatch.setattr(guarded, "ENTRIES", 20)
    undone = end(watch)

    assert "not all could be looked at" in undone.left[-1]
    assert "good" == (tree / ".git" / "hooks" / "pre-commit").read_text()


def test_a_huge_tree_is_looked_through_in_full(tmp_path):
    root = tmp_path / "huge"
    for number in range(30):
        (root / str(number)).mkdir(parents=True)
        for other in range(100):
            (root / str(number) / str(other)).touch()
    undone = changed(root, planted(root, "29/x/y/z/.envrc"))

    assert (str(root / "29/x/y/z/.envrc"),) == undone.changed


@pytest.mark.skipif(os.getuid() != 0, reason="only root makes files of others")
def test_the_owner_is_kept(tree):
    os.chown(tree / ".git" / "config", 1000, 1000)
    changed(tree, planted(tree, ".git/config"))
    (tree / ".git" / "config").unlink()
    (tree / ".git" / "config").write_text("x")
    os.chown(tree / ".git" / "config", 1000, 1000)
    changed(tree, lambda: ((tree / ".git" / "config").unlink(), planted(tree, ".git/config")()))

    assert 1000 == (tree / ".git" / "config").stat().st_uid
