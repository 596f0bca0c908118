"""What holds of every list of rules and every call."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agentctl.config import patterns
from agentctl.core.decide_call import judge
from agentctl.core.guards import risk, trust
from agentctl.core.guards.risk import EFFECT_TIERS, NAMED, Reader, Rule, Rules, Ruling
from agentctl.core.policy import Policy
from agentctl.core.tiers import Tier
from tests.laws.worlds import examples, some
from tests.play import MAIN, contract

READER = Reader(patterns.found)
ORDER = ("allow", "ask", "deny")
TEXTS = ("git status", "git push", "rm -rf /", "git status; rm -rf /", "", "\ud800 git status", "git\nstatus")
PATTERNS = ("^git status$", "git", "^git (status|log)( --stat)*$", "rm", ".", "^$", "[^a-z]")
VERDICTS = ("safe", "low", "medium", "high", "forbid")

names = some("shell", "fs.read", "delete_record", "other")
args = st.fixed_dictionaries(
    {}, optional={"command": some(*TEXTS), "to": st.lists(st.fixed_dictionaries({"at": some(*TEXTS)}), max_size=2)}
)
paths = some("command", "to[0].at", "to", "to[1].at", "to[*].at", "[*]")
rule = st.builds(
    Rule,
    tool=some("shell", "*", "fs.*", "fs__read", "delete_*", "nobody", "s*l"),
    tier=some(*VERDICTS),
    args=st.dictionaries(paths, some(*PATTERNS), max_size=2),
)
tools = st.builds(
    lambda name, effects, base, **labels: contract(name, side_effects=effects, base_tier=base, **labels),
    names,
    some(None, *EFFECT_TIERS),
    some(None, None, *Tier),
    untrusted=st.booleans(),
    private=st.booleans(),
    egress=st.booleans(),
)
tables = st.builds(
    Rules,
    auto_approve=some(*Tier),
    unknown=some(*Tier),
    contracts=some("classify", "raise_only"),
    tiers=st.one_of(st.just(dict(NAMED)), st.dictionaries(names, some(*Tier))),
    rules=st.lists(rule, max_size=5).map(tuple),
)


def level(ruling: Ruling) -> int:
    return len(Tier) if ruling.forbidden else ruling.tier


@examples(400)
@given(tables, rule, tools, args, st.randoms(use_true_random=False))
def test_once_a_rule_speaks_another_one_only_makes_the_call_stricter(rules, more, tool, given_args, dice):
    """B40: wherever it is put in; and one that does not match changes nothing."""
    before = risk.tier(rules, tool, given_args, READER)
    held = list(rules.rules)
    held.insert(dice.randint(0, len(held)), more)
    after = risk.tier(replace(rules, rules=tuple(held)), tool, given_args, READER)
    how = risk.holds(more, tool, given_args, READER)
    spoken = [each for each in rules.rules if risk.matches(each, tool, given_args, READER)]

    assert len(after.spoke) == len(before.spoke) + (how != "none")
    assert level(after) >= level(before) or (how == "every" and not spoken)
    assert how != "none" or level(after) == level(before)


@examples(400)
@given(tables, tools, args)
def test_the_tier_is_that_of_the_first_source_that_says_something(rules, tool, given_args):
    """B39: the strictest matching rule, the name, the built-in's own, the contract, unknown; and never below a contract
    that may only raise, nor below a rule that only some elements match."""
    spoken = [each.tier for each in rules.rules if risk.matches(each, tool, given_args, READER)]
    declared = EFFECT_TIERS.get(tool.side_effects)
    said = [max(spoken, key=VERDICTS.index)] if spoken else []
    said += [rules.tiers[name] for name in (tool.name, tool.wire) if name in rules.tiers]
    said += [tool.base_tier] if tool.base_tier is not None else []
    said += [declared] if declared is not None and rules.contracts == "classify" else []
    first = [*said, rules.unknown][0]
    expected = VERDICTS.index(first) if isinstance(first, str) else first
    partly = [each.tier for each in rules.rules if risk.holds(each, tool, given_args, READER) == "some"]
    expected = max([expected, *(VERDICTS.index(each) for each in partly)])
    if rules.contracts == "raise_only" and declared is not None:
        expected = max(expected, declared)

    assert expected == level(risk.tier(rules, tool, given_args, READER))


@examples(300)
@given(tables, tools, args, st.permutations(range(5)))
def test_the_order_of_rules_means_nothing(rules, tool, given_args, order):
    shuffled = tuple(rules.rules[at] for at in order if at < len(rules.rules))
    one, other = (risk.tier(replace(rules, rules=each), tool, given_args, READER) for each in (rules.rules, shuffled))

    assert level(one) == level(other)


@examples(400)
@given(tables, tools, args, st.booleans(), st.booleans())
def test_trust_and_a_lower_auto_approve_only_make_a_call_stricter(rules, tool, given_args, untrusted, private):
    """B40, D11, D21"""
    policy = Policy(providers=(MAIN,), risk=rules)
    met = trust.State(untrusted=("mail",) if untrusted else (), private=("files",) if private else ())
    before = judge(policy, READER, trust.State(), tool, given_args)
    after = judge(policy, READER, met, tool, given_args)

    assert ORDER.index(after.decision) >= ORDER.index(before.decision)
    assert after.tier >= before.tier
    for most in [each for each in Tier if each < rules.auto_approve]:
        lower = judge(replace(policy, risk=replace(rules, auto_approve=most)), READER, met, tool, given_args)
        assert ORDER.index(lower.decision) >= ORDER.index(after.decision)


@examples(300)
@given(tables, tools, args)
def test_a_rule_said_never_to_decide_never_does(rules, tool, given_args):
    from agentctl.config.rule_review import shadow

    decided = risk.tier(rules, tool, given_args, READER).decided

    assert decided is None or shadow(rules.rules, decided) is None


@examples(300)
@given(st.lists(some(*TEXTS), max_size=4), some(*PATTERNS), some(*VERDICTS), tools, tables)
def test_over_every_element_a_rule_lowers_only_by_all_of_them_and_raises_by_any(texts, pattern, verdict, tool, rules):
    """B40: one good recipient lets nothing run, and one bad one is enough."""
    own = replace(rules, rules=())
    before = risk.tier(own, tool, {"to": texts}, READER)
    after = risk.tier(replace(own, rules=(Rule("*", verdict, {"to[*]": pattern}),)), tool, {"to": texts}, READER)
    hits = [patterns.found(pattern, text) for text in texts]

    if level(after) < level(before):
        assert hits
        assert all(hits)
    if any(hits):
        assert level(after) >= VERDICTS.index(verdict)
    else:
        assert level(after) == level(before)
