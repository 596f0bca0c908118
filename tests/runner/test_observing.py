"""What a collector is told of whole runs, and that it costs them nothing."""

import asyncio
import json
import signal
import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from agentctl import ownkeys
from agentctl.approvals.base import Answer
from agentctl.core.events import ModelReplied
from agentctl.runner import api, observing
from agentctl.runner.forking import Branch
from agentctl.telemetry import sink
from agentctl.telemetry.span import span_id, trace_id
from tests.runner.stage import Fault, Person, Reply, Watcher, calls, driver, usage
from tests.telemetry.receiver import receiving

DONE = Reply(text="All done, and well.", usage=usage(100, 10))
SECRET = "sk-ant-{}-5d0fCa1b9E7a".format("api03")

COMMON = {"gen_ai.conversation.id", "gen_ai.operation.name", "agentctl.run.id", "agentctl.seq", "agentctl.step"}
DRIVE = COMMON | {
    "gen_ai.agent.name", "gen_ai.provider.name", "session.id", "user.id", "agentctl.policy.name",
    "agentctl.policy.digest", "agentctl.status", "agentctl.reason", "agentctl.exit_code", "agentctl.steps",
    "agentctl.run.cost_usd",
}  # fmt: skip
ASKED = COMMON | {
    "gen_ai.provider.name", "gen_ai.agent.name", "gen_ai.request.model", "gen_ai.request.max_tokens", "server.address",
    "server.port", "agentctl.label", "agentctl.provider", "agentctl.purpose", "agentctl.attempt",
    "agentctl.estimated_tokens", "agentctl.reserved_usd", "agentctl.cost_usd",
}  # fmt: skip
REPLIED = ASKED | {
    "gen_ai.response.model", "gen_ai.response.finish_reasons", "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_write.input_tokens",
}  # fmt: skip
FAILED = ASKED | {"error.type", "http.response.status_code"}
TOOL = COMMON | {
    "gen_ai.agent.name", "gen_ai.tool.name", "gen_ai.tool.type", "gen_ai.tool.call.id", "tool.name", "tool.status",
    "tool.retry_safe", "tool.args.size", "tool.args.digest", "agentctl.label", "agentctl.call.id", "agentctl.tier",
    "agentctl.attempt", "agentctl.effect", "agentctl.timeout_s", "agentctl.result_tokens",
}  # fmt: skip
CONTENT = {
    "gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result", "tool.args",
}  # fmt: skip


@pytest.fixture
def receiver(monkeypatch):
    """A collector; on a busy machine it is waited for."""
    monkeypatch.setattr(sink, "PATIENCE_S", 30.0)
    with receiving() as made:
        yield made


@pytest.fixture
def told(stages, receiver):
    """A stage whose policy names the collector."""

    def make(spoken="chat", **rules):
        stage = stages(spoken)
        stage.policy(telemetry={"otlp_endpoint": receiver.url, "service_name": "agent-service"} | rules)
        return stage

    return make


@pytest.fixture
def broken(told):
    """A run with a refused model call, a tool that fails once, and an answer."""
    stage = told()
    body = f'[ -e once ] && echo \'"found {SECRET}"\' || {{ touch once; echo "password={SECRET}" >&2; exit 75; }}'
    stage.tool("look", body, retry_policy="exponential_backoff")
    stage.faults = [Fault("status", requests="1", status=503)]
    stage.replies = [calls(("look", {"id": f"key {SECRET}"}), text="I look.", usage=usage(100, 10)), DONE]
    return stage


