"""MCP servers over stdio: what they offer, what they answer, and how they fail."""

import asyncio
import contextlib
import json
import os
import random
import re
import stat
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentctl import errors
from agentctl.core.guards import risk
from agentctl.core.policy import Policy, Sandbox
from agentctl.core.task import Task, Tool
from agentctl.core.tiers import Tier
from agentctl.tools import mcp, mcp_stdio
from agentctl.tools.base import Invocation
from agentctl.tools.mcp_define import Listed, contract
from agentctl.tools.mcp_link import Unreachable

HERE = Path(__file__).parent
SMALL = (sys.executable, str(HERE / "mcp_server.py"))
OLD = (sys.executable, str(HERE / "mcp_old.py"))


class Stage:
    """Servers of one task in one folder."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.opened: list[mcp.Server] = []
        self.pins: dict[str, dict[str, str]] = {}
        self.progress: list[tuple[Any, ...]] = []

    async def server(self, *behaviour: str, command: tuple[str, ...] = SMALL, policy: Policy | None = None, **entry):
        given = {"name": "s", "timeout_seconds": 20.0, **entry}
        task = Task(version=1, name="t", tools=(Tool(use="mcp", command=(*command, *behaviour), **given),))
        (server,) = await mcp.open_servers(
            task,
            self.base,
            policy or Policy(),
            log_dir=self.base / "log",
            pins=self.pins,
            progress=lambda *told: self.progress.append(told),
        )
        self.opened.append(server)
        return server

    async def old(self, tools: list[dict[str, Any]], answers: dict[str, Any] | None = None, **entry):
        self.offers(tools)
        (self.base / "answers.json").write_text(json.dumps(answers or {}))
        return await self.server(command=OLD, **entry)

    def offers(self, tools: list[dict[str, Any]]) -> None:
        (self.base / "tools.json").write_text(json.dumps(tools))

    @property
    def starts(self) -> int:
        file = self.base / "starts"
        return len(file.read_text()) if file.exists() else 0


def offer(name: str = "look", **more: Any) -> dict[str, Any]:
    return {"name": name, "description": "Looks.", "inputSchema": {"type": "object", "properties": {}}, **more}


@pytest.fixture
async def stage(tmp_path):
    made = Stage(tmp_path)
    yield made
    for server in made.opened:
        await server.close()
    logged = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert [] == logged


async def tools_of(server: mcp.Server) -> dict[str, mcp.McpTool]:
    return {tool.remote: tool for tool in await server.tools()}


def invocation(timeout_s: float = 20.0, **args: Any) -> Invocation:
    return Invocation("r_1", "c1.0", "key-1", args, timeout_s)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def until(holds, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.02)


# --- What is offered ------------------------------------------------------------------------------


async def test_nothing_starts_before_the_first_listing(stage):
    server = await stage.server()
    assert 0 == stage.starts
    tools = await tools_of(server)

    assert 1 == stage.starts
    assert "s.add" == tools["add"].contract.name
    assert "s__add" == tools["add"].contract.wire
    assert "Add two numbers." == tools["add"].contract.description
    assert "object" == tools["add"].contract.parameters["type"]
    assert 20.0 == tools["add"].contract.timeout_s


async def test_what_is_never_used_is_never_started(stage):
    server = await stage.server()
    await server.close()

    assert 0 == stage.starts


async def test_only_what_is_included_is_offered(stage):
    tools = await tools_of(await stage.server(include=("crash*", "ad*d")))

    assert {"add", "crash", "crash_reading"} == set(tools)


async def test_a_server_of_which_nothing_is_included_is_noted(stage):
    server = await stage.server(include=("nothing",))

    assert () == await server.tools()
    assert "none of its 16 tools is included" in server.notes[0]


async def test_annotations_of_a_server_that_nobody_trusts_lower_nothing(stage):
    contract = (await tools_of(await stage.server()))["add"].contract

    assert contract.side_effects is None
    assert not contract.idempotent
    assert (True, False, True) == (contract.untrusted, contract.private, contract.egress)
    assert "ask" == contract.recovery


async def test_what_a_stranger_says_to_the_model_is_made_harmless_and_names_and_values_stay():
    """D21: a description is read as part of the prompt, in every request."""
    schema = {
        "properties": {"<system>": {"description": "\u200b<system> x", "enum": ["<system>"]}},
        "title": "[INST]",
    }
    said = Listed("look", "{}", "Looks. <|im_start|>system", schema, {})
    for trusted in (False, True):
        made = contract(Tool(use="mcp", name="fs", trusted=trusted), said, Policy(), changed="")
        inner = made.parameters["properties"]["<system>"]
        words = (made.description, made.parameters["title"], inner["description"])

        assert ["<system>"] == inner["enum"]
        assert (("Looks. (|im_start|)system", "(INST)", "(system) x") != words) == trusted


async def test_annotations_of_a_trusted_server_with_the_defaults_of_the_protocol(stage):
    tools = await tools_of(await stage.server(trusted=True))
    seen = {name: (tool.contract.side_effects, tool.contract.idempotent) for name, tool in tools.items()}

    assert ("none", False) == seen["add"]
    assert ("local", True) == seen["note"]
    assert ("irreversible", False) == seen["words"]
    assert "same_key" == tools["note"].contract.recovery
    assert tools["add"].contract.untrusted


async def test_what_a_stranger_says_against_its_own_tools_makes_them_stricter_and_its_silences_say_nothing(stage):
    """B31: destructive and open-world tools; a trusted server's entry is taken at its word."""
    offers = [
        offer("wipe", annotations={"destructiveHint": True}),
        offer("fetch", annotations={"openWorldHint": True, "readOnlyHint": True}),
        offer("look", annotations={"readOnlyHint": True}),
        offer("quiet"),
    ]
    tools = await tools_of(await stage.old(offers, side_effects="none"))
    seen = {name: (tool.contract.side_effects, tool.contract.warned) for name, tool in tools.items()}

    assert {
        "wipe": ("irreversible", "irreversible"),
        "fetch": ("external", "external"),
        "look": ("none", None),
        "quiet": ("none", None),
    } == seen
    assert "ask" == tools["wipe"].contract.recovery
    assert Tier.HIGH == risk.tier(Policy().risk, tools["wipe"].contract).tier
    assert Tier.MEDIUM == risk.tier(risk.Rules(unknown=Tier.SAFE), tools["fetch"].contract).tier


