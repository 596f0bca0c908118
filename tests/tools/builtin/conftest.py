"""What tests of tools on files share: a root with a secret beside it, and a way to call a tool as a model does."""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentctl.core.envelope import Envelope


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    (tmp_path / "secret.txt").write_text("outside")
    return tmp_path / "root"


@pytest.fixture
def ask(invocation: Callable[..., Any]) -> Callable[..., Awaitable[Envelope]]:
    """Call a tool with arguments that its contract takes; what it answers can be written down."""

    async def call(tool: Any, args: dict[str, Any], **options: Any) -> Envelope:
        assert tool.contract.check(args) is None
        found = await tool.run(invocation(args, **options))
        found.text().encode()
        return found

    return call


@pytest.fixture
def no_descriptor_leaks() -> Iterator[None]:
    before = len(list(Path("/dev/fd").iterdir()))
    yield
    assert len(list(Path("/dev/fd").iterdir())) <= before


@pytest.fixture
def nothing_is_left(tmp_path: Path, no_descriptor_leaks: None) -> Iterator[None]:
    """No temporary file, no open one, and nothing outside the root has changed."""
    yield
    assert not list(tmp_path.rglob(".agentctl-*"))
    secret = tmp_path / "secret.txt"
    assert not secret.exists() or secret.read_text() == "outside"
