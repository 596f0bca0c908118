"""`trace --otlp`, against a real collector."""

import re
import threading
import time
import tomllib
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentctl.cli import otlp, topics
from agentctl.core import events as e
from agentctl.telemetry import sending
from agentctl.telemetry.span import span_id, trace_id
from tests.cli.conftest import IDENTITY, replied, started
from tests.telemetry.receiver import receiving

RUN = "r_a3f7b2"
ASKED = e.ModelAsked("anthropic", IDENTITY, "claude-sonnet-4-6", 1, "answer", 1000, 8192, 9000)
DONE = e.Completed("completed", "done", 0, 18_400, "It is lost.")


@pytest.fixture
def receiver():
    with receiving() as made:
        yield made


@pytest.fixture
def run(record):
    return record(RUN, started(goal="Find the parcel."), ASKED, replied(text="It is lost."), DONE)


def test_a_recorded_run_is_sent_and_told_in_one_line(agentctl, run, receiver):
    """D52 E23"""
    called = agentctl("trace", run, "--otlp", receiver.url)
    trace = f"{trace_id(RUN):032x}"

    assert (0, "") == (called.code, called.err)
    assert f"sent 2 spans of {RUN} to {receiver.url} as trace {trace}\n" == called.out
    assert ["/v1/traces"] == [got.path for got in receiver.got]
    (chat,) = receiver.of("chat")
    assert (trace, f"{span_id(RUN, 2):016x}") == (chat.trace_id, chat.span_id)
    assert ("api.anthropic.com", 443) == (chat.attributes["server.address"], chat.attributes["server.port"])
    assert "agentctl" == chat.resource["service.name"]
    assert b"lost" not in receiver.everything


def test_service_and_content_are_as_asked(agentctl, run, receiver):
    """D53"""
    flags = ("--service-name", "agent-service", "--include-content", "--json")
    called = agentctl("trace", run, "--otlp", f"{receiver.url}/v1/traces", *flags)

    assert {"run_id": RUN, "spans": 2, "endpoint": receiver.url, "service": "agent-service"} == {
        key: value for key, value in called.json.items() if key != "trace_id"
    }
    assert b"It is lost." in receiver.everything
    assert b"Find the parcel." in receiver.everything
    assert {"agent-service"} == {span.scope for span in receiver.spans}


def test_a_long_run_goes_in_several_requests(agentctl, record, receiver, monkeypatch):
    monkeypatch.setattr(otlp, "BATCH", 2)
    calls = [event for _ in range(4) for event in (ASKED, replied())]
    record(RUN, started(), *calls, DONE)
    called = agentctl("trace", RUN, "--otlp", receiver.url)

    assert "sent 5 spans" in called.out
    assert 3 == len(receiver.got)
    assert 5 == len({span.span_id for span in receiver.spans})


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, b""), "0 of 2 spans were taken by {url}/v1/traces: it answered 401 Unauthorized"),
        ((503, b"busy"), "0 of 2 spans were taken by {url}/v1/traces: it answered 503 Service Unavailable"),
        ((307, b""), "0 of 2 spans were taken by {url}/v1/traces: it answered 307 Temporary Redirect"),
        ((200, b"\x0a\x0d\x08\x01\x12\x09too large"), "1 of 2 spans were taken by {url}/v1/traces: too large"),
    ],
)
def test_a_collector_that_does_not_take_it_ends_with_3(agentctl, run, receiver, answer, words):
    """D52"""
    receiver.answer = lambda path: answer
    called = agentctl("trace", run, "--otlp", receiver.url)

    assert (3, "") == (called.code, called.out)
    assert words.format(url=receiver.url) in called.err
    assert "OTEL_EXPORTER_OTLP_HEADERS" in called.err


def test_nobody_there_is_one_line_and_3(agentctl, run):
    called = agentctl("trace", run, "--otlp", "http://127.0.0.1:1")

    assert 3 == called.code
    assert "0 of 2 spans were taken by http://127.0.0.1:1/v1/traces: it can't be reached" in called.err
    assert 1 == called.err.count("error")


def test_nobody_answers_in_time(agentctl, run, receiver, monkeypatch):
    monkeypatch.setattr(otlp, "TIMEOUT_S", 0.1)
    receiver.hangs.set()

    assert "no answer in time" in agentctl("trace", run, "--otlp", receiver.url).err


def test_an_answer_that_trickles_in_is_not_waited_for(agentctl, run, monkeypatch):
    monkeypatch.setattr(otlp, "TIMEOUT_S", 0.5)
    with trickling() as url:
        began = time.monotonic()
        called = agentctl("trace", run, "--otlp", url)

    assert (3, True) == (called.code, time.monotonic() - began < 10)
    assert "no answer in time" in called.err


@contextmanager
def trickling():
    """A server whose answer takes half a minute, and never pauses for long."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.send_header("content-length", "600")
            self.end_headers()
            with suppress(OSError):
                while not over.wait(0.05):
                    self.wfile.write(b"x")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    over.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--otlp", "http://otel-collector:4317"], "http/protobuf listens on 4318"),
        (["--otlp", "collector"], 'write "http://collector"'),
        (["--otlp", ""], "--otlp: no URL"),
        (["--otlp", "http://u:p@h"], "without a name and password"),
        (["--include-content"], "belong to --otlp URL"),
        (["--service-name", "x"], "belong to --otlp URL"),
        (["--otlp", "http://127.0.0.1:1", "--service-name", ""], "--service-name: expected 1 to 128"),
    ],
)
def test_wrong_flags_say_what_is_right(agentctl, run, flags, words):
    """D52"""
    called = agentctl("trace", run, *flags)

    assert (2, "") == (called.code, called.out)
    assert words in called.err


def test_without_the_extra_it_says_what_to_install(agentctl, run, monkeypatch):
    def missing(*_):
        raise sending.Missing("no module named 'opentelemetry.sdk'")

    monkeypatch.setattr(sending, "Sender", missing)
    called = agentctl("trace", run, "--otlp", "http://127.0.0.1:1")

    assert 3 == called.code
    assert "pip install 'agentctl[telemetry]'" in called.err


def test_the_policy_of_the_help_page_is_one_and_every_collector_of_it_could_be_named(agentctl, tmp_path):
    """E23"""
    text = topics.text("telemetry")
    (block,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    named = re.findall(r"^\| \w+ \| `(http.*?)` \|", text, re.MULTILINE)

    assert 3 == len(named)
    for url in ("http://127.0.0.1:4318", *named):
        policy = tmp_path / "p.toml"
        policy.write_text(block.replace("http://127.0.0.1:4318", url))
        assert url in policy.read_text()
        assert 0 == agentctl("policy", "check", policy).code
    assert tomllib.loads(block)
