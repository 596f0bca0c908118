"""25 tools that fail: for a while, so that another attempt helps, or for good, so that another tool does."""

from typing import Any

from tests.runner.faulty.errands import Case, Errand, Lay
from tests.runner.stage import RunStarted, calls

FOR_GOOD = 1_000_000
PYTHON = """
import errno

times = []

def {tool}(id: str) -> object:
    '''Find a parcel.'''
    times.append(id)
    if len(times) <= {fails}:
        {act}
    return {{"where": "{fact}"}}
"""


def elsewhere(errand: Errand) -> None:
    """The archive knows it too; the model turns there when it reads that the first tool can't help."""
    errand.stage.tool("archive", errand.told)
    first, last = calls((errand.tool, {"id": "P-17"})), errand.ends
    errand.stage.replies = [first, calls(("archive", {"id": "P-17"})), last]


def program(body: str, **contract: Any) -> Lay:
    """It fails for good."""

    def lay(errand: Errand) -> None:
        errand.stage.tool(errand.tool, body, **contract)
        elsewhere(errand)

    return lay


def passing(body: str, fails: int = 1, **contract: Any) -> Lay:
    """It fails so many times, and then answers."""

    def lay(errand: Errand) -> None:
        log = f"{errand.tool}.log"
        fresh = f"echo x >> {log}; [ $(wc -l < {log}) -gt {fails} ] && {{ {errand.told}; exit 0; }}"
        errand.stage.tool(errand.tool, f"{fresh}; {body}", **contract)
        errand.stage.replies = [calls((errand.tool, {"id": "P-17"})), errand.ends]

    return lay


def function(act: str, fails: int = FOR_GOOD) -> Lay:
    """A Python function that does this the first `fails` times."""

    def lay(errand: Errand) -> None:
        stage = errand.stage
        stage.folder.mkdir(parents=True, exist_ok=True)
        act_here = act.replace("TOOL", errand.tool)
        module = PYTHON.format(tool=errand.tool, fails=fails, act=act_here, fact=errand.fact)
        (stage.folder / f"parcels_{errand.number}.py").write_text(module)
        use = f"python:parcels_{errand.number}:{errand.tool}"
        stage.tools.append({"use": use, "name": errand.tool, "side_effects": "none", "untrusted": False})
        if fails == FOR_GOOD:
            elsewhere(errand)
        else:
            stage.replies = [calls((errand.tool, {"id": "P-17"})), errand.ends]

    return lay


def taken_away(errand: Errand) -> None:
    """Its program was there when the run began."""
    program("")(errand)
    stage, file = errand.stage, errand.stage.folder / "tools" / f"{errand.tool}.sh"
    file.chmod(0o700)
    stage.tools[0]["command"] = [f"./tools/{errand.tool}.sh"]
    stage.when(RunStarted, file.unlink)


def nobody_knows(errand: Errand) -> None:
    """A tool with an effect is too late: it is not run again, and what came of it is looked up."""
    program(f"echo ran >> {errand.tool}.log; sleep 9", side_effects="local", timeout_seconds=0.1)(errand)


def stands_in(errand: Errand) -> None:
    """Its circuit is open after two failures, and another tool answers for it."""
    stage = errand.stage
    stage.policy(circuit={"tools": {"failure_threshold": 2}}, results={"max_attempts": 2})
    stage.tool(errand.tool, "exit 75", fallback_tool="archive")
    stage.tool("archive", errand.told)
    stage.replies = [calls((errand.tool, {"id": one})) for one in ("P-17", "P-017")] + [errand.ends]


ENVELOPE = """echo '{"status": "error", "error_type": "%s", "retry_safe": true, "message": "busy"}'"""
TRACEBACK = r"printf 'Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 1\n' >&2; exit 1"
FAILING = [
    Case("busy once", passing("exit 75")),
    Case("busy twice", passing("echo busy >&2; exit 75", 2)),
    Case("it says that it may pass", passing(ENVELOPE % "transient")),
    Case("it is asked too often", passing(ENVELOPE % "rate_limit", 2)),
    Case("too late once", passing("sleep 9", timeout_seconds=0.1)),
    Case("a connection is lost", function("raise ConnectionResetError(errno.ECONNRESET, 'reset')", 1)),
    Case("a function runs out of time", function("raise TimeoutError('slow')", 2)),
    Case("busy for good", program("exit 75")),
    Case("too late for good", program("sleep 9", timeout_seconds=0.05)),
    Case("it says so for good", program(ENVELOPE % "transient")),
    Case("a connection is lost for good", function("raise ConnectionRefusedError('nobody there')")),
    Case("it raises", function("raise ValueError('no such shelf')")),
    Case("it leaves", function("raise SystemExit(3)")),
    Case("it calls itself for ever", function("return TOOL(id)")),
    Case("it may not", function("raise PermissionError('not for you')")),
    Case("exit 1", program("echo 'no such parcel' >&2; exit 1")),
    Case("exit 137", program("exit 137")),
    Case("killed", program("kill -9 $$")),
    Case("a traceback", program(TRACEBACK)),
    Case("words instead of JSON", program("echo 'It is over there.'")),
    Case("half of an object", program('printf \'{"where": "ais\'')),
    Case("bytes that are no text", program(r"printf '\377\376\000'")),
    Case("its program is gone", taken_away),
    Case("too late with an effect", nobody_knows),
    Case("another tool stands in", stands_in),
]
