"""Originals under lock: bound to their run, useless without the key, gone when destroyed."""

import base64
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.errors import StoreUnusable
from agentctl.journal import sealed
from agentctl.journal.sealed import Seal
from tests.journal.conftest import on_sqlite

SEAL = Seal(b"k" * 32, "test")


@given(st.binary(max_size=200))
def test_what_was_sealed_comes_back(plaintext):
    kept = SEAL.seal("r_1", plaintext)

    assert plaintext == SEAL.unseal("r_1", kept.digest, kept.body)
    assert len(plaintext) < 8 or plaintext not in kept.body


def test_the_digest_is_equal_for_equal_originals_of_one_run_and_key():
    assert SEAL.seal("r_1", b"x").digest == SEAL.seal("r_1", b"x").digest
    assert SEAL.seal("r_1", b"x").body != SEAL.seal("r_1", b"x").body
    others = {SEAL.seal("r_2", b"x").digest, Seal(b"q" * 32, "").seal("r_1", b"x").digest}
    assert SEAL.seal("r_1", b"x").digest not in others


@pytest.mark.parametrize("at", [0, 1, 12, 13, -1])
def test_one_changed_bit_is_seen(at):
    kept = SEAL.seal("r_1", b"the original")
    body = bytearray(kept.body)
    body[at] ^= 1

    with pytest.raises(StoreUnusable, match="another key, or changed since"):
        SEAL.unseal("r_1", kept.digest, bytes(body))


@pytest.mark.parametrize("body", [b"", b"\x01", b"\x01" + b"n" * 12])
def test_a_cut_body_is_seen(body):
    with pytest.raises(StoreUnusable):
        SEAL.unseal("r_1", "d", body)


def test_no_body_stands_in_for_another():
    one, two = SEAL.seal("r_1", b"one"), SEAL.seal("r_1", b"two")
    for run_id, digest in (("r_1", two.digest), ("r_2", one.digest)):
        with pytest.raises(StoreUnusable):
            SEAL.unseal(run_id, digest, one.body)


def test_another_key_says_where_the_right_one_belongs():
    kept = SEAL.seal("r_1", b"x")
    with pytest.raises(StoreUnusable) as caught:
        Seal(b"q" * 32, "keys/seal.key").unseal("r_1", kept.digest, kept.body)

    assert "keys/seal.key" in caught.value.message
    assert "AGENTCTL_SEAL_KEY" in caught.value.hint


def test_equal_calls_have_equal_keys_that_tell_nothing_else():
    key = SEAL.call_key("read_file", b'{"path":"a"}')

    assert 32 == len(key)
    assert key == SEAL.call_key("read_file", b'{"path":"a"}')
    assert key != SEAL.call_key("read_file", b'{"path":"b"}')
    assert key != SEAL.call_key("read_fil", b'e\0{"path":"a"}')
    assert key != Seal(b"q" * 32, "").call_key("read_file", b'{"path":"a"}')


# --- The key --------------------------------------------------------------------------------------


def test_the_key_is_made_once_and_private(tmp_path):
    folder = tmp_path / "deep" / "keys"
    with ThreadPoolExecutor(8) as pool:
        keys = {seal.call_key("a", b"") for seal in pool.map(sealed.load, [folder] * 8)}

    assert 1 == len(keys)
    assert ["seal.key"] == [path.name for path in folder.iterdir()]
    assert 0o600 == stat.S_IMODE((folder / "seal.key").stat().st_mode)


def test_the_environment_has_the_first_word(tmp_path, monkeypatch):
    monkeypatch.setenv("AGENTCTL_SEAL_KEY", base64.b64encode(b"k" * 32).decode())

    assert SEAL.call_key("a", b"") == sealed.load(tmp_path).call_key("a", b"")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("given", ["x", "not base64!", base64.b64encode(b"short").decode()])
def test_a_bad_key_in_the_environment_is_refused_and_not_shown(tmp_path, monkeypatch, given):
    monkeypatch.setenv("AGENTCTL_SEAL_KEY", given)
    with pytest.raises(StoreUnusable) as caught:
        sealed.load(tmp_path)

    assert "AGENTCTL_SEAL_KEY is not base64 of 32 bytes" == caught.value.message


def test_a_key_file_that_others_can_read_is_refused(tmp_path):
    sealed.load(tmp_path)
    (tmp_path / "seal.key").chmod(0o644)

    with pytest.raises(StoreUnusable, match=r"mode 0644, expected 0600"):
        sealed.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_key_of_another_size_is_refused(tmp_path, content):
    path = tmp_path / "seal.key"
    path.touch(0o600)
    path.write_bytes(content)

    with pytest.raises(StoreUnusable, match="does not hold a key of 32 bytes"):
        sealed.load(tmp_path)


@pytest.mark.parametrize("kind", ["folder", "link", "file in the way"])
def test_what_is_no_key_file_is_named(tmp_path, kind):
    folder = tmp_path
    if kind == "folder":
        (tmp_path / "seal.key").mkdir()
    elif kind == "link":
        (tmp_path / "seal.key").symlink_to(tmp_path / "elsewhere")
    else:
        folder = tmp_path / "file"
        folder.touch()

    with pytest.raises(StoreUnusable, match=r"seal\.key"):
        sealed.load(folder)


def test_nothing_is_loaded_before_it_is_needed():
    code = (
        "import sys, agentctl.journal.store, agentctl.journal.sealed;"
        "print([name for name in sys.modules if name.split('.')[0] in ('cryptography', 'pydantic', 'asyncio')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "[]" == done.stdout.strip()


@on_sqlite
def test_a_destroyed_original_leaves_no_bytes(store, driven):
    driven()
    body = b"ciphertext " * 500
    store.write(lambda tx: sealed.put(tx, "r_1", sealed.Sealed("d", body)))
    store.write(lambda tx: sealed.destroy(tx, "r_1"))
    store.close()

    assert b"ciphertext" not in store.path.read_bytes()
