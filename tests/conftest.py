"""What holds for every test: an empty home, no keys, no network but loopback, a fixed terminal.

`@pytest.mark.needs("tmux", "postgres")` skips a test on a machine without these programs, and the
summary names them once; with `AGENTCTL_REQUIRE_REAL=1` it fails instead. The `program` fixture
gives their paths.

`@pytest.mark.live("ANTHROPIC_API_KEY")` keeps a test for a real provider out, unless
`AGENTCTL_LIVE=1` and that variable are set; such a test keeps its environment and its network.

`AGENTCTL_TEST_OVERRIDE="retry.max_attempts=5"` runs the session with another default in the policy
(`table.key=python literal`; several are separated by `;`), to see which tests notice.
"""

import ast
import dataclasses
import inspect
import os
import shutil
import socket
import time
import types
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

KEPT = (
    "AGENTCTL_LIVE",
    "AGENTCTL_REQUIRE_REAL",
    "AGENTCTL_TEST_OVERRIDE",
    "AGENTCTL_UPDATE_PENDING",
)
FOREIGN_PREFIXES = ("AGENTCTL_", "ANTHROPIC_", "OPENAI_", "OTEL_")
FOREIGN_SUFFIXES = ("_API_KEY", "_AUTH_TOKEN", "_BASE_URL", "_CUSTOM_HEADERS", "_PROXY")
COLOUR = (
    "NO_COLOR",
    "FORCE_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "PY_COLORS",
    "GITHUB_ACTIONS",
    "TTY_COMPATIBLE",
    "TTY_INTERACTIVE",
)
LOOPBACK = ("127.", "::1", "::ffff:127.", "localhost")
HIDDEN_PROGRAMS = {
    # Debian keeps the server's programs off the PATH.
    "postgres": "lib/postgresql/*/bin/postgres",
    "initdb": "lib/postgresql/*/bin/initdb",
    "chromium": "bin/chromium-browser",
}


# --- Programs -------------------------------------------------------------------------------------