async def test_a_run_is_one_trace_with_the_conventions_names_and_attributes(broken, receiver):
    """D52 D53 G17"""
    assert 0 == (await broken.run()).exit_code
    (root,) = receiver.of("invoke_agent")
    chats, tools = receiver.of("chat"), receiver.of("execute_tool")

    assert (f"{trace_id(broken.run_id):032x}", f"{span_id(broken.run_id, 1):016x}") == (root.trace_id, root.span_id)
    assert ("invoke_agent errand", 1, "", 1) == (root.name, root.kind, root.parent, root.status)
    assert {(root.trace_id, root.span_id)} == {(one.trace_id, one.parent) for one in (*chats, *tools)}
    assert {("chat gpt-5.4", 3)} == {(chat.name, chat.kind) for chat in chats}
    assert {("execute_tool look", 1)} == {(tool.name, tool.kind) for tool in tools}
    assert DRIVE == root.attributes.keys()
    assert [FAILED, REPLIED, REPLIED] == [chat.attributes.keys() for chat in chats]
    assert [TOOL | {"error.type"}, TOOL] == [tool.attributes.keys() for tool in tools]
    assert {"agent-service"} == {one.resource["service.name"] for one in receiver.spans}
    assert {"agent-service"} == {one.scope for one in receiver.spans}
    assert ["tool.look", "tool.look"] == [tool.attributes["agentctl.label"] for tool in tools]
    assert (100, 10, ["tool_call"]) == tuple(
        chats[1].attributes[f"gen_ai.{key}"]
        for key in ("usage.input_tokens", "usage.output_tokens", "response.finish_reasons")
    )


async def test_a_tool_s_failure_is_on_its_span_and_its_retry_on_the_run_s(broken, receiver):
    """D54 D55 D56"""
    await broken.run()
    failed, done = receiver.named("execute_tool look")
    (root,) = receiver.of("invoke_agent")

    assert ("look", "error", 2) == (failed.attributes["tool.name"], failed.attributes["tool.status"], failed.status)
    assert failed.attributes["tool.retry_safe"] is True
    assert ["exception"] == [name for name, _ in failed.events]
    assert failed.attributes["error.type"] == failed.events[0][1]["exception.type"]
    assert ("success", 0, []) == (done.attributes["tool.status"], done.status, done.events)
    assert ["agentctl.retry", "agentctl.retry"] == [name for name, _ in root.events if name == "agentctl.retry"]


async def test_metrics_have_the_conventions_names_and_add_up(broken, receiver):
    """D51"""
    result = await broken.run()
    metrics = receiver.metrics

    (dollars, about), *rest = metrics["agentctl.cost.usd"]
    assert result.body["cost_usd"] == pytest.approx(dollars + sum(value for value, _ in rest))
    assert "chat" == about["gen_ai.operation.name"]
    tokens = {about["gen_ai.token.type"]: value for value, about in metrics["gen_ai.client.token.usage"]}
    assert {"input": 200, "output": 20} == tokens
    errors = {about.get("error.type") for _, about in metrics["gen_ai.client.operation.duration"]}
    assert {None, "overloaded"} == errors
    assert 2 == len(metrics["gen_ai.execute_tool.duration"])
    assert {"tool": 1, "model": 1} == {about["of"]: value for value, about in metrics["agentctl.retries"]}
    assert [(1, {"status": "completed", "reason": "done"})] == metrics["agentctl.drives"]


@pytest.mark.parametrize("content", [False, True])
async def test_content_is_told_when_it_is_asked_for_and_a_secret_never(told, broken, receiver, content):
    """D55"""
    broken.policy(telemetry={"include_content": content})
    broken.task["goal"] = f"Find it with {SECRET}."
    await broken.run()
    keys = {key for span in receiver.spans for key in span.attributes}

    assert SECRET.encode() not in receiver.everything
    assert (CONTENT if content else set()) == keys & CONTENT
    for said in (b"All done, and well.", b"I look.", b"Find it with", b"You are a clerk."):
        assert (said in receiver.everything) == content
    if content:
        chats = receiver.of("chat")
        assert ["user"] == [one["role"] for one in json.loads(chats[0].attributes["gen_ai.input.messages"])]
        assert ["tool"] == [one["role"] for one in json.loads(chats[2].attributes["gen_ai.input.messages"])]
        (said,) = json.loads(chats[2].attributes["gen_ai.output.messages"])
        assert ("assistant", "stop", "All done, and well.") == (
            said["role"], said["finish_reason"], said["parts"][0]["content"]
        )  # fmt: skip


