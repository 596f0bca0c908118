"""What a rehearsal script may say."""

import ast
import inspect
import itertools

import pytest
from pydantic import TypeAdapter, ValidationError

from agentctl.rehearsal import script
from agentctl.rehearsal.player import NOTHING_SCRIPTED, Player
from agentctl.rehearsal.script import Call, Fault, Person, Reply, Script, ScriptUsage, ToolAnswer

FULL = """
version = 1
[[reply]]
text = "Let me look."
calls = [{ tool = "get_order_status", args = { order_id = "A-1001" } }]
usage = { input = 1200, output = 80, cache_read = 0, cache_write = 0 }
thinking = "hm"
stop = "refusal"
delay_s = 0.2
provider = "anthropic"
[[fault]]
provider = "anthropic"
requests = "1-5"
kind = "status"
status = 529
headers = { "retry-after" = "0.1" }
[[person]]
tool = "send_refund"
answer = "n"
why = "ask the customer first"
[[tool]]
tool = "send_refund"
result = { refund_id = "R-1" }
"""


def test_a_script_is_read_from_toml_as_the_contract_writes_it(read_script):
    expected = Script(
        reply=(
            Reply(
                text="Let me look.",
                calls=(Call("get_order_status", {"order_id": "A-1001"}),),
                usage=ScriptUsage(1200, 80, 0, 0),
                thinking="hm",
                stop="refusal",
                delay_s=0.2,
                provider="anthropic",
            ),
        ),
        fault=(
            Fault(
                "status",
                provider="anthropic",
                requests="1-5",
                status=529,
                headers={"retry-after": "0.1"},
            ),
        ),
        person=(Person("send_refund", "n", "ask the customer first"),),
        tool=(ToolAnswer("send_refund", {"refund_id": "R-1"}),),
    )

    assert expected == read_script(FULL)


@pytest.mark.parametrize(
    "text",
    [
        "colour = 1",
        "[[reply]]\ntext = 'x'\ncolour = 1",
        "[[reply]]\nusage = { inptu = 1 }",
        "[[reply]]\ncalls = [{ tool = 'x', arg = {} }]",
        "[[fault]]\nkind = 'status'\nrequest = '1'",
        "[[fault]]\nkind = 'explode'",
        "[[fault]]\nkind = 'hang'\nrequests = '0-3'",
        "[[person]]\ntool = 'x'\nanswer = 'maybe'",
        "[[tool]]\ntool = 'x'\nresults = 1",
    ],
)
def test_unknown_keys_and_values_are_refused(text, read_script):
    with pytest.raises(ValidationError):
        read_script(text)


def test_a_script_has_a_json_schema():
    schema = TypeAdapter(Script).json_schema()

    assert {"reply", "fault", "person", "tool", "version"} == set(schema["properties"])


@pytest.mark.parametrize(("text", "expected"), [("3", (3, 3)), ("1-5", (1, 5)), ("6-", (6, None)), ("1-", (1, None))])
def test_ranges_count_requests_from_one(text, expected):
    assert expected == script.parse_range(text)


@pytest.mark.parametrize("text", ["", "0", "0-2", "5-1", "a", "-3", "1,2", "1-2-3", " 1", "01"])
def test_what_is_no_range_is_refused_with_its_text(text):
    with pytest.raises(ValueError, match="is no range of requests"):
        script.parse_range(text)


def test_every_field_of_every_table_says_what_it_means():
    tables = [node for node in ast.parse(inspect.getsource(script)).body if isinstance(node, ast.ClassDef)]

    for table in tables:
        for field, note in itertools.pairwise(table.body):
            if isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field):
                said = isinstance(note, ast.Expr) and isinstance(note.value, ast.Constant)
                assert said, f"{table.name}.{ast.unparse(field)}"


def test_replies_wait_for_their_provider_and_the_last_one_repeats():
    player = Player(Script(reply=(Reply("1", provider="b"), Reply("2"), Reply("3"))))

    heard = [player.take("", name).reply.text for name in ("a", "a", "b", "b", "a")]

    assert ["2", "3", "1", "3", "3"] == heard


def test_a_reply_that_was_put_back_is_heard_again():
    player = Player(Script(reply=(Reply("1"), Reply("2"), Reply("3"))))
    first = player.take("", "a")
    assert "2" == player.take("", "a").reply.text

    player.put_back("", first)

    assert ["1", "3"] == [player.take("", "a").reply.text for _ in range(2)]
    assert 3 == player.position("")


def test_a_place_is_restored_from_the_providers_that_were_answered():
    def fresh():
        return Player(Script(reply=(Reply("1", provider="b"), Reply("2"), Reply("3"))))

    live = fresh()
    live.take("r", "a")
    resumed = fresh()
    resumed.set_position("r", ["a"])

    assert live.position("r") == resumed.position("r") == 1
    assert "1" == live.take("r", "b").reply.text == resumed.take("r", "b").reply.text
    assert "3" == live.take("r", "b").reply.text == resumed.take("r", "b").reply.text


def test_an_empty_script_still_answers():
    assert Player(Script()).take("", "a").reply == NOTHING_SCRIPTED
