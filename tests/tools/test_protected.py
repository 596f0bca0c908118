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
    "text",
    [
        "",
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
