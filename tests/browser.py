"""A real Chromium without a window, for tests of pages.

`chromium` is a browser for the tests of one module; mark them with `needs("chromium")`, keep them free of asyncio
(its driver has a loop of its own in this thread), and import it by name. `watched(chromium)` is a page with what it
asked for and complained of:

    @pytest.mark.needs("chromium")
    def test_the_page_is_quiet(chromium):
        with watched(chromium, color_scheme="dark") as (page, seen):
            page.goto("http://127.0.0.1:8080/")
        assert [] == seen.complaints
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import find_program

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
LOCAL = ("file:", "data:", "about:")


@dataclass
class Seen:
    """What a page did beside showing itself."""

    requests: list[str] = field(default_factory=list)
    """Addresses of everything it asked for, its own among them."""
    complaints: list[str] = field(default_factory=list)
    """What stands in the console, errors of scripts and refusals of its content policy among it."""

    @property
    def over_the_network(self) -> list[str]:
        return [url for url in self.requests if not url.startswith(LOCAL)]


@contextmanager
def launched(home: Path) -> Iterator[Any]:
    """A browser with its own home; it ends with the block."""
    from playwright.sync_api import sync_playwright

    path = find_program("chromium")
    assert path, "mark the test with needs('chromium')"
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS), env=env)
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if find_program("chromium") is None:  # the marker's skip comes after the fixtures of a module
        yield None
        return
    with launched(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@contextmanager
def watched(browser: Any, **settings: Any) -> Iterator[tuple[Any, Seen]]:
    """A page in a context of its own, as `browser.new_context` takes its settings, and what it did."""
    seen = Seen()
    context = browser.new_context(**settings)
    try:
        page = context.new_page()
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("console", lambda said: seen.complaints.append(said.text))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        yield page, seen
    finally:
        context.close()
