"""The night that cost $847: a tool that always times out, and a model that calls it again, always a bit differently."""

import pytest

from agentctl.core.events import ToolStarted
from tests.runner.stage import ModelReplied, Reply, calls, usage

PRICES = {"input": 3.0, "output": 15.0}  # the stage's, in micro-dollars per token
SMALL, MIDDLE, LARGE = (900, 60), (9_000, 400), (40_000, 1_000)


@pytest.fixture
def night(stage):
    """Play it under a policy, with replies of so many tokens each."""

    async def play(tokens, **tables):
        stage.tables |= tables
        stage.tool("lookup", "sleep 30", timeout_seconds=0.05)
        again = [calls(("lookup", {"id": f"order {n}, please"}), usage=usage(*tokens)) for n in range(60)]
        stage.replies = [*again, Reply(text="Never said.")]
        return await stage.run()

    return play


def billed(stage, tokens):
    """What the stand-in's own bill comes to, in micro-dollars."""
    served = [seen for seen in stage.asked() if seen.status == 200]
    return len(served) * (tokens[0] * PRICES["input"] + tokens[1] * PRICES["output"])


def ended(result):
    """Why it ended; whoever learns nothing for long enough may be stopped sooner, by the guard of that name."""
    why = (result.exit_code, result.status, result.reason)
    return "stalled" if why == (11, "stopped", "no_progress") else result.reason if why[:2] == (10, "stopped") else why


def spent(stage, result, tokens):
    """The run's cost in dollars, which must be the stand-in's bill; the tool is left alone after five timeouts."""
    assert len(stage.events(ToolStarted)) <= 5
    assert billed(stage, tokens) == sum(reply.cost_micro for reply in stage.events(ModelReplied))
    assert billed(stage, tokens) / 1e6 == pytest.approx(result.body["cost_usd"])
    return result.body["cost_usd"]


@pytest.mark.parametrize(("tokens", "why"), [(SMALL, "max_steps"), (MIDDLE, "max_steps"), (LARGE, "run_usd")])
async def test_under_the_standard_policy_it_ends_within_its_budget_and_twenty_steps(stage, night, tokens, why):
    """D01 A34 A35"""
    result = await night(tokens)

    assert ended(result) in {why, "stalled"}
    assert result.body["steps"] <= 20
    assert spent(stage, result, tokens) <= 1.50


@pytest.mark.parametrize(("tokens", "why"), [(SMALL, "max_tool_errors"), (MIDDLE, "tokens"), (LARGE, "tokens")])
async def test_in_front_of_customers_it_ends_within_half_a_dollar_and_twenty_steps(stage, night, tokens, why):
    """D44 C57 D16: the figure of the night, $847, is a limit of $0.50 here."""
    result = await night(tokens, extends="customer-facing")

    assert ended(result) in {why, "stalled"}
    assert result.body["steps"] <= 20
    assert spent(stage, result, tokens) <= 0.50
