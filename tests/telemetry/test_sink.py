"""The thread beside a run: bounded, and never in its way."""

import threading

import pytest

from agentctl.core import events as e
from agentctl.telemetry import endpoint, sink
from agentctl.telemetry.sink import Sink
from agentctl.telemetry.spans import Tracing
from tests.telemetry.receiver import receiving
from tests.telemetry.test_spans import ASKED, lost, stamped

STARTED = e.RunStarted("errand", "cautious", "d", "ada", "", "goal", "system", 1, 1, {})


@pytest.fixture
def receiver(monkeypatch):
    monkeypatch.setattr(sink, "EVERY_S", 0.01)
    with receiving() as made:
        yield made


def calls(number):
    """A run with so many model calls."""
    return stamped(STARTED, *(event for _ in range(number) for event in (ASKED, lost("server"))))


def test_what_is_too_much_is_dropped_and_counted_and_the_newest_is_kept(receiver, monkeypatch):
    """D52: a collector that takes nothing can't fill the memory."""
    monkeypatch.setattr(sink, "MOST_SPANS", 5)
    receiver.answer = lambda path: (503, b"")
    busy = Sink(endpoint.of(receiver.url), "s", patience_s=30.0)
    busy.take(Tracing(), calls(20))
    line = busy.close()

    assert "telemetry: 20 of 20 spans did not get to" in line
    assert {"r_1"} == {span.attributes["agentctl.run.id"] for span in receiver.spans}
    assert max(span.attributes["agentctl.seq"] for span in receiver.spans) == 40
    assert all(len([1 for _ in got.body.split(b"chat model-a")]) <= 6 for got in receiver.got)


def test_events_that_wait_are_bounded_too(receiver, monkeypatch):
    monkeypatch.setattr(sink, "MOST_EVENTS", 3)
    monkeypatch.setattr(sink, "EVERY_S", 600.0)
    busy = Sink(endpoint.of(receiver.url), "s", patience_s=30.0)
    tracing = Tracing()
    for one in calls(4):
        busy.take(tracing, (one,))
    line = busy.close()

    assert "telemetry: not all spans got to" in line
    assert 1 == len(receiver.of("chat"))


def test_a_fault_of_the_exporter_is_a_line_and_nothing_more(receiver, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(sink.Sender, "spans", broken)
    busy = Sink(endpoint.of(receiver.url), "s", patience_s=30.0)
    busy.take(Tracing(), calls(1))

    assert "ZeroDivisionError in the exporter" in busy.close()


def test_a_library_that_is_missing_after_all_is_a_line(receiver, monkeypatch):
    def missing(*_):
        raise sink.Missing("no module named 'google'")

    monkeypatch.setattr(sink, "Sender", missing)
    line = Sink(endpoint.of(receiver.url), "s").close()

    assert f"telemetry: nothing was sent to {receiver.url}: a library is missing (no module named 'google')" == line


def test_a_text_that_is_no_unicode_and_a_number_that_is_too_large_cost_no_batch(receiver):
    odd = e.ToolStarted("c1.1", "send\udc80", {}, "low", 10**30, True, 5.0)
    busy = Sink(endpoint.of(receiver.url), "s", patience_s=30.0)
    busy.take(Tracing(), stamped(STARTED, odd, e.ToolFinished("c1.1", "send", "success", None, False, 5, {}, 1)))

    assert "" == busy.close()
    (span,) = receiver.of("execute_tool")
    assert ("execute_tool send\\udc80", 2**63 - 1) == (span.name, span.attributes["agentctl.attempt"])


def test_the_thread_is_gone_once_everything_is_sent(receiver):
    busy = Sink(endpoint.of(receiver.url), "s", patience_s=30.0)
    busy.take(Tracing(), calls(1))

    assert "" == busy.close()
    assert [] == [each for each in threading.enumerate() if each.name == "telemetry" and each is busy._thread]
