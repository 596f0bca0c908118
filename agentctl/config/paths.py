"""Where things live. `AGENTCTL_HOME` moves everything of a user under one root, for tests and containers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

APP = "agentctl"


def data_dir() -> Path:
    """The folder of the store; not created here."""
    if home := os.environ.get("AGENTCTL_HOME"):
        return expanded(home).absolute() / "data"
    import platformdirs

    return Path(platformdirs.user_data_dir(APP, appauthor=False))


def config_dir() -> Path:
    """The folder of the user's own policies; not created here."""
    if home := os.environ.get("AGENTCTL_HOME"):
        return expanded(home).absolute() / "config"
    import platformdirs

    return Path(platformdirs.user_config_dir(APP, appauthor=False))


def store_url(flag: str | None = None) -> str:
    """The store: the flag, else `AGENTCTL_STORE`, else a file in the data folder.

    An absolute path follows three slashes: `sqlite:////home/ada/.local/share/agentctl/agentctl.db`.
    """
    return flag or os.environ.get("AGENTCTL_STORE") or f"sqlite:///{data_dir() / 'agentctl.db'}"


def own(store: str | None = None) -> tuple[Path, ...]:
    """What no program of a task may see: the user's own folders, and the stores of `store` and of the environment."""
    urls = dict.fromkeys((store_url(store), store_url()))
    return (data_dir(), config_dir(), *(path for url in urls for path in _of_store(url)))


def _of_store(url: str) -> list[Path]:
    """The file of a store, and what is kept beside it."""
    kind, _, text = url.partition(":///")
    if kind != "sqlite" or not text:
        return []
    file = expanded(text).absolute()
    return [*(file.with_name(f"{file.name}{end}") for end in ("", "-wal", "-shm", "-journal")), file.parent / "blobs"]


def is_named(flag: str | None = None) -> bool:
    """Whether somebody chose the store, by flag or by `AGENTCTL_STORE`; an empty variable chooses nothing."""
    return bool(flag or os.environ.get("AGENTCTL_STORE"))


def shipped_policies() -> Path:
    """The policies that came with the program: packed beside the package, or in a checkout."""
    package = Path(__file__).parent.parent
    packed = package / "_policies"
    return packed if packed.is_dir() else package.parent / "policies"


def user_policies() -> Path:
    """The user's own policies."""
    return config_dir() / "policies"


def policies() -> Iterator[tuple[str, Path]]:
    """Each policy that has a name, once: the user's own before those that were shipped."""
    seen: set[str] = set()
    for folder in (user_policies(), shipped_policies()):
        for path in sorted(folder.glob("*.toml")):
            if path.stem not in seen:
                seen.add(path.stem)
                yield path.stem, path


def is_shipped(path: Path) -> bool:
    """Whether a policy came with the program."""
    return path.parent.resolve() == shipped_policies().resolve()


def expanded(text: str) -> Path:
    """A path as it is written in a file or a flag; `~name` of a name that nobody has stays as it is."""
    return Path(os.path.expanduser(text))  # noqa: PTH111  # Path's own raises for such a name
