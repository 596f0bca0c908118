"""`auth` against a real Secret Service: gnome-keyring on a bus of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

AGENTCTL = str(Path(sys.executable).parent / "agentctl")
KEY = "sk-fake-4711-for-the-keyring"
UNLOCKED = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1; sleep 0.5; "
LOCK = f"{sys.executable} -c 'import secretstorage as s; s.get_default_collection(s.dbus_init()).lock()'; "


@pytest.fixture
def bus(tmp_path):
    """Run a line of shell on a fresh bus with an unlocked keyring."""

    def run(line: str) -> subprocess.CompletedProcess[str]:
        home = tmp_path / "home"
        (home / ".local/share").mkdir(parents=True, exist_ok=True)
        runtime = tmp_path / "run"
        runtime.mkdir(mode=0o700, exist_ok=True)
        env = {**os.environ, "HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "AGENTCTL_HOME": str(home)}
        env.pop("PYTHON_KEYRING_BACKEND", None)
        command = ["dbus-run-session", "--", "bash", "-c", UNLOCKED + line]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)

    return run


@pytest.mark.needs("dbus-run-session", "gnome-keyring-daemon")
def test_a_key_is_stored_read_back_listed_and_removed(bus):
    """F02: the key is in the keyring, and in nothing that is printed."""
    a = AGENTCTL
    done = bus(
        f"printf {KEY} | {a} auth set anthropic && {a} auth list && {a} auth remove anthropic && {a} auth list --json"
    )

    assert 0 == done.returncode, done.stderr
    assert "SecretService" in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr


@pytest.mark.needs("dbus-run-session", "gnome-keyring-daemon")
def test_a_run_finds_its_key_in_the_keyring(bus, tmp_path):
    task = tmp_path / "task.toml"
    task.write_text('version = 1\nname = "t"\ngoal = "Say hi."\n')
    found = bus(f"printf {KEY} | {AGENTCTL} auth set anthropic && {AGENTCTL} run {task} --explain --json")

    assert 0 == found.returncode, found.stderr
    assert "provider anthropic would be skipped" not in found.stdout
    assert "provider openai would be skipped" in found.stdout


@pytest.mark.needs("dbus-run-session", "gnome-keyring-daemon")
def test_a_locked_keyring_is_said_so_at_once(bus):
    done = bus(LOCK + f"printf {KEY} | {AGENTCTL} auth set anthropic")

    assert 3 == done.returncode, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "ANTHROPIC_API_KEY" in done.stderr
