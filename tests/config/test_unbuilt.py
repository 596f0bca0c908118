import pytest

from agentctl.config.load import load_policy
from agentctl.config.unbuilt import notices


@pytest.fixture
def policy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def load(text):
        (tmp_path / "p.toml").write_text(text)
        return load_policy("p.toml")

    return load


def test_harmless_keys_are_one_line(policy):
    lines = notices(policy('[alerts]\nurls = ["x"]\n[cache]\nmin_hit_ratio = 0.1\n'))

    assert "p: without effect in this version: alerts.urls" == lines[0]
    assert 2 == len(lines)


def test_what_standard_sets_and_nobody_asks_is_one_line(policy):
    shipped = load_policy("standard")

    assert ["not enforced by this version: [alerts]"] == notices(shipped)
    assert ["not enforced by this version: [alerts]"] == notices(policy("[pace]\nenabled = false\n"))
