"""`agentctl trace --otlp`: a recorded run, sent to a collector as the spans that it would have sent live."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentctl import __version__
from agentctl.cli import render
from agentctl.core.events import Stamped
from agentctl.errors import Invalid, Usage
from agentctl.records import dataclass

if TYPE_CHECKING:
    from agentctl.telemetry.endpoint import Collector
    from agentctl.telemetry.span import Span

BATCH = 512
TIMEOUT_S = 10.0
MOST_NAME = 128


@dataclass(frozen=True, slots=True)
class To:
    """Where to, as what, and how much."""

    url: str | None
    service: str | None
    content: bool


def send(recorded: Sequence[Stamped], to: To, *, as_json: bool) -> None:
    """Send a run's spans, wait for the answer, and say how many arrived. No metrics: they would be counted twice.

    Raises:
        Usage: it is no URL that could take them. Invalid: the extra is not here, or the collector did not take them.
    """
    from agentctl.telemetry import endpoint
    from agentctl.telemetry.spans import spans

    collector, service = endpoint.of(_url(to)), to.service or "agentctl"
    if not recorded:
        raise Invalid("nothing is recorded of this run yet")
    found = spans(recorded, content=to.content)
    if not found:
        raise Invalid("there is nothing to send of this run yet")
    _send(found, collector, service)
    trace = f"{found[0].trace_id:032x}"
    run_id = recorded[0].run_id
    if as_json:
        body = {"run_id": run_id, "trace_id": trace, "spans": len(found), "endpoint": collector.shown}
        render.as_json({**body, "service": service})
        return
    count = "1 span" if len(found) == 1 else f"{len(found):,} spans"
    render.out(f"sent {count} of {run_id} to {collector.shown} as trace {trace}")


def _url(to: To) -> str:
    from agentctl.config import urls

    if not to.url:
        raise Usage("--service-name and --include-content belong to --otlp URL" if to.url is None else "--otlp: no URL")
    if wrong := urls.collector(to.url):
        raise Usage(f"--otlp: {wrong[0]}", hint=wrong[1])
    if to.service is not None and not (0 < len(to.service) <= MOST_NAME and to.service.isprintable()):
        raise Usage(f"--service-name: expected 1 to {MOST_NAME} printable characters")
    return to.url


def _send(found: Sequence[Span], collector: Collector, service: str) -> None:
    from agentctl.telemetry.sending import Missing, Sender

    try:
        sender = Sender(collector, service, __version__, TIMEOUT_S)
    except Missing as error:
        hint = "pip install 'agentctl[telemetry]'"
        raise Invalid(f"--otlp needs a library that is not here ({error})", hint=hint) from None
    done = 0
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        answer = sender.spans(batch)
        if not answer.ok or answer.rejected:
            done += len(batch) - answer.rejected if answer.ok else 0
            raise Invalid(
                f"{done} of {len(found)} spans were taken by {collector.traces}: {answer.why}",
                hint="Sent again they are the same spans. Headers come from OTEL_EXPORTER_OTLP_HEADERS.",
            )
        done += len(batch)
