"""The disk that a power cut leaves: what was synced is there, of the rest anything from all to nothing.

Strict, as POSIX is: a name is kept when its folder was synced, bytes when their file was. What was not synced may be
there in part, sector by sector.
"""

import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(frozen=True)
class Op:
    """One thing that a process did to its disk; see `preload.c`."""

    kind: str
    at_ns: int
    offset: int
    path: str
    data: bytes


def read(log: Path) -> Iterator[Op]:
    """What the preloaded library wrote down."""
    with log.open("rb") as file:
        while head := file.readline():
            kind, at_ns, offset, length, path = head.decode().rstrip("\n").split(" ", 4)
            yield Op(kind, int(at_ns), int(offset), path, file.read(int(length)))


@dataclass(eq=False)
class Inode:
    """A file, whatever it is called."""

    synced: bytearray = field(default_factory=bytearray)
    waiting: list[Op] = field(default_factory=list)


Keep = Callable[[], bool]


@dataclass
class Disk:
    """Everything under one folder, folded from its operations."""

    files: dict[str, Inode] = field(default_factory=dict)
    """As the processes see them."""
    synced: dict[str, Inode] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    waiting: list[tuple[str, str, Inode | None]] = field(default_factory=list)
    """Names that are not on the disk yet, with their files; None: removed."""

    def apply(self, op: Op) -> None:
        """Do one operation."""
        match op.kind:
            case "c":
                self._name(op.path, Inode())
            case "d":
                self.waiting.append((op.path, "folder", None))
            case "l":
                self._name(op.data.decode(), self.files[op.path])
            case "r":
                self._name(op.data.decode(), self.files[op.path])
                self._name(op.path, None)
            case "u":
                self._name(op.path, None)
            case "s" if op.path in self.files:
                inode = self.files[op.path]
                for each in inode.waiting:
                    _write(inode.synced, each, lambda: True)
                inode.waiting.clear()
            case "s":
                self._sync_folder(op.path)
            case _:
                self.files[op.path].waiting.append(op)

    def _name(self, path: str, inode: Inode | None) -> None:
        if inode is None:
            self.files.pop(path, None)
        else:
            self.files[path] = inode
        self.waiting.append((path, "file", inode))

    def _sync_folder(self, folder: str) -> None:
        for entry in [entry for entry in self.waiting if entry[0].rpartition("/")[0] == folder]:
            self.waiting.remove(entry)
            _rename(self.synced, self.folders, entry)

    def leave(self, root: Path, keep: Keep) -> None:
        """Make the folder what the cut leaves. `keep`: whether one thing that was not synced is there all the same."""
        names, folders = dict(self.synced), set(self.folders)
        for entry in self.waiting:
            if not keep():
                break  # a file system keeps the order of names
            _rename(names, folders, entry)
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        for path, inode in sorted(names.items()):
            folder = path.rpartition("/")[0]
            if folder != str(root) and folder not in folders:
                continue
            body = bytearray(inode.synced)
            for op in inode.waiting:
                _write(body, op, keep)
            Path(folder).mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(body)
            Path(path).chmod(0o600)


def _rename(names: dict[str, Inode], folders: set[str], entry: tuple[str, str, Inode | None]) -> None:
    path, what, inode = entry
    if what == "folder":
        folders.add(path)
    elif inode is None:
        names.pop(path, None)
    else:
        names[path] = inode


def _write(body: bytearray, op: Op, keep: Keep) -> None:
    if op.kind == "t":
        if keep():
            del body[op.offset :]
            body.extend(bytes(op.offset - len(body)))
        return
    for start in range(op.offset // SECTOR * SECTOR, op.offset + len(op.data), SECTOR):
        low, high = max(start, op.offset), min(start + SECTOR, op.offset + len(op.data))
        if keep():
            body.extend(bytes(max(0, high - len(body))))
            body[low:high] = op.data[low - op.offset : high - op.offset]


def undone() -> bool:
    """Nothing that was not synced is kept."""
    return False


def torn(seed: str) -> Keep:
    """Half of it is, sector by sector."""
    dice = random.Random(seed)
    return lambda: dice.random() < 0.5
