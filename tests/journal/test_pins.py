"""Definitions of tools, kept from run to run."""

import sqlite3
from pathlib import Path

import pytest

from agentctl.journal import pins, schema
from tests.journal.conftest import on_sqlite

FS, DB = "fs 01", "db 02"


def test_what_is_seen_first_is_pinned(store):
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a", "write": "b"}, 10.0))
    found = store.read(lambda tx: pins.pinned(tx, FS))

    assert {"read", "write"} == set(found)
    assert pins.Pin(pins.digest_of("a"), "a", 10.0, 10.0) == found["read"]
    assert {} == store.read(lambda tx: pins.pinned(tx, DB))


def test_what_is_seen_again_keeps_its_first_time_and_its_definition(store):
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a", "write": "b"}, 10.0))
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a", "write": "CHANGED", "new": "c"}, 20.0))
    found = store.read(lambda tx: pins.pinned(tx, FS))

    assert ("a", 10.0, 20.0) == (found["read"].definition, found["read"].first_seen, found["read"].last_seen)
    assert ("b", 10.0, 10.0) == (found["write"].definition, found["write"].first_seen, found["write"].last_seen)
    assert 20.0 == found["new"].first_seen


def test_what_a_person_accepted_is_the_pinned_one(store):
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a"}, 10.0))
    store.write(lambda tx: pins.accept(tx, FS, "read", "z", 30.0))
    store.write(lambda tx: pins.accept(tx, FS, "other", "y", 30.0))
    found = store.read(lambda tx: pins.pinned(tx, FS))

    assert pins.Pin(pins.digest_of("z"), "z", 30.0, 30.0) == found["read"]
    assert "y" == found["other"].definition


def test_definitions_of_several_servers(store):
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a"}, 10.0))

    assert {FS: {"read": "a"}, DB: {}} == store.read(lambda tx: pins.definitions(tx, (FS, DB)))


def test_a_forgotten_server_is_new(store):
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a", "write": "b"}, 10.0))
    store.write(lambda tx: pins.listed(tx, FS, {"read": "a"}, 10.0))

    assert 2 == store.write(lambda tx: pins.forget(tx, FS))
    assert {} == store.read(lambda tx: pins.pinned(tx, FS))
    assert store.read(lambda tx: pins.listing(tx, FS)) is None


def test_lone_surrogates_have_a_digest():
    assert pins.digest_of("\ud800") != pins.digest_of("?")


@on_sqlite
def test_a_store_of_before_gets_the_tables(opened, url):
    path = Path(url.removeprefix("sqlite:///"))
    path.parent.mkdir(parents=True, exist_ok=True)
    before = sqlite3.connect(path)
    before.executescript(
        f"{schema.MIGRATIONS[0]} PRAGMA application_id = {schema.APPLICATION_ID}; PRAGMA user_version = 1;"
    )
    before.close()
    store = opened()
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a"}, 10.0))
    store.write(lambda tx: pins.listed(tx, FS, {"read": "a"}, 10.0))

    assert ["read"] == list(store.read(lambda tx: pins.pinned(tx, FS)))
    assert pins.Listing(10.0, {"read": "a"}) == store.read(lambda tx: pins.listing(tx, FS))


def test_the_last_listing_replaces_the_one_before_and_keeps_the_servers_order(store):
    store.write(lambda tx: pins.listed(tx, FS, {"write": "b", "read": "a", "gone": "c"}, 10.0))
    store.write(lambda tx: pins.listed(tx, FS, {"write": "b", "a\ud800": "n", "read": "x"}, 20.0))
    found = store.read(lambda tx: pins.listing(tx, FS))

    assert (20.0, ["write", "a\ud800", "read"], "x") == (found.seen, list(found.definitions), found.definitions["read"])
    assert store.read(lambda tx: pins.listing(tx, DB)) is None


def test_a_server_that_offers_nothing_was_listed_too(store):
    store.write(lambda tx: pins.listed(tx, FS, {}, 10.0))

    assert pins.Listing(10.0, {}) == store.read(lambda tx: pins.listing(tx, FS))


@pytest.mark.parametrize("text", ["", "[", "[]", "5", '{"read": 5}', '{"read": null}'])
def test_a_listing_that_nobody_can_read_is_none(store, text):
    store.write(lambda tx: tx.execute("INSERT INTO listings VALUES(?, ?, ?)", (FS, 10.0, text)))

    assert store.read(lambda tx: pins.listing(tx, FS)) is None


def test_what_was_seen_later_stays_seen_later(store):
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a"}, 20.0))
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a", "write": "b"}, 10.0))
    found = store.read(lambda tx: pins.pinned(tx, FS))

    assert (20.0, 10.0) == (found["read"].last_seen, found["write"].last_seen)
