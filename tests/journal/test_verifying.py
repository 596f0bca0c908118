"""A bundle that was altered says so, and names the event or the file; a hostile one ends in a line."""

import json
import random
import zipfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentctl.errors import Invalid
from agentctl.journal import bundle, chain, verifying
from agentctl.journal.bundle import EVENTS, MANIFEST, Linked
from agentctl.journal.chain import Place

COUNT = 9


def linked(run_id="r_1", count=COUNT, word="word"):
    at = chain.first(run_id)
    for seq in range(1, count + 1):
        place = Place(seq, 1, 1_790_000_000.25 + seq, "s_1", seq // 2, "thinking", 1)
        text = json.dumps({"text": f"{word} {seq}"}, separators=(",", ":"))
        at = chain.link(at, place, chain.body(text))
        yield Linked(place, text, at)


def write(path, word="word", count=COUNT):
    events = list(linked(count=count, word=word))
    head = events[-1].link.hex() if events else chain.first("r_1").hex()
    about = {"run_id": "r_1", "task": "t", "events": count, "chain": head}
    lines = [bundle.line("r_1", each) for each in events]
    bundle.write(path, about, {EVENTS: lines, "trace.txt": [b"a trace\n"], "prices.json": [b"{}\n"]})
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write(tmp_path_factory.mktemp("bundles") / "r_1.zip")


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files if isinstance(files, list) else files.items():
            archive.writestr(name, body)
    return path


def changed(made, tmp, edit, *, honest=False):
    """The bundle with other event lines; `honest`: the manifest says what they are."""
    files = parts(made)
    lines = edit(files[EVENTS].splitlines(keepends=True))
    files[EVENTS] = b"".join(lines)
    if honest:
        about = json.loads(files[MANIFEST])
        import hashlib

        about["files"][EVENTS] = {"bytes": len(files[EVENTS]), "sha256": hashlib.sha256(files[EVENTS]).hexdigest()}
        files[MANIFEST] = bundle.manifest(about)
    return verifying.verify(packed(tmp / "x.zip", files)).problems


def test_what_was_exported_is_whole(made):
    found = verifying.verify(made)

    assert ((), "r_1", COUNT) == (found.problems, found.run_id, found.events)
    assert () == verifying.verify(made, found.chain.upper()).problems


def test_the_same_run_makes_the_same_bytes(made, tmp_path):
    assert made.read_bytes() == write(tmp_path / "again.zip").read_bytes()


def test_a_bundle_made_anew_is_told_by_the_link_that_was_kept(made, tmp_path):
    kept = verifying.verify(made).chain
    forged = write(tmp_path / "forged.zip", word="other")

    assert () == verifying.verify(forged).problems
    assert "was expected" in verifying.verify(forged, kept).problems[0]


@pytest.mark.parametrize("seq", range(1, COUNT + 1))
@pytest.mark.parametrize("honest", [False, True])
def test_every_event_that_is_removed_is_named(made, tmp_path, seq, honest):
    found = changed(made, tmp_path, lambda lines: lines[: seq - 1] + lines[seq:], honest=honest)

    assert f"event {seq} is missing" in found
    assert honest == (f"{EVENTS} was altered" not in found)
    assert [] == [said for said in found if said.startswith("event ") and f"event {seq} " not in said]


@pytest.mark.parametrize("seq", range(1, COUNT + 1))
@pytest.mark.parametrize("field", ["ts", "step", "epoch", "v", "session_id", "event_type", "data", "link", "seq"])
def test_every_field_of_every_event_that_is_altered_is_named(made, tmp_path, seq, field):
    def edit(lines):
        body = json.loads(lines[seq - 1])
        value = body[field]
        body[field] = (
            {"text": "other"} if field == "data"
            else value + 100 if isinstance(value, int | float)
            else "0" * 64 if field == "link" else f"{value}x"
        )  # fmt: skip
        place = Place(*(body[key] for key in ("seq", "epoch", "ts", "session_id", "step", "event_type", "v")))
        text = json.dumps(body["data"], separators=(",", ":"))
        line = bundle.line("r_1", Linked(place, text, bytes.fromhex(body["link"])))
        return [*lines[: seq - 1], line, *lines[seq:]]

    found = changed(made, tmp_path, edit, honest=True)

    assert found
    named = set(found)
    if field == "seq":
        assert {f"event {seq + 100} was added", f"event {seq} is missing"} <= named
    else:
        assert [said for said in named if said.startswith(f"event {seq} ") and " was altered" in said]
        assert 1 == len({said.split()[1] for said in named})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, COUNT - 1), max_size=12))
def test_whatever_lines_stand_there_only_the_right_ones_are_whole(made, tmp_path, order):
    """Removed, swapped, doubled, cut short: any lines of the bundle in any order."""
    found = changed(made, tmp_path, lambda lines: [lines[at] for at in order], honest=True)

    assert (order == list(range(COUNT))) == (not found)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, COUNT - 2))
def test_two_events_that_changed_places_are_named(made, tmp_path, at):
    def swap(lines):
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
        return lines

    assert (f"event {at + 1} was moved: it stands after event {at + 2}",) == changed(made, tmp_path, swap, honest=True)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_every_byte_of_an_event_counts(made, tmp_path, data):
    raw = parts(made)[EVENTS]
    at = data.draw(st.integers(0, len(raw) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != raw[at]))
    number = raw.count(b"\n", 0, at) + 1

    found = changed(made, tmp_path, lambda _: [raw[:at], bytes([other]), raw[at + 1 :]], honest=True)

    assert found
    assert [said for said in found if f"event {number} " in said or "events " in said or "lines" in said]


