"""`sort_by`: the same finds are the same text, whatever order they came in."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.core.task import Tool
from agentctl.tools.results import ordered


def test_a_list_of_objects_is_sorted_by_the_key():
    """D50, D117"""
    found = ordered([{"id": "b"}, {"id": "a"}, {"id": "c"}], "id")

    assert found == [{"id": "a"}, {"id": "b"}, {"id": "c"}]


def test_lists_one_level_below_are_sorted_too():
    """D117"""
    found = ordered({"hits": [{"id": 2}, {"id": 10}, {"id": 1}], "total": 3, "words": ["b", "a"]}, "id")

    assert found == {"hits": [{"id": 1}, {"id": 2}, {"id": 10}], "total": 3, "words": ["b", "a"]}


def test_numbers_then_words_then_the_rest_then_those_without():
    rows = [{"x": 1}, {"id": None}, {"id": [1]}, {"id": True}, {"id": "a"}, {"id": 2.5}, {"id": 1}, {"id": "B"}]

    assert [each.get("id", "-") for each in ordered(rows, "id")] == [1, 2.5, "B", "a", [1], True, None, "-"]


@pytest.mark.parametrize("data", [None, "text", 5, [], {}, ["b", "a"], [{"id": 1}, "x"], [[{"id": 2}, {"id": 1}]]])
def test_what_is_no_list_of_objects_stays_as_it_is(data):
    assert ordered(data, "id") == data


def test_a_list_that_does_not_know_the_key_keeps_its_order():
    rows = [{"line": 9}, {"line": 1}]

    assert ordered({"rows": rows}, "id") == {"rows": rows}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "x"]), inner, max_size=2),
    max_leaves=4,
)


@given(
    rows=st.lists(st.dictionaries(st.sampled_from(["id", "x", "y"]), anything, max_size=3), max_size=8),
    seed=st.integers(0, 99),
)
def test_the_order_of_arrival_never_shows(rows, seed):
    """D50, D117"""
    if not any("id" in row for row in rows):
        return
    shuffled = random.Random(seed).sample(rows, len(rows))
    once = json.dumps(ordered(rows, "id"), sort_keys=True)

    assert json.dumps(ordered(shuffled, "id"), sort_keys=True) == once
    assert json.dumps(ordered(ordered(rows, "id"), "id"), sort_keys=True) == once
    assert sorted(json.dumps(row, sort_keys=True) for row in rows) == sorted(
        json.dumps(row, sort_keys=True) for row in ordered(rows, "id")
    )


async def test_a_program_that_shuffles_answers_the_same_every_time(python_tool, invocation):
    """D50, D116, D117"""
    source = (
        "import json, random\n"
        "rows = [{'id': n, 'text': str(n)} for n in range(20)]\n"
        "random.shuffle(rows)\n"
        "print(json.dumps({'hits': rows}))\n"
    )
    tool = python_tool(source, sort_by="id")
    texts = {(await tool.run(invocation())).text() for _ in range(3)}

    assert len(texts) == 1
    assert [row["id"] for row in json.loads(texts.pop())["data"]["hits"]] == list(range(20))


async def test_every_kind_of_tool_is_sorted(opened, invocation, tmp_path):
    """D50, D117"""
    (tmp_path / "m.py").write_text("def f() -> list[dict[str, int]]:\n    return [{'id': 2}, {'id': 1}]\n")
    (tmp_path / "a.txt").write_text("12345")
    (tmp_path / "b.txt").write_text("1")
    function, files = opened(Tool(use="python:m:f", sort_by="id"), Tool(use="builtin:list_files", sort_by="size"))

    assert (await function.run(invocation())).data == [{"id": 1}, {"id": 2}]
    assert [each["name"] for each in (await files.run(invocation())).data["entries"]] == ["b.txt", "a.txt", "m.py"]
    assert function.contract.name == "f"


async def test_a_failure_stays_as_it_is(python_tool, invocation):
    found = await python_tool("raise SystemExit('no')", sort_by="id").run(invocation())

    assert (found.status, found.data) == ("error", None)
