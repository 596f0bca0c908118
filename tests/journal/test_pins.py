"""Definitions of tools, kept from run to run."""

import sqlite3

from agentctl.journal import pins, schema

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

    assert 2 == store.write(lambda tx: pins.forget(tx, FS))
    assert {} == store.read(lambda tx: pins.pinned(tx, FS))


def test_lone_surrogates_have_a_digest():
    assert pins.digest_of("\ud800") != pins.digest_of("?")


def test_a_store_of_before_gets_the_table(opened, url):
    path = url.removeprefix("sqlite:///")
    opened().close()
    before = sqlite3.connect(path)
    before.executescript("DROP TABLE pins; PRAGMA user_version = 1;")
    before.close()
    store = opened()
    store.write(lambda tx: pins.pin(tx, FS, {"read": "a"}, 10.0))

    assert ["read"] == list(store.read(lambda tx: pins.pinned(tx, FS)))
    assert schema.VERSION >= 2