@pytest.mark.parametrize("name", ["trace.txt", "prices.json", MANIFEST, EVENTS])
@pytest.mark.parametrize("how", ["alter", "remove", "twice"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_file_that_was_altered_removed_or_doubled_is_named(made, tmp_path, name, how):
    files = list(parts(made).items())
    if how == "alter":
        files = [(each, body + b" " if each == name else body) for each, body in files]
    elif how == "remove":
        files = [(each, body) for each, body in files if each != name]
    else:
        files.append((name, b"other"))

    found = verifying.verify(packed(tmp_path / "x.zip", files)).problems

    assert [said for said in found if name in said]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "more.txt", "a\x1b[2Jb", "answer.txt"])
def test_a_file_that_was_added_is_named_and_nothing_is_unpacked(made, tmp_path, name):
    found = verifying.verify(packed(tmp_path / "x.zip", {**parts(made), name: b"x"})).problems

    assert "was added" in found[0]
    assert ["x.zip"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    "value", [None, [], {}, 1e9, -1, True, 1 << 70, "9" * 5000, {"events.jsonl": {"bytes": 1 << 40, "sha256": ""}}]
)
@pytest.mark.parametrize("key", ["events", "files", "chain", "run_id", "format", "version"])
def test_a_manifest_of_any_shape_is_a_line(made, tmp_path, key, value):
    files = parts(made)
    files[MANIFEST] = bundle.manifest({**json.loads(files[MANIFEST]), key: value})

    assert verifying.verify(packed(tmp_path / "x.zip", files)).problems


# --- Hostile --------------------------------------------------------------------------------------


def test_a_bomb_is_not_unpacked(made, tmp_path):
    bomb = zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED)
    with bomb:
        for name, body in parts(made).items():
            with bomb.open(name, "w") as file:
                for _ in range(300 if name in {EVENTS, MANIFEST} else 1):
                    file.write(body if name == "trace.txt" else bytes(1 << 20))

    assert f"{MANIFEST} was altered" in verifying.verify(tmp_path / "x.zip").problems[-1]


def test_a_bomb_with_an_honest_manifest_ends_at_its_size(made, tmp_path):
    files = {**parts(made), "trace.txt": bytes(64 << 20)}

    assert ("trace.txt was altered",) == verifying.verify(packed(tmp_path / "x.zip", files)).problems


def test_one_line_without_end_is_read_in_pieces(made, tmp_path):
    found = changed(made, tmp_path, lambda lines: [*lines, b" " * (bundle.MOST_LINE + 99)], honest=True)

    assert (f"{EVENTS}: 2 lines were added that are no events",) == found


def test_an_event_that_nobody_would_read_again_is_not_exported():
    event = next(linked(count=1))
    with pytest.raises(Invalid, match="event 1 has more than"):
        bundle.line("r_1", Linked(event.place, "x" * bundle.MOST_LINE, event.link))


def test_json_that_is_nested_without_end_is_a_line(made, tmp_path):
    files = {**parts(made), MANIFEST: b'{"a":' * 9_000}

    assert f"{MANIFEST} was altered: it can't be read" in verifying.verify(packed(tmp_path / "x.zip", files)).problems


def test_a_directory_of_a_hundred_thousand_names_is_not_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(3_000):
            archive.writestr(str(number), b"")

    assert "its directory is not where" in verifying.verify(tmp_path / "x.zip").problems[0]


@pytest.mark.parametrize("cut", [1, 21, 22, 100, 1000])
def test_an_archive_that_was_cut_short_says_so(made, tmp_path, cut):
    (tmp_path / "x.zip").write_bytes(made.read_bytes()[:-cut])

    assert "cut short" in verifying.verify(tmp_path / "x.zip").problems[0]


def test_something_behind_or_within_the_archive_is_said(made, tmp_path):
    raw = made.read_bytes()
    (tmp_path / "x.zip").write_bytes(raw + b"x")
    at = raw.index(b"PK\x01\x02")
    (tmp_path / "y.zip").write_bytes(raw[:at] + b"hidden" + raw[at:])

    assert verifying.verify(tmp_path / "x.zip").problems
    assert verifying.verify(tmp_path / "y.zip").problems


@pytest.mark.slow
def test_no_damage_to_an_archive_is_a_traceback_and_none_to_its_contents_passes(made, tmp_path):
    raw, chance = made.read_bytes(), random.Random(7)
    for _ in range(1500):
        body = bytearray(raw)
        for _ in range(chance.choice((1, 1, 2, 9))):
            body[chance.randrange(len(body))] = chance.randrange(256)
        (tmp_path / "x.zip").write_bytes(body)
        with suppress(Invalid):
            if not verifying.verify(tmp_path / "x.zip").problems:
                assert parts(made) == parts(tmp_path / "x.zip")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b" + bytes(99)])
def test_what_is_no_bundle_is_refused(tmp_path, content):
    (tmp_path / "x").write_bytes(content)

    with pytest.raises(Invalid, match="it is no bundle"):
        verifying.verify(tmp_path / "x")


def test_a_folder_a_pipe_and_nothing_are_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path, "no regular"), (tmp_path / "pipe", "no regular"), (tmp_path / "none", "No such")):
        with pytest.raises(Invalid, match=said):
            verifying.verify(path)


def test_an_encrypted_or_linked_member_is_no_plain_file(made, tmp_path):
    files = parts(made)
    info = zipfile.ZipInfo("trace.txt")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
        for name in (EVENTS, "prices.json", MANIFEST):
            archive.writestr(name, files[name])
    found = verifying.verify(tmp_path / "x.zip").problems

    assert "'trace.txt' is no plain file" in found
    assert "trace.txt was altered" in found
