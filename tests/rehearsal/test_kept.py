"""A file of cache entries is worth a warm cache, and nothing that is wrong with it is worth an error."""

import json

import pytest

from agentctl.rehearsal import kept
from agentctl.rehearsal.cache import Cache
from agentctl.rehearsal.prefix import Piece, measure

NOW = 1_000_000.0


def entries(*lives, scope="messages/anthropic/m"):
    return {(scope, f"{number:032x}", ""): (NOW + life, 300.0) for number, life in enumerate(lives)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "agentctl.db.rehearsal-cache"


def test_what_is_written_is_read_until_it_expires(path):
    kept.write(path, entries(300.0, 20.0, -1.0), NOW)

    assert entries(300.0, 20.0) == kept.read(path, NOW)
    assert entries(300.0) == kept.read(path, NOW + 20)
    assert {} == kept.read(path, NOW + 300)
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(path.parent.iterdir())


def test_of_two_that_wrote_both_are_kept_and_the_later_end_counts(path):
    kept.write(path, entries(300.0, 20.0), NOW)
    kept.write(path, entries(100.0, 200.0), NOW)
    kept.write(path, entries(50.0, scope="chat/openai/m"), NOW)

    assert entries(300.0, 200.0) | entries(50.0, scope="chat/openai/m") == kept.read(path, NOW)


def test_the_newest_are_kept(path, monkeypatch):
    monkeypatch.setattr(kept, "MOST", 2)
    kept.write(path, entries(1.0, 2.0, 3.0), NOW)

    assert [NOW + 2, NOW + 3] == [end for end, _ in kept.read(path, NOW).values()]


def test_where_nothing_lives_there_is_no_file(path):
    kept.write(path, {}, NOW)
    assert not path.exists()

    kept.write(path, entries(10.0), NOW)
    kept.write(path, {}, NOW + 10)
    assert not path.exists()


@pytest.mark.parametrize(
    "text", ["", "\0", "{}", "[1]", '[["a"]]', '[["a", "b", "c", "soon", 1]]', '{"a": 1}', "[[[]]]", "9" * 5_000_000]
)
def test_what_can_not_be_read_is_empty_and_written_over(path, text):
    path.write_text(text)
    assert {} == kept.read(path, NOW)

    kept.write(path, entries(10.0), NOW)
    assert entries(10.0) == kept.read(path, NOW)


def test_bytes_that_are_no_text_are_empty(path):
    path.write_bytes(b"\xff\xfe")

    assert {} == kept.read(path, NOW)


def test_a_clock_that_was_set_back_makes_no_entry_live_longer(path):
    kept.write(path, entries(300.0), NOW)

    assert {} == kept.read(path, NOW - 60)


def test_a_folder_that_is_gone_or_a_place_that_is_taken_is_left_alone(path):
    path.mkdir()
    (path / "x").touch()
    kept.write(path, entries(10.0), NOW)
    kept.write(path, {}, NOW)
    kept.write(path.parent / "gone" / "x", entries(10.0), NOW)

    assert [path] == list(path.parent.iterdir())


def test_the_names_of_entries_tell_nothing_of_the_prompt(path):
    """The same prompt under another key has other names."""
    prompt = measure([Piece(b"the same prompt" * 1_000, "head")])
    names = set()
    for secret in (b"", b"one", b"two"):
        cache = Cache(lambda: NOW, secret)
        cache.store(cache.look_automatic(prompt, "chat/openai/m"))
        kept.write(path, cache.entries, NOW)
        names |= {row[1] for row in json.loads(path.read_text())}
        path.unlink()

    assert 3 == len(names)
    assert not names & {digest.hex() for digest in prompt.digests}