async def test_circuits_fallbacks_and_approvals_are_events_of_the_run(told, receiver):
    stage = told()
    stage.providers = [{"name": "main", "api": "chat"}, {"name": "spare", "api": "chat", "model": "gpt-5.4-mini"}]
    stage.policy(circuit={"failure_threshold": 1}, retry={"max_attempts": 1}, risk={"auto_approve": "safe"})
    stage.faults = [Fault("status", provider="main", requests="1", status=503)]
    stage.effect("send")
    stage.replies = [calls(("send", {"id": "b"}), usage=usage(100, 10)), DONE]
    result = await stage.run(Person([Answer("deny", by="ada", why="not today, please")]))
    (root,) = receiver.of("invoke_agent")
    events = dict(root.events)

    assert 0 == result.exit_code
    assert ("main", "open") == tuple(events["agentctl.circuit"][key] for key in ("name", "to"))
    assert ("main", "spare") == tuple(events["agentctl.fallback"][key] for key in ("from", "to"))
    assert "send" == events["agentctl.approval_requested"]["tool.name"]
    assert ("deny", "ada") == tuple(events["agentctl.approval_decided"][key] for key in ("decision", "by"))
    assert ("send", "DENIED") == tuple(events["agentctl.call_answered"][key] for key in ("tool.name", "agentctl.code"))
    assert b"not today" not in receiver.everything
    assert [(1, {"decision": "deny"})] == receiver.metrics["agentctl.approvals"]
    assert ["agentctl.circuits.opened"] == [name for name in receiver.metrics if "circuit" in name]


async def test_a_run_that_was_killed_is_whole_once_it_is_resumed(told, receiver):
    """What its driver took with it is told by the next one, in the same trace."""
    stage = told()
    stage.tool("look", "cat")
    stage.replies = [calls(("look", {"id": "b"}), usage=usage(100, 10)), DONE]
    code, _, err = await driver(stage, failpoint="after-model-intent:2")
    assert -signal.SIGKILL == code, err
    before = {span.span_id for span in receiver.spans}
    assert 0 == (await stage.resume()).exit_code
    first, second = sorted(receiver.of("invoke_agent"), key=lambda span: span.start)
    after = [span.span_id for span in receiver.spans if span.span_id not in before]

    assert len(after) == len(set(after))
    assert (2, "crashed") == (first.status, first.attributes["error.type"])
    assert [(first.trace_id, first.span_id, {"agentctl.link": "resumed"})] == second.links
    assert {first.trace_id} == {span.trace_id for span in receiver.spans}
    (cut,) = [chat for chat in receiver.of("chat") if chat.status]
    assert ("unknown_outcome", first.span_id) == (cut.attributes["error.type"], cut.parent)


async def test_a_fork_is_a_trace_of_its_own_that_links_to_where_it_came_from(told, receiver):

    stage = told()
    stage.tool("look", "cat")
    stage.replies = [calls(("look", {"id": "b"}), usage=usage(100, 10)), DONE, DONE]
    await stage.run()
    parent, told_before = stage.run_id, len(receiver.got)
    stage.stamped, stage.states = [], []
    branch = Branch(user="ada")
    result = await api.fork(parent, branch, store=None, listener=Watcher(stage), approver=None)
    del receiver.got[:told_before]
    (root,) = receiver.of("invoke_agent")

    assert f"{trace_id(result.body['run_id']):032x}" == root.trace_id
    (trace, span, about), = root.links  # fmt: skip
    assert (f"{trace_id(parent):032x}", f"{span_id(parent, 1):016x}") == (trace, span)
    assert "forked" == about["agentctl.link"]
    assert 1 == len(receiver.of("chat"))
    assert [] == receiver.of("execute_tool")