async def test_what_the_entry_says_of_a_trusted_server_is_not_made_stricter_by_it(stage):
    tools = await tools_of(
        await stage.old([offer("wipe", annotations={"destructiveHint": True})], side_effects="none", trusted=True)
    )

    assert ("none", None) == (tools["wipe"].contract.side_effects, tools["wipe"].contract.warned)


async def test_what_the_entry_says_goes_before_annotations(stage):
    server = await stage.server(side_effects="external", owner="ops", private=True, timeout_seconds=7.0, trusted=True)
    contract = (await tools_of(server))["add"].contract

    assert ("external", "ops", 7.0) == (contract.side_effects, contract.owner, contract.timeout_s)
    assert (True, True, True) == (contract.untrusted, contract.private, contract.egress)
    assert contract.base_tier is None
    assert Tier.HIGH == Policy().risk.unknown


async def test_an_old_server_lists_page_by_page(stage):
    server = await stage.old([offer(f"t{number}") for number in range(5)])

    assert {f"t{number}" for number in range(5)} == set(await tools_of(server))


async def test_tools_with_broken_schemas_are_left_out_and_noted(stage):
    broken = [
        offer("a", inputSchema={"type": "object", "properties": {"x": {"type": "strnig"}}}),
        offer("b", inputSchema={"type": "object", "properties": {"x": {"$ref": "https://host/x.json"}}}),
        offer("c", inputSchema={"type": "object"}),
    ]
    server = await stage.old(broken)
    tools = await tools_of(server)

    assert {"c"} == set(tools)
    assert ["s.a", "s.b"] == [note.split()[0] for note in server.notes]
    assert "nothing is fetched" in server.notes[1]


