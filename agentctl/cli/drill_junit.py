"""`drill --junit`: the result as CI systems read it."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from agentctl.cli import drill_report

if TYPE_CHECKING:
    from agentctl.cli.drill_report import Report
    from agentctl.runner.drills.drilling import Outcome

unspeakable = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""


def made(report: Report) -> bytes:
    """The file."""
    took = f"{sum(each.duration_s for each in report.outcomes):.3f}"
    counts = {
        "tests": str(len(report.outcomes)),
        "failures": str(report.failed),
        "errors": "0",
        "skipped": str(report.skipped),
        "time": took,
    }
    root = ET.Element("testsuites", _clean({"name": "agentctl drill", **counts}))
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
    about = {"name": f"drill {report.name} under {report.policy}", **counts, "timestamp": at}
    suite = ET.SubElement(root, "testsuite", _clean(about))
    properties = ET.SubElement(suite, "properties")
    for name, value in (("task", report.name), ("policy", report.policy), ("seed", str(report.seed))):
        ET.SubElement(properties, "property", _clean({"name": name, "value": value}))
    for outcome in report.outcomes:
        _case(suite, outcome, report)
    ET.indent(root)
    made: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return made + b"\n"


def _case(suite: ET.Element, outcome: Outcome, report: Report) -> None:
    about = {"name": outcome.drill.name, "classname": f"drill.{report.name}", "time": f"{outcome.duration_s:.3f}"}
    case = ET.SubElement(suite, "testcase", _clean(about))
    if outcome.passed is None:
        ET.SubElement(case, "skipped", _clean({"message": outcome.observed}))
    if outcome.passed is False:
        fix = drill_report.fix(outcome, report)
        said = f"{outcome.observed}; fix: {fix}" if fix else outcome.observed
        failure = ET.SubElement(case, "failure", _clean({"message": said, "type": "drill"}))
        failure.text = _spoken(
            f"{said}\nrun: {drill_report.command(outcome)}" if drill_report.command(outcome) else said
        )
    out = ET.SubElement(case, "system-out")
    out.text = _spoken(f"injected: {outcome.drill.injected}\nobserved: {outcome.observed}\n")


def _clean(attributes: dict[str, str]) -> dict[str, str]:
    return {name: _spoken(value) for name, value in attributes.items()}


def _spoken(text: str) -> str:
    return unspeakable.sub("", text)