def find_program(name: str) -> str | None:
    if found := shutil.which(name):
        return found
    pattern = HIDDEN_PROGRAMS.get(name)
    return str(max(Path("/usr").glob(pattern), default="")) or None if pattern else None


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """The path of a program that the test's `needs` marker named."""

    def path(name: str) -> str:
        found = find_program(name)
        if found is None:
            pytest.fail(f"{name} is not here: mark the test with needs({name!r})")
        return found

    return path


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        if missing := [name for name in marker.args if find_program(name) is None]:
            wanted = " and ".join(missing)
            if os.environ.get("AGENTCTL_REQUIRE_REAL") == "1":
                pytest.fail(f"needs {wanted}, and AGENTCTL_REQUIRE_REAL=1 allows no skip")
            item.user_properties.extend(("needs", name) for name in missing)
            pytest.skip(f"needs {wanted}")
    for marker in item.iter_markers("live"):
        wanted = ["AGENTCTL_LIVE=1"] * (os.environ.get("AGENTCTL_LIVE") != "1")
        wanted += [name for name in marker.args if not os.environ.get(name)]
        if wanted:
            item.user_properties.extend(("live", name) for name in wanted)
            pytest.skip(f"live: set {' and '.join(wanted)}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    for kind, verb in (("needs", "not on this machine"), ("live", "live tests wait for")):
        hit = [report for report in skipped if kind in dict(report.user_properties)]
        names = {value for report in hit for key, value in report.user_properties if key == kind}
        if hit:
            text = f"skipped {len(hit)}, {verb}: {', '.join(sorted(names))}"
            terminalreporter.write_line(text, yellow=True)


# --- Another default ------------------------------------------------------------------------------


def pytest_configure() -> None:
    for override in filter(None, os.environ.get("AGENTCTL_TEST_OVERRIDE", "").split(";")):
        path, _, literal = override.partition("=")
        from agentctl.core.policy import Policy

        override_default(Policy, path.strip().split("."), ast.literal_eval(literal.strip()))


def override_default(owner: type, path: list[str], value: object) -> None:
    """Give the field at the end of `path`, below the dataclass `owner`, another default.

    Instances that a module made before this stay as they are, except those that are themselves the
    default of a field on the way.
    """
    name, *below = path
    fields = {field.name: field for field in dataclasses.fields(owner)}
    if name not in fields:
        raise pytest.UsageError(f"{owner.__module__}.{owner.__qualname__} has no field {name!r}")
    if not below:
        set_default(owner, name, value)
        return
    inner = table_class(owner, fields[name])
    override_default(inner, below, value)
    if dataclasses.is_dataclass(held := fields[name].default):
        set_default(owner, name, replaced(held, below, value))


def table_class(owner: type, field: "dataclasses.Field[Any]") -> type:
    """The dataclass that a field holds, whether alone, optional, in a union, a tuple or a dict."""
    pending = [typing.get_type_hints(owner)[field.name]]
    while pending:
        hint = pending.pop(0)
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            return hint
        pending.extend(typing.get_args(hint))
    raise pytest.UsageError(f"{owner.__qualname__}.{field.name} holds no table of its own")


def replaced(instance: Any, path: list[str], value: object) -> Any:
    name, *below = path
    inner = replaced(getattr(instance, name), below, value) if below else value
    return dataclasses.replace(instance, **{name: inner})


def set_default(owner: type, name: str, value: object) -> None:
    field = owner.__dataclass_fields__[name]  # type: ignore[attr-defined]
    field.default, field.default_factory = value, dataclasses.MISSING
    if not isinstance(owner.__dict__.get(name), types.MemberDescriptorType):
        setattr(owner, name, value)
    init: Any = owner.__init__
    known = inspect.signature(init).parameters
    if known[name].kind is inspect.Parameter.KEYWORD_ONLY:
        init.__kwdefaults__ = {**(init.__kwdefaults__ or {}), name: value}
        return
    positional = [each for each in known.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    defaulted = [each.name for each in positional if each.default is not inspect.Parameter.empty]
    if name not in defaulted:
        raise pytest.UsageError(f"{owner.__qualname__}.{name} has no default to override")
    defaults = list(init.__defaults__)
    defaults[defaulted.index(name)] = value
    init.__defaults__ = tuple(defaults)


# --- Isolation ------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def isolated(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: Any) -> Iterator[Path]:
    """The empty home of one test. A test on a real terminal removes COLUMNS and LINES again."""
    home: Path = tmp_path_factory.mktemp("home")
    live = request.node.get_closest_marker("live")
    for name in list(os.environ):
        upper = name.upper()
        foreign = upper.startswith(FOREIGN_PREFIXES) or upper.endswith(FOREIGN_SUFFIXES)
        if name in COLOUR or (foreign and name not in KEPT and not live):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AGENTCTL_HOME", str(home))
    if not request.node.get_closest_marker("keyring"):
        monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name, value in (("COLUMNS", "100"), ("LINES", "40"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    if not live:
        close_the_network(monkeypatch)
    yield home
    monkeypatch.undo()
    time.tzset()


def close_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback and Unix sockets stay open. Child processes are not covered."""

    def guarded(name: str) -> None:
        real = getattr(socket.socket, name)

        def call(self: socket.socket, address: Any, *rest: Any) -> Any:
            if self.family in (socket.AF_INET, socket.AF_INET6) and not loopback(address[0]):
                self.close()
                raise RuntimeError(f"a test tried to reach {address[0]}")
            return real(self, address, *rest)

        monkeypatch.setattr(socket.socket, name, call)

    real_lookup = socket.getaddrinfo

    def lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        # An address needs no lookup, and connect() judges it; a name would leave the machine.
        if host and not is_address(host) and not loopback(host):
            raise RuntimeError(f"a test tried to reach {host}")
        return real_lookup(host, *args, **kwargs)

    guarded("connect")
    guarded("connect_ex")
    monkeypatch.setattr(socket, "getaddrinfo", lookup)


def loopback(host: str | bytes) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    return text.startswith(LOOPBACK)


def is_address(host: str | bytes) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text.partition("%")[0])
        except OSError:
            continue
        return True
    return False
