"""Which store is meant, and what is made of it where there is none."""

import pytest

from agentctl.errors import Forbidden, StoreMissing, StoreUnusable
from agentctl.journal.store import open_store
from agentctl.runner import stores


@pytest.fixture(params=["flag", "variable"])
def named(request, monkeypatch):
    """Name a store by one of the two ways: what the flag says then."""

    def name(path):
        if request.param == "flag":
            return f"sqlite:///{path}"
        monkeypatch.setenv("AGENTCTL_STORE", f"sqlite:///{path}")
        return None

    return name


def test_who_reads_is_told_of_a_named_store_that_is_not_there(named, tmp_path):
    flag = named(tmp_path / "no" / "x.db")

    with pytest.raises(StoreMissing, match=r"no/x\.db: there is none") as raised:
        stores.existing(flag)
    with pytest.raises(StoreMissing), stores.tables(flag):
        pass
    assert 3 == raised.value.exit_code
    assert "AGENTCTL_STORE" in raised.value.hint
    assert [] == list(tmp_path.iterdir())


def test_an_empty_file_is_no_store_yet(named, tmp_path):
    path = tmp_path / "x.db"
    path.touch()
    flag = named(path)

    with pytest.raises(StoreMissing):
        stores.existing(flag)
    assert [(path, 0)] == [(each, each.stat().st_size) for each in tmp_path.iterdir()]


def test_the_default_store_that_is_not_there_is_empty(isolated, monkeypatch):
    monkeypatch.setenv("AGENTCTL_STORE", "")

    with stores.existing(None) as store:
        assert [] == store.runs()
        with pytest.raises(Forbidden):
            store.run("r_a3f7b2")
    with stores.tables(None) as tx:
        assert [(0,)] == tx.execute("SELECT count(*) FROM runs").fetchall()
    assert [] == list(isolated.iterdir())


def test_what_is_empty_can_not_be_written(isolated):
    with stores.existing(None) as store, pytest.raises(StoreUnusable):
        store.write(lambda tx: tx.execute("DELETE FROM runs"))
    assert [] == list(isolated.iterdir())


def test_a_run_makes_the_file_that_was_named(named, tmp_path):
    with stores.open_journal(named(tmp_path / "x.db")) as store:
        assert [] == store.runs()
    assert (tmp_path / "x.db").is_file()


def test_a_run_makes_no_folder_that_was_named(named, tmp_path):
    with pytest.raises(StoreMissing, match=r"there is no folder .*/a b/c$") as raised:
        stores.open_journal(named(tmp_path / "a b" / "c" / "x.db"))

    assert f"mkdir -p '{tmp_path}/a b/c'" == raised.value.hint
    assert [] == list(tmp_path.iterdir())


def test_a_run_makes_the_default_folder(isolated):
    stores.open_journal(None).close()

    assert 0o700 == (isolated / "data").stat().st_mode & 0o777


def test_a_store_that_is_there_is_read_as_it_is(named, tmp_path):
    flag = named(tmp_path / "x.db")
    open_store(f"sqlite:///{tmp_path}/x.db", seal_dir=tmp_path).close()

    with stores.existing(flag) as store:
        assert tmp_path / "x.db" == store.path
