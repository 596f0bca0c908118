"""The page of a run in a real browser."""

import pytest

from tests.browser import chromium, watched

assert chromium

pytestmark = [pytest.mark.needs("chromium")]


def test_x(chromium, tmp_path):
    (tmp_path / "a.html").write_text("<h1>hi</h1><img src='http://127.0.0.1:9/x.png'>")
    with watched(chromium, color_scheme="dark") as (page, seen):
        page.goto((tmp_path / "a.html").as_uri())
        assert "hi" == page.inner_text("h1")
    assert ["http://127.0.0.1:9/x.png"] == seen.over_the_network
    assert seen.complaints
