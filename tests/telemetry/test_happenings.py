"""Which events of a run are events of its span, under which names: what dashboards are built on."""

from agentctl.telemetry import happenings
from tests.journal.golden import EXPECTED

SPANS = {"ModelAsked", "ModelReplied", "ModelFailed", "ToolStarted", "ToolFinished"}
DRIVES = {"RunStarted", "Resumed", "Forked", "Completed"}
WITHIN = {"StepsPlanned", "Thought", "SecretsNumbered"}
"""Told by the calls that come of them, with content, or not at all."""

NAMES = {
    "agentctl.alert": "limit rule value | subject",
    "agentctl.approval_decided": "agentctl.call.id by decision waited_s | why",
    "agentctl.approval_requested": "agentctl.call.id rule tier tool.name |",
    "agentctl.budget": "key limit state used |",
    "agentctl.cache_missed": "hit_ratio | reason",
    "agentctl.call_edited": "agentctl.call.id by tool.name |",
    "agentctl.call_settled": "agentctl.call.id by outcome tool.name | why",
    "agentctl.check": "code passed | output",
    "agentctl.circuit": "from name to |",
    "agentctl.context_trimmed": "dropped limit tokens | summary",
    "agentctl.decision": "decision guard seam | message reason",
    "agentctl.degraded": "provider | notice",
    "agentctl.failed": "code | message",
    "agentctl.fallback": "from to why | reason",
    "agentctl.handoff": "agentctl.call.id | contact reason",
    "agentctl.injection_suspected": "agentctl.call.id kind source |",
    "agentctl.loop": "count halt kind tool.name |",
    "agentctl.provider_out": "provider why | reason",
    "agentctl.retry": "agentctl.call.id attempt delay_s |",
    "agentctl.wait": "provider refused seconds | reason",
}
"""Keys that are always told, and those with content."""


def test_every_kind_of_event_is_a_span_a_drive_or_an_event_of_one_under_a_name_that_stays():
    """D53: a new kind of event needs a line here, or a reason to be none."""
    found, other = dict[str, str](), set[str]()
    for event in EXPECTED["1.0.0"]:
        told = happenings.told(event)
        if told is None:
            other.add(type(event).__name__)
        else:
            found[told[0]] = f"{' '.join(sorted(told[1]))} | {' '.join(sorted(told[2]))}".strip()

    assert NAMES == found
    assert SPANS | DRIVES | WITHIN == other
