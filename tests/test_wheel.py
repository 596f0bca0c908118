"""What is released: the wheel and the source archive, and the main job done from the wheel with nothing else there."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

import agentctl

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "agentctl"
NAME = f"agentctl-{agentctl.__version__}"
KINDS = {".css", ".html", ".js", ".md", ".py", ".toml", ".typed"}
SHARE = f"{NAME}.data/data/share"
COMPLETIONS = {
    f"{SHARE}/bash-completion/completions/agentctl",
    f"{SHARE}/fish/vendor_completions.d/agentctl.fish",
    f"{SHARE}/zsh/site-functions/_agentctl",
}

pytestmark = pytest.mark.slow


def build(source: Path, target: Path, *kinds: str) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target), *(f"-t{kind}" for kind in kinds)]
    done = subprocess.run(command, cwd=source, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def wheel_of(folder: Path) -> Path:
    (wheel,) = folder.glob("*.whl")
    return wheel


def names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder with both archives."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder, "sdist", "wheel")
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The programs of an environment that has the wheel, and the libraries of this one, but not this checkout.

    A path in a .pth file is searched, while the .pth files there, this checkout's among them, are not obeyed.
    """
    folder = tmp_path_factory.mktemp("empty")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel_of(built)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    libraries = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (packages / "libraries.pth").write_text("\n".join(libraries))
    return python.parent


@pytest.fixture
def shell(installed, tmp_path):
    """Runs a command in an empty folder, with an empty home and only what every terminal sets."""
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    env = {"HOME": str(home), "PATH": f"{installed}:{os.environ['PATH']}", "LANG": "C.UTF-8"}

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=here, env=env, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    return run


def test_the_wheel_holds_the_package_the_policies_the_completions_and_nothing_else(built):
    """F08"""
    found = names(wheel_of(built))
    package = {
        path.relative_to(ROOT).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    policies = {f"agentctl/_policies/{path.name}" for path in (ROOT / "policies").glob("*.toml")}
    about = {f"{NAME}.dist-info/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt")}
    about.add(f"{NAME}.dist-info/licenses/LICENSE")

    assert package | policies | COMPLETIONS | about == found
    assert len(policies) == 8
    assert {Path(name).suffix for name in package} <= KINDS
    assert [] == sorted(path for path in package if Path(path).name.startswith((".", "test_")))


def test_the_wheel_says_what_it_is(built):
    text = zipfile.ZipFile(wheel_of(built)).read(f"{NAME}.dist-info/METADATA").decode()
    head, _, body = text.partition("\n\n")

    assert f"Version: {agentctl.__version__}" in head
    assert "License-Expression: MIT" in head
    assert "Classifier: Development Status :: 5 - Production/Stable" in head
    assert body.startswith("# agentctl\n")


def test_the_source_archive_makes_the_same_wheel(built, tmp_path):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        members = packed.getnames()
        packed.extractall(tmp_path, filter="data")
    build(tmp_path / NAME, tmp_path / "again", "wheel")

    tops = {Path(name).relative_to(NAME).parts[0] for name in members}
    folders = {"agentctl", "completions", "policies", "tests"}
    files = {".gitignore", "CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", "requirements.lock"}

    assert names(wheel_of(built)) == names(wheel_of(tmp_path / "again"))
    assert folders | files == tops
    assert [] == [name for name in members if name.endswith((".pyc", ".db", ".log")) or "/.venv/" in name]


def test_the_wheel_does_the_main_job_in_an_environment_that_is_empty(shell, installed, tmp_path):
    """F01 F04"""
    where = shell("python", "-c", "import agentctl; print(agentctl.__file__)").stdout.strip()

    assert str(installed.parent / "lib") in where

    assert shell("agentctl", "--version").stdout == f"agentctl {agentctl.__version__}\n"

    begun = shell("agentctl", "init", "demo")

    assert begun.returncode == 0, begun.stderr

    done = shell("agentctl", "run", "demo/task.toml", "--rehearse", "--var", "order=A-1001")

    assert done.returncode == 0, done.stderr
    assert "Your order A-1001" in done.stdout
    assert "completed: done" in done.stderr

    checked = shell("agentctl", "policy", "check", "standard", "demo/policy.toml")

    assert checked.returncode == 0, checked.stderr
    assert shell("agentctl", "help", "start").returncode == 0
    assert list((tmp_path / "home").rglob("agentctl.db"))
