"""Which arguments name a file that decides what is done later."""

import pytest

from agentctl.tools.protected import named


@pytest.mark.parametrize(
    "path",
    [
        *(
            "AGENTS.md",
            "docs/CLAUDE.md",
            ".cursorrules",
            ".github/workflows/ci.yml",
            "x/.git/hooks/pre-push",
            ".git/config",
        ),
        *(".envrc", ".pre-commit-config.yaml", ".pre-commit-config.yml", ".mcp.json", ".vscode/tasks.json", ".bashrc"),
        *(
            "/home/ada/.config/git/config",
            "C:\\repo\\.git\\hooks\\post-merge",
            "a\\AGENTS.MD",
            " .envrc ",
            "./a/../.envrc",
        ),
        *("agents.md.", "AG\u200bENTS.md", ".gitlab-ci.yml", "file:///srv/.github/workflows/x.yml"),
    ],
)
def test_an_instruction_hook_or_ci_file_is_named(path, tmp_path):
    """D22"""
    assert named(["text", path], tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        *("AGENTS.md/x/..", "AGENTS.md::$DATA", ".git::$INDEX_ALLOCATION/hooks/x", "GIT~1/hooks/x", "%2egit/hooks/x"),
        *(
            "file:///x/%2Egit/hooks/y",
            "link.txt",
            "links/x",
            ".GIT//HOOKS/x",
            "./.git//hooks/x",
            "~/.ssh/authorized_keys",
        ),
        *(
            ".npmrc",
            ".pypirc",
            ".netrc",
            ".vimrc",
            ".inputrc",
            ".bash_aliases",
            "mise.toml",
            "QWEN.md",
            "a/.aws/config",
        ),
        *(".forgejo/workflows/x.yml", ".github/dependabot.yml", ".cargo/config.toml", "lib/site-packages/x.pth"),
        *("/home/ada/.config/agentctl/policies/standard.toml", "/home/ada/.local/share/agentctl/agentctl.db"),
    ],
)
def test_so_is_one_in_disguise_behind_a_link_or_of_another_program(path, tmp_path):
    """D22"""
    (tmp_path / "link.txt").symlink_to("AGENTS.md")
    (tmp_path / ".git").mkdir()
    (tmp_path / "links").symlink_to(".git")

    assert named([path], tmp_path)


@pytest.mark.parametrize(
    "command", ["echo x > .git/hooks/pre-commit", "tee <y AGENTS.md", "cp x '.envrc'; ls", "cat a >.npmrc\nls"]
)
def test_in_a_command_any_word_may_be_the_path(command, tmp_path):
    """D22"""
    assert named([command], tmp_path, commands=True)
    assert "" == named(["git status; ls src/agents.py"], tmp_path, commands=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pyproject.toml",
        "Makefile",
        "src/main.py",
        "https://example.org/a?b=1",
        "notes/today.md",
        "Please update AGENTS.md soon.",
        "line\n.envrc",
        "a" * 5_000 + "/.envrc",
        "agents",
        ".",
        "/",
        "github/workflows",
        "nul\0.envrc",
    ],
)
def test_other_paths_and_mere_mentions_are_not(text, tmp_path):
    assert "" == named([text], tmp_path)


def test_the_tasks_own_files_are_found_however_the_path_is_written(tmp_path):
    own = tmp_path / "task.toml"
    own.write_text("")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "link.toml").symlink_to(own)

    for path in ("task.toml", "./sub/../task.toml", str(own), "sub/link.toml"):
        assert named([path], tmp_path, (own,))
    assert "" == named(["other.toml"], tmp_path, (own,))
