"""`scrub test`: by which rule what would be masked, and never the secret."""

import pytest

SECRET = "h" + "unter2hunter2"
KEY = "gh" + "p_" + "a1" * 18


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "build.log"
    path.write_text(f"started\npassword={SECRET}\nuses {KEY} now\nmax_tokens=5\n")
    return path


def test_each_line_names_its_rule_and_never_the_secret(agentctl, log):
    called = agentctl("scrub", "test", log)

    assert 0 == called.code
    assert f"line 2: {len(SECRET)} characters, name:password\nline 3: {len(KEY)} characters, prefix:ghp\n" == called.out
    assert "2 would be masked: 1 by name, 1 by prefix" in called.err
    assert SECRET not in called.out + called.err
    assert KEY not in called.out + called.err


def test_programs_get_the_same_as_json(agentctl, log):
    called = agentctl("scrub", "test", log, "--json")

    assert ["name:password", "prefix:ghp"] == [item["rule"] for item in called.json["items"]]
    assert SECRET not in called.out + called.err


def test_a_text_may_come_from_stdin(agentctl):
    called = agentctl("scrub", "test", "--json", stdin="nothing here")

    assert [] == called.json["items"]


def test_your_own_patterns_are_tried_with_their_number(agentctl, tmp_path):
    (tmp_path / "p.toml").write_text("version = 1\n[scrub]\npatterns = ['ACME-[0-9]{4}']\n")
    called = agentctl("scrub", "test", "--policy", tmp_path / "p.toml", "--json", stdin="see ACME-1234 and ACME-x")

    assert [(1, 9, "scrub.patterns[0]")] == [tuple(item.values()) for item in called.json["items"]]


def test_a_secret_that_is_a_name_is_not_printed_as_the_rule(agentctl):
    called = agentctl("scrub", "test", stdin=f"password=token_{SECRET}: secret_{SECRET}={SECRET}")

    assert SECRET not in called.out + called.err


def test_the_values_of_this_shells_variables_are_known(agentctl, monkeypatch):
    monkeypatch.setenv("SHOP_API_KEY", "wholly-unusual-words")
    called = agentctl("scrub", "test", stdin="so it is wholly-unusual-words")

    assert "known value" in called.out
    assert "unusual" not in called.out + called.err


def test_a_file_that_cannot_be_read_is_said(agentctl, tmp_path):
    called = agentctl("scrub", "test", tmp_path / "none.log")

    assert 3 == called.code
    assert "none.log: No such file" in called.err