async def test_a_rehearsal_says_so_everywhere_and_names_no_server_that_nobody_asked(told, receiver):
    stage = told()
    stage.rehearsed = True
    stage.replies = [DONE]
    await stage.run()

    assert all(span.attributes["agentctl.rehearsed"] is True for span in receiver.spans)
    assert all(about["agentctl.rehearsed"] for points in receiver.metrics.values() for _, about in points)
    assert not [span for span in receiver.spans if "server.address" in span.attributes]


# --- what a collector may do ---


def quick(stage, tools=3):
    stage.tool("look", "cat")
    stage.replies = [*(calls(("look", {"id": str(n)}), usage=usage(100, 10)) for n in range(tools)), DONE]
    return stage


async def test_a_collector_that_answers_nobody_is_not_waited_for_while_the_run_goes_on(told, receiver, monkeypatch):
    """D52: it ends with its answer while the collector still hangs; one line says what did not arrive."""
    monkeypatch.setattr(sink, "PATIENCE_S", 0.2)
    monkeypatch.setattr(sink, "EVERY_S", 0.01)
    receiver.hangs.set()
    stage = quick(told())
    result = await stage.run()

    assert (0, "All done, and well.") == (result.exit_code, result.answer)
    assert receiver.hangs.is_set()
    assert 1 == len(receiver.got)  # the rest waits behind it, in the thread
    (line,) = [note for note in stage.notes if note.startswith("telemetry")]
    assert "not all spans got to http://127.0.0.1" in line
    monkeypatch.setattr(sink, "PATIENCE_S", 600.0)  # whoever lets a run wait is not waited for again
    stage.replies = [DONE]
    assert 0 == (await stage.run()).exit_code


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((500, b"<html>"), "it answered 500 Internal Server Error"),
        ((401, b""), "it answered 401 Unauthorized"),
        ((302, b""), "it answered 302 Found"),
        ((200, b"\x0a\x0d\x08\x03\x12\x09too large"), "3 of 8 spans did not get to"),
        ((200, b"<html>garbage\xff"), ""),
    ],
)
async def test_whatever_a_collector_answers_is_at_most_one_line(told, receiver, capfd, answer, words):
    """D52"""
    receiver.answer = lambda path: answer if path.endswith("traces") else (404, b"")
    stage = quick(told())
    capfd.readouterr()
    result = await stage.run()
    lines = [note for note in stage.notes if note.startswith("telemetry")]

    assert 0 == result.exit_code
    assert ("", "") == tuple(capfd.readouterr())
    assert (1 if words else 0) == len(lines)
    assert all(words in line for line in lines)


async def test_a_collector_that_is_gone_costs_one_line(told, receiver):
    stage = quick(told(otlp_endpoint="http://127.0.0.1:1"))
    result = await stage.run()
    (line,) = [note for note in stage.notes if note.startswith("telemetry")]

    assert 0 == result.exit_code
    assert "8 of 8 spans did not get to http://127.0.0.1:1: it can't be reached" in line


async def test_a_collector_that_recovers_gets_everything(told, receiver, monkeypatch):
    monkeypatch.setattr(sink, "EVERY_S", 0.01)
    answers = iter([(503, b""), (429, b"")])
    receiver.answer = lambda path: next(answers, (200, b"")) if path.endswith("traces") else (200, b"")
    stage = quick(told())
    stage.when(ModelReplied, lambda: None)
    await stage.run()
    spans = {span.span_id for span in receiver.spans}

    assert 8 == len(spans)
    assert [] == [note for note in stage.notes if note.startswith("telemetry") and "8 of 8" not in note]


