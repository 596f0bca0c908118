import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.config import toml
from agentctl.config.positions import positions
from agentctl.errors import Invalid

SOURCE = """# c
name = "x"
[agent]
model = "gpt"
"日本" = 'é'
[[tools]]
name = "a"
[[tools]]
opts = { timeout = "bad", "k.q" = 1 }
a.b.c = 3
list = [1, # one
  "two", 3]
[tools.sub]
z = "q"
[[tools.sub.deep]]
y = 1
"""


def problem_of(text):
    with pytest.raises(Invalid) as caught:
        toml.parse(text, "f.toml")
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("name",), (2, 1), (2, 8)),
        (("agent",), (3, 1), (3, 1)),
        (("agent", "model"), (4, 1), (4, 9)),
        (("agent", "日本"), (5, 1), (5, 8)),
        (("tools",), (6, 1), (6, 1)),
        (("tools", 0), (6, 1), (6, 1)),
        (("tools", 0, "name"), (7, 1), (7, 8)),
        (("tools", 1), (8, 1), (8, 1)),
        (("tools", 1, "opts", "timeout"), (9, 10), (9, 20)),
        (("tools", 1, "opts", "k.q"), (9, 27), (9, 35)),
        (("tools", 1, "a"), (10, 1), (10, 1)),
        (("tools", 1, "a", "b", "c"), (10, 1), (10, 9)),
        (("tools", 1, "list", 0), (11, 9), (11, 9)),
        (("tools", 1, "list", 1), (12, 3), (12, 3)),
        (("tools", 1, "sub", "z"), (14, 1), (14, 5)),
        (("tools", 1, "sub", "deep", 0, "y"), (16, 1), (16, 5)),
    ],
)
def test_keys_and_values_are_found(path, key, value):
    places = positions(SOURCE)

    assert key == places.key(path)
    assert value == places.value(path)


def test_what_is_missing_is_looked_for_at_its_table():
    places = positions(SOURCE)

    assert (3, 1) == places.value(("agent", "missing"))
    assert (8, 1) == places.value(("tools", 1, "missing"))
    assert (1, 1) == places.value(("missing",))


def test_lines_that_end_as_on_windows_count_the_same():
    assert (3, 5) == positions("[a]\r\nx = 1\r\ny = 2\r\n").value(("a", "y"))


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a = 1\na = 2\n", 1),
        ("a.b = 1\na.b = 2\n", 1),
        ("x = 1\n[a]\nb = 1\nb = 2\n", 3),
        ("a = { b = 1, b = 2 }\n", 1),
        ("[a]\n[b]\n[a]\n", 1),
        ('a = 1\n"a" = 2\n', 1),
    ],
)
def test_what_is_set_twice_names_both_places(text, first):
    problem = problem_of(text)

    assert f"set twice; the first time on line {first}" == problem.message
    assert problem.key.startswith(("a", "b"))


@pytest.mark.parametrize("text", ["[[a]]\n[a]\n", "a.b = 1\na = 2\n", "[a.b]\n[a]\nb.c = 1\n", "a = []\n[[a]]\n"])
def test_other_contradictions_have_a_line(text):
    problem = problem_of(text)

    assert problem.line > 0
    assert problem.message


@pytest.mark.parametrize(
    "text",
    ["x = " + "[" * 5000, "x = " + "[" * 200 + "]" * 200, "a" + ".a" * 3000 + " = 1"],
    ids=["open", "lists", "dotted"],
)
def test_absurd_nesting_is_a_problem_and_no_traceback(text):
    assert "tables and lists nested deeper than 64 levels" == problem_of(text).message


def test_a_number_longer_than_python_reads_is_a_problem():
    assert problem_of(f"a = {'9' * 5000}").message


def test_dates_infinity_and_large_numbers_are_left_to_the_schema():
    document = toml.parse("a = [2026-01-01, 1]\nb = inf\nc = 99999999999999999999\nd = 07:30:00\n", "f.toml")

    assert {"a": [None, 1], "b": None, "c": None, "d": None} == document.data
    assert {("a", 0), ("b",), ("c",), ("d",)} == set(document.odd)


@settings(deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_a_document_or_a_problem_with_a_place(text):
    problems = ()
    try:
        toml.parse(text, "f.toml")
    except Invalid as error:
        problems = error.problems

    assert all(problem.file == "f.toml" for problem in problems)


@settings(deadline=None)
@given(st.text(alphabet="a.[]{}=\"' \n#,1", max_size=60))
def test_positions_never_fail(text):
    positions(text)
