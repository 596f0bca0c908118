"""A task's tools are opened with every silence of their contracts filled in."""

import dataclasses

import pytest

from agentctl import errors
from agentctl.core.guards.args import Rules as Args
from agentctl.core.guards.results import Rules as Results
from agentctl.core.policy import Policy
from agentctl.core.task import Tool
from agentctl.core.tiers import Tier
from agentctl.tools.declared import digest

ORDERS = Tool(
    name="get_order_status",
    description="Status of one order.",
    command=("python3", "orders.py"),
    parameters={"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]},
    owner="support-platform",
    timeout_seconds=5.0,
    retry_policy="exponential_backoff",
    idempotent=True,
    side_effects="none",
    auth_scope="orders:read",
    max_calls_per_session=3,
    logs=("tool.name", "tool.status", "retry_safe", "latency_ms"),
)


@pytest.fixture
def contract(opened):
    def make(policy=None, **fields):
        entry = Tool(**{"name": "t", "command": ("true",), **fields})
        return opened(entry, policy=policy)[0].contract

    return make


def test_a_contract_states_owner_timeout_and_retry_policy(opened):
    """D82, D83, D84"""
    found = opened(ORDERS)[0].contract

    assert (found.owner, found.timeout_s, found.retry_policy) == ("support-platform", 5.0, "exponential_backoff")


def test_a_contract_states_name_idempotency_and_side_effects(opened):
    """D81, D85, D86"""
    found = opened(ORDERS)[0].contract

    assert (found.name, found.idempotent, found.side_effects) == ("get_order_status", True, "none")
    assert found.read_only


def test_a_contract_states_scope_call_limit_and_observed_fields(opened):
    """D87, D88, D89"""
    found = opened(ORDERS)[0].contract

    assert (found.auth_scope, found.max_calls_per_session) == ("orders:read", 3)
    assert found.logs == ("tool.name", "tool.status", "retry_safe", "latency_ms")


def test_a_tool_that_says_nothing_is_given_the_policys_timeout(contract):
    """D30, D65, E29"""
    assert contract().timeout_s == 5.0
    assert contract(Policy(results=Results(timeout_s=30.0))).timeout_s == 30.0
    assert contract(timeout_seconds=30.0).timeout_s == 30.0


@pytest.mark.parametrize(
    ("said", "retry_policy", "recovery"),
    [
        ({}, "none", "ask"),
        ({"idempotent": True}, "exponential_backoff", "same_key"),
        ({"side_effects": "none"}, "exponential_backoff", "rerun"),
        ({"side_effects": "none", "idempotent": True}, "exponential_backoff", "rerun"),
        ({"side_effects": "external"}, "none", "ask"),
        ({"idempotent": True, "retry_policy": "none", "recovery": "ask"}, "none", "ask"),
    ],
)
def test_retries_and_recovery_follow_from_what_was_said(contract, said, retry_policy, recovery):
    """D80"""
    found = contract(**said)

    assert (found.retry_policy, found.recovery) == (retry_policy, recovery)


def test_a_tool_whose_labels_nobody_gave_is_untrusted_and_carries_data_out(contract):
    found = contract()

    assert (found.untrusted, found.private, found.egress) == (True, False, True)


def test_one_label_given_means_that_the_others_do_not_hold(contract):
    found = contract(private=True)

    assert (found.untrusted, found.private, found.egress) == (False, True, False)


def test_built_ins_that_read_are_safe_private_and_free_of_effects(opened):
    for tool in opened(Tool(use="builtin:read_file"), Tool(use="builtin:list_files")):
        found = tool.contract
        assert (found.untrusted, found.private, found.egress) == (False, True, False)
        assert (found.base_tier, found.read_only, found.recovery) == (Tier.SAFE, True, "rerun")
        assert found.description
        assert found.name == found.wire


def test_a_task_may_say_other_of_a_built_in(opened):
    (tool,) = opened(Tool(use="builtin:read_file", name="mail", untrusted=True, description="Read a mail."))
    found = tool.contract

    assert (found.name, found.untrusted, found.private) == ("mail", True, True)
    assert found.description == "Read a mail."


def test_a_tool_without_parameters_takes_no_arguments(contract):
    found = contract()

    assert found.parameters == {"type": "object", "properties": {}}
    assert found.check({}) is None
    assert found.check({"x": 1}) is not None


def test_arguments_are_checked_by_the_contract_before_anything_runs(opened):
    """A03, A05"""
    check = opened(ORDERS)[0].contract.check

    assert check({"order_id": "A-1"}) is None
    assert check({"order_id": 5}).problem == "'order_id' must be string, got integer"
    assert check({"order_id": "A-1", "more": 1}) is not None


def test_a_policy_without_strict_lets_unknown_keys_pass(opened):
    check = opened(ORDERS, policy=Policy(args=Args(strict=False)))[0].contract.check

    assert check({"order_id": "A-1", "more": 1}) is None


def test_names_on_the_wire_have_no_dots(contract):
    assert contract(name="fs.read_file").wire == "fs__read_file"


@pytest.mark.parametrize("name", ["", "a b", "ä", "a/b", "x" * 65, "x." * 30])
def test_a_name_that_no_provider_takes_is_refused(contract, name):
    with pytest.raises(errors.Invalid, match="tool name"):
        contract(name=name)


def test_names_that_are_the_same_on_the_wire_are_refused(opened):
    with pytest.raises(errors.Invalid, match=r"'a\.b' and 'a__b'"):
        opened(Tool(name="a.b", command=("x",)), Tool(name="a__b", command=("x",)))


@pytest.mark.parametrize("use", ["builtin:nonsense", "builtin:"])
def test_forms_that_are_not_built_yet_are_refused_by_name(opened, use):
    with pytest.raises(errors.Invalid, match="is not in this version"):
        opened(Tool(name="t", use=use, command=("x",)))


def test_a_tool_that_is_nothing_is_refused(opened):
    with pytest.raises(errors.Invalid, match="needs `command` or `use`"):
        opened(Tool(name="t"))
    with pytest.raises(errors.Invalid, match="of type object"):
        opened(Tool(name="t", command=("x",), parameters={"type": "array"}))


def test_another_definition_is_another_digest(opened):
    changes = {
        "name": "x",
        "description": "x",
        "command": ("x",),
        "parameters": {"type": "object"},
        "side_effects": "external",
        "timeout_seconds": 6.0,
        "egress": True,
        "roots": ("x",),
    }
    digests = {digest(dataclasses.replace(ORDERS, **{key: value})) for key, value in changes.items()}

    assert len(digests | {digest(ORDERS)}) == len(changes) + 1
    assert all(len(each) >= 16 for each in digests)


def test_the_same_definition_is_the_same_digest_everywhere():
    turned = {"required": ["order_id"], "properties": {"order_id": {"type": "string"}}, "type": "object"}

    assert digest(ORDERS) == digest(dataclasses.replace(ORDERS, parameters=turned))
    assert digest(Tool(name="t", command=("x",))) == "9723d3b1ff318ba884a44940ae5f000f"


def test_tools_come_in_the_order_of_the_task_and_nothing_is_started(opened):
    found = opened(Tool(name="b", command=("/no/such",)), Tool(name="a", command=("/no/such",)))

    assert [each.contract.name for each in found] == ["b", "a"]


def test_built_ins_that_write_or_reach_out_have_their_own_tiers(opened):
    found = [opened(Tool(use=f"builtin:{name}"))[0].contract for name in ("write_file", "edit_file", "http_get")]

    assert [each.base_tier for each in found] == [Tier.LOW, Tier.LOW, Tier.MEDIUM]
    assert [each.side_effects for each in found] == ["local", "local", "none"]
    assert [(each.untrusted, each.egress) for each in found] == [(False, False), (False, False), (True, True)]


def test_the_tools_of_servers_are_opened_elsewhere(opened):
    found = opened(Tool(use="mcp", name="fs", command=("x",)), Tool(name="a", command=("x",)))

    assert [each.contract.name for each in found] == ["a"]


def test_a_tool_is_put_in_order_only_where_its_contract_says_so(opened):
    """D50"""
    plain, sorted_tool = opened(Tool(name="a", command=("x",)), Tool(name="b", command=("x",), sort_by="id"))

    assert (type(plain).__name__, type(sorted_tool).__name__) == ("ProgramTool", "Sorted")
    assert sorted_tool.contract.sort_by == "id"