async def test_runs_at_the_same_time_share_one_thread(told, receiver):
    one, other = quick(told(), 1), quick(told(), 1)
    await asyncio.gather(one.run(), other.run())

    assert {one.run_id, other.run_id} == {span.attributes["agentctl.run.id"] for span in receiver.spans}
    assert 1 == len([got for got in receiver.got if got.path.endswith("metrics")])
    assert {} == observing._shared


# --- what the environment says ---


async def test_headers_are_sent_and_masked_and_no_tool_is_given_them(told, receiver, monkeypatch):
    value = "cGstbGY6c2st{}9x7y".format("bGY")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Authorization=Basic%20{value},x-langfuse-ingestion-version=4")
    monkeypatch.setattr(ownkeys, "_own", ownkeys._Own())
    ownkeys._own.on = ownkeys._own.shut = True
    stage = told(include_content=True)
    stage.tool("look", f'echo "\\"${{OTEL_EXPORTER_OTLP_HEADERS:-nothing}} {value}\\""')
    stage.replies = [calls(("look", {"id": "b"}), usage=usage(100, 10)), DONE]
    await stage.run()

    assert {f"Basic {value}"} == {got.headers["authorization"] for got in receiver.got}
    assert {"4"} == {got.headers["x-langfuse-ingestion-version"] for got in receiver.got}
    assert value.encode() not in receiver.everything
    assert "nothing [REDACTED]" in json.dumps(stage.results()["c1.1"])


async def test_where_and_as_what_is_the_policy_s_to_say(told, receiver, monkeypatch):
    for name, value in {
        "ENDPOINT": "http://127.0.0.1:1", "TRACES_ENDPOINT": "http://127.0.0.1:1", "TIMEOUT": "0.0001",
        "COMPRESSION": "gzip", "PROTOCOL": "grpc",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "surprise=1")
    await quick(told(), 1).run()

    assert {"agent-service"} == {span.resource["service.name"] for span in receiver.spans}
    assert not [span for span in receiver.spans if "surprise" in span.resource]
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)  # what the SDKs would send their own spans to


async def test_a_certificate_that_is_not_there_is_named(told, receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem")
    stage = quick(told(otlp_endpoint=receiver.url.replace("http", "https")), 1)

    assert 0 == (await stage.run()).exit_code
    assert any("/nowhere/ca.pem" in note for note in stage.notes)


async def test_the_environment_may_switch_it_off(told, receiver, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    stage = quick(told(), 1)
    await stage.run()

    assert [] == receiver.got
    assert "telemetry: nothing is exported: OTEL_SDK_DISABLED is set" in stage.notes


async def test_without_the_extra_a_run_says_what_to_install_and_goes_on(told, receiver, monkeypatch):
    monkeypatch.setattr(observing, "find_spec", lambda name: None)
    stage = quick(told(), 1)

    assert 0 == (await stage.run()).exit_code
    assert [] == receiver.got
    assert any(note.endswith("pip install 'agentctl[telemetry]'") for note in stage.notes)


@pytest.mark.parametrize("rules", [{"enabled": False}, {"otlp_endpoint": ""}])
async def test_a_policy_that_names_no_collector_or_says_no_tells_nobody(told, receiver, rules):
    await quick(told(**rules), 1).run()

    assert [] == receiver.got


def test_nothing_of_it_is_loaded_where_it_is_off(stages):
    """D51: a run without a collector pays nothing for it."""
    stage = stages("chat")
    stage.rehearsed, stage.replies = True, [DONE]
    task = asyncio.run(stage.lay_out())
    code = (
        "import sys; from agentctl.cli.main import main; "
        f"code = main(['run', {str(task)!r}, '--rehearse', '--script', {str(stage.folder / 'script.toml')!r}]); "
        "names = ('opentelemetry.sdk', 'opentelemetry.exporter', 'google.protobuf', 'requests', 'agentctl.telemetry'); "
        "print(code, [name for name in names if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "0 []" == done.stderr.splitlines()[-1]
