"""The ways to write a path, and what rules make of them."""

import posixpath
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.config import patterns
from agentctl.core import command_rules, pathways
from agentctl.core.guards.risk import Reader, Rule, Rules
from agentctl.core.tiers import Tier
from tests.play import contract

READER = Reader(patterns.found, ("p.toml:1", "p.toml:2"))
READS = contract("read_file", side_effects="none")
steps = st.lists(st.sampled_from((".", "..", "", "a", "b c", "secrets")), min_size=1, max_size=6)


def ruling(args, *rules, tool=READS, **table):
    return command_rules.tier(Rules(rules=rules, **table), tool, args, READER, None)


@pytest.mark.parametrize(
    "path",
    ["secrets/x", "./secrets/x", "a/../secrets/x", "secrets//x", "a/./../secrets/x", ".//secrets/./x", "./secrets/"],
)
def test_what_a_rule_forbids_is_forbidden_however_its_path_is_written(path):
    forbidden = Rule("read_file", "forbid", {"path": "^secrets/"})

    assert ruling({"path": path}, forbidden).forbidden
    assert ruling({"path": path, "text": "x//y"}, forbidden).forbidden
    assert not ruling({"path": f"docs/{path.count('/')}"}, forbidden).forbidden


def test_paths_in_lists_and_objects_are_seen_too():
    forbidden = Rule("read_file", "forbid", {"files[*].path": "^secrets/"})

    assert ruling({"files": [{"path": "ok"}, {"path": "./secrets/x"}]}, forbidden).forbidden


def test_a_rule_that_lets_a_folder_be_written_lets_nobody_out_of_it():
    docs = Rule("read_file", "low", {"path": "^docs/"})
    tiers = {"read_file": Tier.HIGH}

    assert Tier.LOW == ruling({"path": "docs/a"}, docs, tiers=tiers).tier
    assert Tier.HIGH == ruling({"path": "docs/../a"}, docs, tiers=tiers).tier


@pytest.mark.parametrize(
    ("path", "pattern"),
    [
        ("/srv/app/data/secrets/x", "^data/secrets/"),
        ("data/secrets/x", "^secrets/"),
        ("secrets/x", "^data/secrets/"),
        ("secrets/x", "^/srv/app/data/secrets/"),
        ("/srv/./app/data/../data/secrets/x", "^secrets/"),
    ],
)
def test_what_is_forbidden_is_forbidden_from_whichever_folder_it_is_seen(path, pattern):
    tool = replace(READS, folders=("/srv/app", "/srv/app/data"))
    forbidden = Rule("read_file", "forbid", {"path": pattern})

    assert ruling({"path": path}, forbidden, tool=tool).forbidden
    assert not ruling({"path": "data/other"}, forbidden, tool=tool).forbidden


def test_a_rule_that_lets_a_folder_be_written_is_none_the_stricter_for_it():
    tool = replace(READS, folders=("/srv/app", "/srv/app/data"))
    docs = Rule("read_file", "low", {"path": "^docs/"})

    assert Tier.LOW == ruling({"path": "docs/a"}, docs, tool=tool, tiers={"read_file": Tier.HIGH}).tier


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com",
        "https://example.com/a/b/?q=../x#y",
        "a/b",
        "/a",
        "",
        "x",
        "1/2",
        "one\n./two",
        "..." * 5_000,
    ],
)
def test_what_is_no_path_or_short_already_is_left_alone(text):
    assert [] == list(pathways.others({"text": text, "n": 1, "deep": [[[text]]]}))


@given(steps)
def test_it_is_the_same_file_and_nothing_is_left_to_shorten(parts):
    path = "/".join(parts)
    for other in pathways.others({"path": path}):
        assert posixpath.normpath(path).lstrip("/") == str(other["path"]).strip("/")
        assert [] == list(pathways.others(other))


@pytest.mark.parametrize(
    "url",
    [
        "https://internal.corp/x",
        "HTTPS://internal.corp/x",
        "https://INTERNAL.corp/x",
        "https://me:word@internal.corp/x",
        "https://a@b@internal.corp/x",
        "https://internal.corp:443/x",
        "https://internal.corp:0443/x",
        "https://internal.corp./x",
        "https://internal%2ecorp/%78",
        "https://internal.corp//./y/../x",
    ],
)
def test_a_forbidden_host_is_forbidden_however_its_url_is_written(url):
    forbidden = Rule("read_file", "forbid", {"url": r"^https://internal\.corp/x"})

    assert ruling({"url": url}, forbidden).forbidden
    assert not ruling({"url": url.lower().replace("internal", "other")}, forbidden).forbidden


def test_a_rule_that_lets_a_folder_of_a_site_be_fetched_lets_nobody_out_of_it():
    docs = Rule("read_file", "low", {"url": r"^https://example\.com/docs/"})
    tiers = {"read_file": Tier.HIGH}

    assert Tier.LOW == ruling({"url": "https://example.com/docs/a/?b=c"}, docs, tiers=tiers).tier
    assert Tier.LOW == ruling({"url": "https://example.com/docs/"}, docs, tiers=tiers).tier
    assert Tier.HIGH == ruling({"url": "https://example.com/docs/../a"}, docs, tiers=tiers).tier
    assert Tier.HIGH == ruling({"url": "https://example.com/docs/%2e%2e/a"}, docs, tiers=tiers).tier


@given(st.text("htps:/@.%2eE?#a0A[]", max_size=30).map("http://{}".format))
def test_any_url_is_read(text):
    assert len(list(pathways.others({"url": text}))) < 2
