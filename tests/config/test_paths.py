import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.config import paths

HEAVY = (
    "keyring",
    "jsonschema",
    "tree_sitter",
    "re2",
    "genai_prices",
    "pydantic",
    "platformdirs",
    "anthropic",
    "openai",
)


def test_one_variable_moves_everything(isolated):
    assert isolated / "data" == paths.data_dir()
    assert isolated / "config" / "policies" == paths.user_policies()
    assert f"sqlite:///{isolated}/data/agentctl.db" == paths.store_url()


def test_without_it_the_platforms_own_folders_are_used(monkeypatch, tmp_path):
    monkeypatch.delenv("AGENTCTL_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "d"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "c"))

    assert tmp_path / "d" / "agentctl" == paths.data_dir()
    assert tmp_path / "c" / "agentctl" == paths.config_dir()


def test_the_flag_goes_before_the_variable_before_the_default(monkeypatch):
    monkeypatch.setenv("AGENTCTL_STORE", "postgresql://h/db")

    assert "postgresql://h/db" == paths.store_url()
    assert "sqlite:///x.db" == paths.store_url("sqlite:///x.db")


@pytest.mark.parametrize(("flag", "variable", "named"), [(None, "", False), ("x", "", True), (None, "x", True)])
def test_a_store_is_named_by_either_unless_it_is_empty(monkeypatch, flag, variable, named):
    monkeypatch.setenv("AGENTCTL_STORE", variable)

    assert named == paths.is_named(flag)


def test_nothing_is_created_by_asking(isolated):
    paths.store_url()
    list(paths.policies())

    assert [] == list(isolated.iterdir())


def test_a_users_policy_hides_the_shipped_one_of_its_name():
    own = paths.user_policies()
    own.mkdir(parents=True)
    (own / "standard.toml").touch()
    (own / "house.toml").touch()

    named = dict(paths.policies())

    assert own / "standard.toml" == named["standard"]
    assert {"house", "standard"} <= set(named)
    assert not paths.is_shipped(named["standard"])
    assert paths.is_shipped(paths.shipped_policies() / "standard.toml")


def test_a_wheels_policies_stand_beside_the_package(monkeypatch, tmp_path):
    packed = tmp_path / "agentctl" / "_policies"
    packed.mkdir(parents=True)
    monkeypatch.setattr(paths, "__file__", str(tmp_path / "agentctl" / "config" / "paths.py"))

    assert packed == paths.shipped_policies()

    packed.rmdir()

    assert tmp_path / "policies" == paths.shipped_policies()


@pytest.mark.parametrize("module", sorted(Path(paths.__file__).parent.glob("*.py")), ids=lambda path: path.stem)
def test_importing_a_module_loads_nothing_heavy(module):
    name = f"agentctl.config.{module.stem}".removesuffix(".__init__")
    code = f"import sys, {name}; print([each for each in {HEAVY!r} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


def test_loading_a_good_policy_parses_no_syntax_tree():
    code = (
        "import sys; from agentctl.config.load import load_policy; load_policy('standard');"
        "print([each for each in ('tree_sitter', 'keyring', 'jsonschema') if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


def test_a_home_that_nobody_has_is_no_crash():
    assert Path("~0/x") == paths.expanded("~0/x")
    assert Path.home() / "x" == paths.expanded("~/x")