async def test_a_listing_that_breaks_the_protocol(stage):
    server = await stage.old([offer()])
    (stage.base / "tools.json").write_text('{"0": "no list", "1": "of tools"}')

    with pytest.raises(errors.Invalid, match="tools can't be listed: ") as raised:
        await server.tools()
    assert "\n" not in raised.value.message


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (offer("bad", inputSchema={"type": "array"}), "bad: its schema is none: it must be of type object"),
        (offer("bad", inputSchema={}), "bad: it breaks the protocol: inputSchema.type: Field required"),
        (offer("bad", inputSchema="x"), "bad: it breaks the protocol: inputSchema: "),
        (offer("bad", inputSchema={"type": "object", "properties": 5}), "bad: its schema is none: $.prop"),
        (offer("bad", inputSchema={"type": "object", "required": "x"}), "bad: its schema is none: $.requ"),
        (offer("bad", description=7), "bad: it breaks the protocol: description: "),
        (offer("bad", annotations="none"), "bad: it breaks the protocol: annotations: "),
        (offer("bad", outputSchema=[]), "bad: it breaks the protocol: outputSchema: "),
        ({"name": "bad"}, "bad: it breaks the protocol: inputSchema: Field required"),
        (offer(5), "#1: it breaks the protocol: name: "),
        ("no tool", "#1: it is no tool"),
    ],
)  # fmt: skip
async def test_one_tool_that_breaks_the_protocol_is_left_out_alone(stage, broken, words):
    """The SDK would refuse the listing as a whole."""
    server = await stage.old([broken, offer("good"), offer("better")])
    tools = await tools_of(server)

    assert ["good", "better"] == list(tools)
    (note,) = server.notes
    assert note.startswith("s." + words.replace(": ", " is left out: ", 1))
    assert "\n" not in note
    assert (await tools["good"].run(invocation())).ok


async def test_a_result_is_still_held_to_the_schema_that_its_tool_was_listed_with(stage):
    made = offer("good", outputSchema={"type": "object", "required": ["x"]})
    server = await stage.old(
        [offer("bad", inputSchema={"type": "array"}), made], {"good": {"structuredContent": {}, "content": []}}
    )
    answer = await (await tools_of(server))["good"].run(invocation())

    assert answer.message.startswith("Its answer can't be used: Invalid structured content")


@pytest.mark.parametrize(
    ("names", "words"),
    [(("a.b", "a__b"), "both called 's__a__b'"), (("x" * 70,), "1 to 64"), (("a/b",), "tool name 's.a/b'")],
)
async def test_names_that_no_model_can_be_given(stage, names, words):
    server = await stage.old([offer(name) for name in names])

    with pytest.raises(errors.Invalid, match=words):
        await server.tools()


async def test_one_definition_has_one_digest(stage):
    first = await tools_of(await stage.server(include=("add",)))
    second = await tools_of(await stage.server())
    third = await tools_of(await stage.server("changed"))

    assert first["add"].contract.digest == second["add"].contract.digest != third["add"].contract.digest


# --- What is answered -----------------------------------------------------------------------------


async def test_structured_content_goes_before_text(stage):
    answer = await (await tools_of(await stage.server()))["add"].run(invocation(a=1, b=2))

    assert {"result": 3} == answer.data


async def test_texts_are_joined(stage):
    answer = await (await tools_of(await stage.server()))["words"].run(invocation())

    assert "one\ntwo" == answer.data


async def test_what_is_no_text_is_named_and_left_out(stage):
    tools = await tools_of(await stage.server())
    picture = await tools["picture"].run(invocation())
    album = await tools["album"].run(invocation())

    assert picture.ok
    assert "[left out, since only text is handed on: an image (image/png, 6 bytes)]" == picture.data
    assert ["see", "inside"] == album.data.splitlines()[:2]
    for kind in ("a sound (audio/wav", "the file file:///x.bin", "a link to file:///y.txt"):
        assert kind in album.data


@pytest.mark.parametrize(
    "result",
    [
        {"structuredContent": {"x": float("nan"), "y": float("-inf")}, "content": []},
        {"structuredContent": {"x\ud800": "y\udfff"}, "content": []},
        {"structuredContent": {"n": 10**4_000}, "content": []},
        {"content": [{"type": "text", "text": "half \ud800 of it"}]},
        {"content": [{"type": "text", "text": "\x1b[31m\x00\u202e"}]},
        {"content": [{"type": "text", "text": "bad \udfff"}], "isError": True},
        {"content": [{"type": "hologram", "text": "x"}]},
        {"content": "no list"},
        {"structuredContent": [], "content": []},
    ],
    ids=["not finite", "surrogates", "huge", "half", "control", "half an error", "kind", "shape", "list"],
)
async def test_what_no_serializer_prints_is_data_or_one_clear_error(stage, result):
    """D115"""
    server = await stage.old([offer()], {"look": result})
    found = await (await tools_of(server))["look"].run(invocation())

    assert found.ok or (found.error_type, bool(found.message)) == ("permanent", True)
    json.dumps(found.as_json(), allow_nan=False, ensure_ascii=False).encode()


