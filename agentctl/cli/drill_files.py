"""The files that a `drill` leaves: a page for people, XML for CI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentctl.cli import pages, render
from agentctl.errors import Usage

if TYPE_CHECKING:
    from agentctl.cli.drill_report import Report


def check(html: str | None, junit: str | None) -> None:
    """Look before anything is played. Usage: nothing can be written there."""
    for flag, name in (("--html", html), ("--junit", junit)):
        if name == pages.STDOUT:
            raise Usage(f"{flag} {name}: the table is on stdout", hint="Name a file.")
        if name is not None and not (folder := pages.target_of(name, flag).parent).is_dir():
            raise Usage(f"{flag} {name}: there is no folder {folder}", hint=f"mkdir -p {folder}")


def write(report: Report, html: str | None, junit: str | None) -> None:
    """Write those that are wanted."""
    if html is not None:
        from agentctl.cli import drill_page

        render.say(f"page: {pages.write(drill_page.made(report), html)}", "quiet")
    if junit is not None:
        from agentctl.cli import drill_junit

        pages.write(drill_junit.made(report), junit, "--junit")
