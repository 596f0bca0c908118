"""What is served beside the socket: our page, and the terminal that textual-serve brings for it. Read once."""

from __future__ import annotations

import html
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from agentctl.errors import Usage
from agentctl.records import dataclass

OURS: Final = Path(__file__).parent
KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".ttf": "font/ttf",
}
THEIRS: Final = ("css/xterm.css", "js/textual.js", "fonts/RobotoMono-VariableFont_wght.ttf")


@dataclass(frozen=True, slots=True)
class File:
    """A file as it is sent."""

    kind: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Pages:
    """Every file there is, by its path; the index alone hangs on who asks."""

    title: str
    template: str
    files: Mapping[str, File]

    def index(self, host: str) -> File:
        """The page, which connects to the host that it was asked of; the door knows this host."""
        names = {"TITLE": self.title, "HOST": host}
        page = self.template
        for name, value in names.items():
            page = page.replace(f"{{{{{name}}}}}", html.escape(value))
        return File(KINDS[".html"], page.encode())


def read(title: str) -> Pages:
    """All of them.

    Raises:
        Usage: textual-serve is not installed, or is another one.
    """
    found = {f"/{name}": OURS / name for name in ("page.css", "page.js")}
    found |= {f"/static/{name}": _theirs() / name for name in THEIRS}
    try:
        files = {path: File(KINDS[file.suffix], file.read_bytes()) for path, file in found.items()}
    except OSError as error:
        raise missing(f"{error.filename} can't be read") from None
    return Pages(title, (OURS / "page.html").read_text("utf-8"), files)


def _theirs() -> Path:
    """The folder of textual-serve, which needs not be imported for that."""
    spec = find_spec("textual_serve")
    if spec is None or not spec.submodule_search_locations:
        raise missing("textual-serve is not here")
    return Path(spec.submodule_search_locations[0]) / "static"


def missing(why: str) -> Usage:
    """What to install."""
    return Usage(f"--serve needs an extra: {why}", hint="pip install 'agentctl[serve]'")
