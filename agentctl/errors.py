"""Every failure that a user may see, and the exit code that it ends with.

    AgentctlError            1   a defect: one line and the path of a crash report
    ├── Usage                2   wrong flags or arguments
    ├── Invalid              3   a task, policy, script, store or price that can't be used; carries every problem found
    │   └── StoreUnusable    3   the store: locked, corrupt, newer, read-only, full
    │       └── StoreMissing 3   there is none, and nothing may be made
    ├── Forbidden           20   the run's state forbids it
    │   └── LeaseLost       20   another process drives this run now
    ├── GateFailed          17   a check that was asked for did not hold
    ├── SandboxMissing      16   required and not available
    └── ProvidersOut        14   no provider is left that could answer

Limits are values, never exceptions (`core/decisions.py`). Whoever raises one of these names the place, what was
expected and the way out; `cli/` prints `message`, then `hint` on its own line, and exits with `exit_code`.
"""

from __future__ import annotations

from agentctl.records import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one place of a file.

    `line` and `column` count from 1; 0 means that the place is the whole file.
    """

    file: str
    line: int
    column: int
    key: str
    message: str
    suggestion: str = ""

    def __str__(self) -> str:
        """`file:line:column: key: message (did you mean …?)`."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        head = f"{place}: {self.key}: " if self.key else f"{place}: "
        tail = f" — {self.suggestion}" if self.suggestion else ""
        return f"{head}{self.message}{tail}"


class AgentctlError(Exception):
    """The root: one line for a person, and the next command where there is one."""

    exit_code = 1
    code = "defect"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Defect(AgentctlError):
    """A fault of this program, with the scrubbed text of its report."""

    def __init__(self, message: str, report: str) -> None:
        super().__init__(message)
        self.report = report


class Usage(AgentctlError):
    """Wrong flags or arguments."""

    exit_code = 2
    code = "usage"


class Invalid(AgentctlError):
    """A file, store or price that can't be used: nothing was sent, nothing was changed."""

    exit_code = 3
    code = "invalid"

    def __init__(self, message: str, *, hint: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class StoreUnusable(Invalid):
    """The store can't be read or written: locked, corrupt, newer than this program, read-only, full."""

    code = "store"


class StoreMissing(StoreUnusable):
    """There is no store at this place, and whoever asked makes none."""


class Forbidden(AgentctlError):
    """The state of the run forbids what was asked: unknown, finished, decided, driven elsewhere."""

    exit_code = 20
    code = "forbidden"


class LeaseLost(Forbidden):
    """Another process took this run over; this one must write and start nothing more."""

    code = "lease_lost"


class GateFailed(AgentctlError):
    """A gate that was asked for did not hold."""

    exit_code = 17
    code = "gate"


class SandboxMissing(AgentctlError):
    """The policy requires a sandbox and this machine has none."""

    exit_code = 16
    code = "sandbox"


class ProvidersOut(AgentctlError):
    """No provider is left that could answer."""

    exit_code = 14
    code = "providers"