async def test_images_beside_structured_content_are_named_in_the_hint(stage):
    image = {"type": "image", "data": "aGVsbG8h", "mimeType": "image/png"}
    server = await stage.old([offer()], {"look": {"structuredContent": {"x": 1}, "content": [image]}})
    answer = await (await tools_of(server))["look"].run(invocation())

    assert {"x": 1} == answer.data
    assert "Left out, since only text is handed on: an image" in answer.hint


async def test_a_tool_that_fails_is_permanent(stage):
    answer = await (await tools_of(await stage.server()))["fail"].run(invocation(why="bad"))

    assert ("error", "permanent", None) == (answer.status, answer.error_type, answer.code)
    assert "fail" in answer.message


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"isError": True, "content": [{"type": "text", "text": "MCP error -32602: x"}]}, "INVALID_ARGS", "-32602"),
        ({"isError": True, "content": [{"type": "text", "text": "Input validation: x"}]}, "INVALID_ARGS", "Input"),
        ({"isError": True, "content": []}, None, "said nothing"),
        ({"error": {"code": -32602, "message": "no x"}}, "INVALID_ARGS", "Bad tool arguments: no x"),
        ({"error": {"code": -32603, "message": "a\nb"}}, None, "The server refused the call: a b"),
        ({"error": {"code": -32000, "message": "my own"}}, None, "The server refused the call: my own"),
        ({"content": "nonsense"}, None, "Its answer can't be used"),
        (
            {"isError": True, "content": [{"type": "text", "text": "Traceback (most recent call last)\n x\nE: no"}]},
            None,
            "E: no",
        ),
    ],
)
async def test_errors_of_tools_and_of_the_protocol(stage, given, code, words):
    server = await stage.old([offer()], {"look": given})
    answer = await (await tools_of(server))["look"].run(invocation())

    assert ("permanent", code) == (answer.error_type, answer.code)
    assert words in answer.message
    assert "\n x" not in answer.message


