"""Whatever a policy says, the checklist has an answer: each lack a fix that can be typed, each dependency a way."""

from dataclasses import replace

from hypothesis import given

from agentctl.core.audit.checklist import ITEMS, audit
from tests.laws.worlds import examples, policies
from tests.runner.audited import FIX, Ready, evidence

COMMANDS = ("agentctl ", "export ", "pip ", "mkdir ")


def test_every_policy_is_judged_and_every_lack_has_a_fix(tmp_path):
    """E37"""
    evidence()
    facts = Ready(tmp_path).facts()

    @examples(40)
    @given(policies(bounded=False))
    def judged(policy):
        found = audit(replace(facts, policy=policy))

        assert [item.id for item in ITEMS] == [each.id for each in found.items]
        assert found.ok == (not found.missing)
        for each in found.items:
            assert each.why
            assert each.ok == (each.fix == "")
            for lack in each.lacks:
                assert FIX.fullmatch(lack.fix) or lack.fix.startswith(COMMANDS), lack.fix
        assert all(way.path for way in found.degradation)

    judged()
