"""What a screen asks of the monitor."""

from __future__ import annotations

from textual.message import Message


class OpenRun(Message):
    """Show the page of a run; `decide`: and the card of the call that waits."""

    def __init__(self, run_id: str, *, decide: bool = False) -> None:
        super().__init__()
        self.run_id, self.decide = run_id, decide


class Change(Message):
    """Pause, cancel or resume a run."""

    def __init__(self, wish: str, run_id: str) -> None:
        super().__init__()
        self.wish, self.run_id = wish, run_id


class ShowDetail(Message):
    """Show lines in full."""

    def __init__(self, title: str, lines: tuple[str, ...]) -> None:
        super().__init__()
        self.title, self.lines = title, lines