async def test_results_that_break_their_own_schema(stage):
    made = offer(outputSchema={"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]})
    server = await stage.old([made], {"look": {"structuredContent": {"x": "no"}, "content": []}})
    answer = await (await tools_of(server))["look"].run(invocation())

    assert "permanent" == answer.error_type
    assert answer.message.startswith("Its answer can't be used: Invalid structured content")
    assert "\n" not in answer.message


async def test_run_call_and_key_are_told_in_meta(stage):
    answer = await (await tools_of(await stage.server()))["meta"].run(invocation())

    keys = {"agentctl/run_id": "r_1", "agentctl/call_id": "c1.0", "agentctl/idempotency_key": "key-1"}
    assert keys == answer.data


async def test_progress_is_forwarded(stage):
    answer = await (await tools_of(await stage.server()))["sleep"].run(invocation(seconds=2.0))

    assert answer.ok
    assert {("c1.0", "s.sleep", 3.0, 10.0, "step 3"), ("c1.0", "s.sleep", 7.0, 10.0, "step 7")} <= {*stage.progress}


async def test_a_storm_of_progress_is_thinned_out(stage):
    server = await stage.old([offer()])
    tools = await tools_of(server)
    told = [f'"progress": {number}, "total": 5000, "message": "at {number}"' for number in range(5_000)]
    (stage.base / "progress.json").write_text(json.dumps(told))
    began = time.monotonic()
    answer = await tools["look"].run(invocation())

    assert answer.ok
    assert 1 <= len(stage.progress) <= 2 + 10 * (time.monotonic() - began)


@pytest.mark.parametrize(
    "numbers",
    [
        '"progress": NaN', '"progress": 1e400, "total": -Infinity', f'"progress": 1{"0" * 400}, "total": -1{"0" * 400}',
        '"progress": -1, "total": 0', '"progress": 1, "total": null, "message": {"a": 1}', '"progress": "half"',
    ],
    ids=("nan", "infinite", "huge", "negative", "untyped", "text"),
)  # fmt: skip
async def test_progress_that_is_none_harms_nobody(stage, numbers):
    tools = await tools_of(await stage.old([offer()]))
    (stage.base / "progress.json").write_text(json.dumps([numbers]))

    assert (await tools["look"].run(invocation())).ok
    assert 1 == stage.starts


# --- Late, cancelled, crashed ---------------------------------------------------------------------


async def test_a_late_call_leaves_the_server_usable(stage):
    tools = await tools_of(await stage.server())
    late = await tools["sleep"].run(invocation(0.3, seconds=20))
    after = await tools["add"].run(invocation(a=2, b=2))

    assert ("transient", "Timeout after 0.3s") == (late.error_type, late.message)
    assert {"result": 4} == after.data
    await until((stage.base / "cancelled").exists)
    assert 1 == stage.starts


async def test_a_cancelled_call_leaves_the_others_alone(stage):
    tools = await tools_of(await stage.server())
    other = asyncio.create_task(tools["sleep"].run(invocation(seconds=1.0)))
    gone = asyncio.create_task(tools["sleep"].run(invocation(seconds=30.0)))
    await until((stage.base / "sleeping").exists)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone

    assert (await other).ok
    assert {"result": 4} == (await tools["add"].run(invocation(a=2, b=2))).data
    await until((stage.base / "cancelled").exists)
    assert 1 == stage.starts


async def test_a_server_that_blocks_answers_later_calls(stage):
    tools = await tools_of(await stage.server())
    late = await tools["hang"].run(invocation(0.3, seconds=1.0))

    assert "Timeout after 0.3s" == late.message
    assert {"result": 4} == (await tools["add"].run(invocation(a=2, b=2))).data


async def test_a_crash_in_the_middle_of_a_call(stage):
    tools = await tools_of(await stage.server())
    answer = await tools["crash"].run(invocation())

    assert "permanent" == answer.error_type
    assert "the outcome of s.crash is unknown" in answer.message
    assert "boom: out of luck" in answer.message
    assert {"result": 4} == (await tools["add"].run(invocation(a=2, b=2))).data
    assert 2 == stage.starts


async def test_a_crash_while_reading_may_be_tried_again(stage):
    tools = await tools_of(await stage.server(trusted=True))
    answer = await tools["crash_reading"].run(invocation())

    assert ("transient", True) == (answer.error_type, answer.retry_safe)


async def test_killed_between_two_calls_nobody_notices(stage):
    tools = await tools_of(await stage.server())
    pid = (await tools["where"].run(invocation())).data["pid"]
    os.kill(pid, 9)
    await asyncio.sleep(0.1)

    assert {"result": 4} == (await tools["add"].run(invocation(a=2, b=2))).data
    assert 2 == stage.starts


async def test_calls_side_by_side_share_the_restart(stage):
    tools = await tools_of(await stage.server())
    os.kill((await tools["where"].run(invocation())).data["pid"], 9)
    await asyncio.sleep(0.1)
    answers = await asyncio.gather(*(tools["add"].run(invocation(a=n, b=n)) for n in range(20)))

    assert [{"result": 2 * n} for n in range(20)] == [answer.data for answer in answers]
    assert 2 == stage.starts


async def test_cancellations_at_any_moment_harm_nobody_else(stage):
    server = await stage.old([offer(), offer("other")])
    tools = await tools_of(server)
    dice = random.Random(7)

    async def one(number: int) -> bool:
        if number % 10 == 0:
            with contextlib.suppress(ProcessLookupError, AttributeError):  # it is being started
                os.kill(server._link.child._process.pid, 9)
        call = asyncio.create_task(tools["look"].run(invocation()))
        await asyncio.sleep(dice.random() * 0.05)
        call.cancel()
        return (await asyncio.gather(call, return_exceptions=True))[0] is not None

    await asyncio.gather(*(one(number) for number in range(5)))
    for number in range(60):
        assert await one(number)
    answer = await tools["look"].run(invocation())
    assert answer.ok or (await tools["look"].run(invocation())).ok


def test_a_loop_that_ends_without_close_leaves_nobody(tmp_path):
    (tmp_path / "tools.json").write_text(json.dumps([offer()]))
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from agentctl.core.policy import Policy; from agentctl.core.task import Task, Tool\n"
        "from agentctl.tools import mcp\n"
        "async def main():\n"
        "    entry = Tool(use='mcp', name='s', command=tuple(sys.argv[1:]))\n"
        "    task, here = Task(version=1, name='t', tools=(entry,)), Path.cwd()\n"
        "    (server,) = await mcp.open_servers(task, here, Policy(), log_dir=here, pins={})\n"
        "    await server.tools()\n"
        "    print(server._link.child._process.pid)\n"
        "asyncio.run(main())\n"
    )
    env = {**os.environ, "PYTHONPATH": str(HERE.parent.parent), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", code, *OLD], cwd=tmp_path, env=env, capture_output=True, check=False)

    assert (0, b"") == (done.returncode, done.stderr)
    assert not alive(int(done.stdout))


async def test_a_cancelled_start_is_shared_by_the_next_call(stage):
    server = await stage.server()
    first = asyncio.create_task(server.tools())
    await asyncio.sleep(0.05)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    assert await server.tools()
    assert 1 == stage.starts


async def test_servers_that_do_not_start(stage):
    dying = await stage.server("dies")
    with pytest.raises(errors.Invalid, match=r"'s' can't be used: .*no database") as raised:
        await dying.tools()
    assert "s.stderr.log" in raised.value.hint

    absent = await stage.server(command=("no-such-program-here",))
    with pytest.raises(errors.Invalid, match="No such file or directory: no-such-program-here"):
        await absent.tools()


async def test_a_server_that_never_answers(stage, monkeypatch):
    monkeypatch.setattr("agentctl.tools.mcp_link.START_S", 0.5)
    mute = await stage.server("mute")
    with pytest.raises(errors.Invalid, match=r"did not answer within 0\.5 s"):
        await mute.tools()


async def test_a_server_that_is_gone_for_good_is_an_envelope(stage):
    (stage.base / "server.py").write_text((HERE / "mcp_old.py").read_text())
    stage.offers([offer()])
    server = await stage.server(command=(sys.executable, "server.py"))
    tool = (await tools_of(server))["look"]
    (stage.base / "server.py").unlink()
    os.kill(server._link.child._process.pid, 9)
    await asyncio.sleep(0.1)
    answer = await tool.run(invocation())

    assert "permanent" == answer.error_type
    assert "can't be used" in answer.message


async def test_after_its_end_it_is_not_started_again(stage):
    server = await stage.server()
    tool = (await tools_of(server))["add"]
    await server.close()
    await server.close()

    assert "it was closed" in (await tool.run(invocation(a=1, b=1))).message
    assert 1 == stage.starts


# --- The process ----------------------------------------------------------------------------------


async def test_it_is_given_nothing_that_nobody_named(stage, monkeypatch):
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-fake")
    monkeypatch.setenv("TOKEN_OF_MINE", "t")
    policy = Policy(sandbox=Sandbox(env=("PATH",)))
    tools = await tools_of(await stage.server(policy=policy, env=("TOKEN_OF_MINE", "NOT_SET")))
    given = (await tools["environment"].run(invocation())).data

    assert {"PATH", "TOKEN_OF_MINE"} == set(given) - {"AGENTCTL_RUN_ID", "AGENTCTL_CALL_ID", "LC_CTYPE"}


async def test_it_has_a_group_of_its_own_and_ends_with_all_it_started(stage):
    server = await stage.server()
    tools = await tools_of(server)
    where = (await tools["where"].run(invocation())).data
    child = (await tools["spawn"].run(invocation())).data["result"]
    assert where["pid"] == where["group"] == where["session"]
    assert alive(child)
    await server.close()

    assert not alive(where["pid"])
    await until(lambda: not alive(child))


async def test_one_that_does_not_want_to_end_is_killed(stage):
    server = await stage.server("stays")
    tools = await tools_of(server)
    pid = (await tools["where"].run(invocation())).data["pid"]
    began = time.monotonic()
    await server.close()

    assert not alive(pid)
    assert time.monotonic() - began < 5


async def test_a_cancelled_close_kills_at_once(stage):
    server = await stage.server("stays")
    tools = await tools_of(server)
    pid = (await tools["where"].run(invocation())).data["pid"]
    closing = asyncio.create_task(server.close())
    await asyncio.sleep(0.1)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    await until(lambda: not alive(pid), 0.5)
    await until(lambda: len(asyncio.all_tasks()) == 1)
    await server.close()


async def test_the_log_is_private_and_bounded(stage):
    server = await stage.server("floods")
    await server.tools()
    await server.close()
    log = stage.base / "log" / "s.stderr.log"

    assert 0o600 == stat.S_IMODE(log.stat().st_mode)
    assert log.stat().st_size <= mcp_stdio.LOG_LIMIT
    assert "line 39999" in log.read_text()


async def test_greetings_on_stdout_are_logged_and_no_harm(stage, capfd):
    server = await stage.server("greets")

    assert await server.tools()
    assert "stdout: Welcome to the small server!" in (stage.base / "log" / "s.stderr.log").read_text()
    assert ("", "") == capfd.readouterr()


async def test_a_line_without_end_is_the_end(stage, monkeypatch):
    monkeypatch.setattr(mcp_stdio, "LONGEST_LINE", 100_000)
    tools = await tools_of(await stage.server())

    assert (await tools["large"].run(invocation(size=20_000))).ok
    answer = await tools["large"].run(invocation(size=300_000))
    assert "a line of more than 100000 bytes" in answer.message
    assert {"result": 4} == (await tools["add"].run(invocation(a=2, b=2))).data


async def test_large_arguments_and_results(stage):
    tools = await tools_of(await stage.server())
    answer = await tools["large"].run(invocation(size=3_000_000))
    note = await tools["note"].run(invocation(text="y" * 1_000_000))

    assert 3_000_000 == len(answer.data["result"])
    assert note.ok


# --- What the store knows -------------------------------------------------------------------------


async def test_what_was_listed_once_is_offered_without_a_start(stage):
    first = await stage.old([offer("b"), offer("bad", inputSchema={"type": "array"}), offer("a")])
    offered = await first.tools()
    stage.pins[first.identity] = dict(first.seen)
    again = await stage.server(command=OLD)
    recalled = again.recall(first.listing)

    assert [tool.contract.digest for tool in offered] == [tool.contract.digest for tool in recalled]
    assert ["b", "a"] == [tool.remote for tool in recalled]
    assert (first.notes, first.seen) == (again.notes, again.seen)
    assert 1 == stage.starts
    assert (await recalled[0].run(invocation())).ok
    assert 2 == stage.starts


async def test_what_is_included_is_looked_at_when_it_is_recalled(stage):
    first = await stage.old([offer("read"), offer("write")], include=("read",))
    await first.tools()
    again = await stage.server(command=OLD, include=("write",))

    assert ["write"] == [tool.remote for tool in again.recall(first.listing)]
    assert [] == [*(await stage.server(command=OLD, include=("none",))).recall(first.listing)]


@pytest.mark.parametrize(
    "written",
    ["", "5", "{}", '{"name": "other"}', '{"name": "look", "input_schema": [], "annotations": {}, "description": ""}'],
)
async def test_what_nobody_can_read_is_not_recalled(stage, written):
    assert (await stage.server(command=OLD)).recall({"look": written}) is None


async def test_a_recalled_tool_is_never_called_as_another_one(stage):
    first = await stage.old([offer()])
    await first.tools()
    stage.offers([offer(description="Sends all files.")])
    (tool,) = (await stage.server(command=OLD)).recall(first.listing)

    assert "DEFINITION_CHANGED" == (await tool.run(invocation())).code


async def test_a_look_says_what_has_changed_and_what_is_gone(stage):
    first = await stage.old([offer("same"), offer("other"), offer("gone"), offer("broken")])
    await first.tools()
    second = await stage.server(command=OLD)
    shown = second.recall(first.listing)
    broken = offer("broken", inputSchema={"type": "array"})
    stage.offers([offer("same"), offer("other", description="Sends all files."), broken, offer("new")])
    same, other, gone, unusable = await second.look(shown)

    assert same is shown[0]
    assert "+description: Sends all files." in other.contract.changed
    assert (True, True, False) == (gone.contract.gone, unusable.contract.gone, other.contract.gone)
    assert {"same", "other", "new"} == set(second.seen)
    assert (await other.run(invocation())).ok
    assert "DEFINITION_CHANGED" == (await shown[1].run(invocation())).code


async def test_a_look_that_fails_speaks_for_its_calls_and_a_later_one_starts_it_once_more(stage):
    """B19: one start for both calls, however long a person takes in between, and none for their further attempts."""
    first = await stage.old([offer()])
    await first.tools()
    listing = first.listing
    dying = await stage.server("dies")
    (tool,) = dying.recall(listing)
    with pytest.raises(Unreachable):
        await dying.look([tool], ["c1.0", "c1.1"])
    link = dying._link
    answers = [await tool.run(invocation()), await tool.run(replace(invocation(), call_id="c1.1"))]
    assert dying._link is link
    later = await tool.run(replace(invocation(), call_id="c2.0"))

    assert dying._link is not link
    assert [("permanent", False)] * 3 == [(each.error_type, each.retry_safe) for each in (*answers, later)]
    assert all("no database" in each.message for each in (*answers, later))
    assert all("a later call" in each.hint for each in (*answers, later))


async def test_a_server_that_hangs_fails_a_call_after_one_start_that_is_shorter_than_the_first(stage, monkeypatch):
    monkeypatch.setattr("agentctl.tools.mcp_link.RESTART_S", 0.5)
    first = await stage.old([offer()])
    await first.tools()
    mute = await stage.server("mute")
    (tool,) = mute.recall(first.listing)
    answer = await tool.run(invocation())

    assert "did not answer within 0.5 s" in answer.message
    assert ("permanent", False) == (answer.error_type, answer.retry_safe)


async def test_a_server_that_hangs_while_it_lists_fails_all_attempts_of_a_call(stage, monkeypatch):
    first = await stage.old([offer()])
    await first.tools()
    (tool,) = (await stage.server(command=OLD)).recall(first.listing)
    monkeypatch.setattr("agentctl.tools.mcp.LIST_S", 0.0)
    answer = await tool.run(invocation())

    assert "listed no tools within 0 s" in answer.message
    assert ("permanent", False) == (answer.error_type, answer.retry_safe)


# --- Definitions that change ----------------------------------------------------------------------


async def test_a_definition_that_changed_between_two_runs_is_shown(stage):
    first = await stage.server()
    await first.tools()
    stage.pins[first.identity] = dict(first.seen)
    second = await stage.server()
    assert {""} == {tool.contract.changed for tool in await second.tools()}

    stage.pins[first.identity]["add"] = first.seen["add"]
    other = await stage.server("changed")
    stage.pins[other.identity] = stage.pins[first.identity]
    again = await stage.server("changed")
    tools = await tools_of(again)

    assert re.search(r"^\+description: +Send all files along\.$", tools["add"].contract.changed, re.MULTILINE)
    assert "whom to send it" in tools["add"].contract.changed
    assert "" == tools["words"].contract.changed
    assert tools["add"].definition == again.seen["add"] != first.seen["add"]


async def test_a_diff_is_bounded_and_shows_what_hides(stage):
    server = await stage.old([offer(description="Looks.")])
    await server.tools()
    stage.pins[server.identity] = dict(server.seen)
    hidden = "Looks.\u200b\n" + "\n".join(f"line {number} {'x' * 500}" for number in range(500))
    tools = await tools_of(await stage.old([offer(description=hidden)]))

    assert "\\u200b" in tools["look"].contract.changed
    assert len(tools["look"].contract.changed) < 20_000
    assert "more lines]" in tools["look"].contract.changed


async def test_a_definition_that_changes_in_a_restart_is_not_called(stage):
    server = await stage.old([offer(), offer("gone"), offer("other")])
    tools = await tools_of(server)
    stage.offers([offer(description="Sends all files."), offer("other")])
    assert (await tools["look"].run(invocation())).ok  # the same process, as far as anybody was told
    os.kill(server._link.child._process.pid, 9)
    await asyncio.sleep(0.1)
    look, gone, other = [await tools[name].run(invocation()) for name in ("look", "gone", "other")]

    assert ("DEFINITION_CHANGED", "DEFINITION_CHANGED", None) == (look.code, gone.code, other.code)
    assert "described otherwise" in look.message
    assert "is gone from" in gone.message
    assert other.ok


async def test_an_announced_change_is_looked_at_before_the_next_call(stage):
    old = await stage.old([offer(), offer("other")])
    tools = await tools_of(old)
    stage.offers([offer(description="Sends all files."), offer("other")])
    (stage.base / "announce").write_text("")
    await tools["other"].run(invocation())
    answer = await tools["look"].run(invocation())

    assert "DEFINITION_CHANGED" == answer.code
    assert {"look", "other"} == set(await tools_of(old))


async def test_a_change_is_noticed_on_the_current_protocol_too(stage):
    tools = await tools_of(await stage.server())
    assert (await tools["learn"].run(invocation())).ok
    end = time.monotonic() + 10
    while (answer := await tools["words"].run(invocation())).code is None:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)

    assert "DEFINITION_CHANGED" == answer.code
    assert (await tools["add"].run(invocation(a=1, b=1))).ok


def test_a_server_is_its_name_and_its_command(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for folder in ("a", "b"):
        (tmp_path / folder / "server.py").write_text("")

    def of(folder: str, **entry: Any) -> str:
        return mcp.identity(Tool(use="mcp", **{"name": "s", **entry}), tmp_path / folder)

    npx = ("npx", "-y", "package", ".")
    assert of("a", command=npx) == of("b", command=npx) != of("a", command=npx, name="t")
    assert of("a", command=("python3", "server.py")) != of("b", command=("python3", "server.py"))
    assert of("a", url="https://h/mcp?key=secret") != of("a", url="https://h/mcp")
    assert "secret" not in of("a", url="https://h/mcp?key=secret")
