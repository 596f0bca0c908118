"""The headline figure "error recovery": a hundred faulty runs over real HTTP, and every one has its answer. C09

94 are asked for; all of them are wanted. What goes wrong stands in `faulty/`.
"""

import pytest

from agentctl.core.events import ContextTrimmed
from tests.runner.faulty.arguments import BAD_ARGUMENTS
from tests.runner.faulty.busy import BUSY
from tests.runner.faulty.errands import Case, Errand
from tests.runner.faulty.failing import FAILING
from tests.runner.faulty.overflow import OVERFLOW
from tests.runner.stage import ModelFailed, ToolFinished, sent

pytestmark = pytest.mark.slow


async def played(stages, cases: list[Case], number: int) -> list[Errand]:
    """Each case as a run of its own, after what every recovered run has been held to."""
    assert 25 == len({case.name for case in cases})
    done, lost = [], {}
    for at, case in enumerate(cases, number):
        errand = case.on(stages, at)
        result = await errand.stage.run()
        lost |= {case.name: why} if (why := missing(errand, result)) else {}
        done.append(errand)
    assert {} == lost, f"{25 - len(lost)} of 25"
    return done


def missing(errand: Errand, result) -> str:
    """What an answer of use lacks: it was given, it says the fact, and the tool had told the model."""
    if ("completed", "done", 0) != (result.status, result.reason, result.exit_code):
        return f"{result.status} {result.reason}: {result.message}"
    if result.answer != f"Parcel P-17 lies in {errand.fact}.":
        return f"answered {result.answer!r}"
    first, *_, last = [sent(seen) for seen in errand.stage.asked() if seen.status == 200]
    if errand.stage.task["goal"] not in last:
        return "the goal is lost"
    return "" if errand.fact in last and errand.fact not in first else "no tool had said so"


async def test_all_of_25_runs_with_bad_arguments_recover(stages):
    """C09 A09 C80: the model reads what was wrong, and the tool has run once, with what fits."""
    for errand in await played(stages, BAD_ARGUMENTS, 0):
        refusals = [result for result in errand.stage.results().values() if result["status"] == "error"]
        assert refusals
        assert {False} == {result["retry_safe"] for result in refusals}
        assert ["ran"] == (errand.stage.folder / f"{errand.tool}.log").read_text().split()


async def test_all_of_25_runs_whose_context_overflows_recover(stages):
    """C09 A22 D14: something had to go, and neither the goal nor the last result did."""
    for errand in await played(stages, OVERFLOW, 25):
        cut = [done for done in errand.stage.events(ToolFinished) if "[… cut: " in str(done.result)]
        assert errand.stage.events(ContextTrimmed) or cut, errand.number


async def test_all_of_25_runs_that_are_rate_limited_recover(stages):
    """C09 A61 C01: asked again, or somebody else was."""
    for errand in await played(stages, BUSY, 50):
        assert {429, 529} >= {failed.status for failed in errand.stage.events(ModelFailed)} != set(), errand.number


async def test_all_of_25_runs_whose_tools_fail_recover(stages):
    """C09 B11 D04: by another attempt, or another tool."""
    for errand in await played(stages, FAILING, 75):
        assert "error" in {done.status for done in errand.stage.events(ToolFinished)}, errand.number
