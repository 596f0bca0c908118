"""25 bad arguments: the model reads what was wrong and gets it right."""

import json
from typing import Any

from tests.runner.faulty.errands import Case, Errand, Lay
from tests.runner.stage import Fault, calls

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^P-[0-9]+$", "maxLength": 12},
        "floor": {"type": "integer", "minimum": 0, "maximum": 9},
        "kind": {"enum": ["box", "letter"]},
        "exact": {"type": "boolean"},
        "weight": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "at": {"type": "object", "properties": {"row": {"type": "integer"}}, "required": ["row"]},
    },
    "required": ["id", "floor"],
}
GOOD = {"id": "P-17", "floor": 2}


def wrong(*attempts: dict[str, Any] | tuple[str, dict[str, Any]], garbled: str = "") -> Lay:
    """The model tries these, reads what was wrong, and then gets it right. `garbled`: which replies are no JSON."""

    def lay(errand: Errand) -> None:
        stage = errand.stage
        stage.tool(errand.tool, f"echo ran >> {errand.tool}.log; {errand.told}", parameters=SCHEMA)
        named = [one if isinstance(one, tuple) else (errand.tool, one) for one in attempts]
        stage.replies = [calls((tool, args)) for tool, args in named] + [calls((errand.tool, GOOD)), errand.ends]
        stage.faults = [Fault("bad_args", requests=garbled)] if garbled else []

    return lay


def beside(errand: Errand) -> None:
    """One good call and one bad call in the same reply."""
    wrong(GOOD)(errand)
    errand.stage.tool("greet", "echo '\"hello\"'", parameters=SCHEMA)
    first = calls(("greet", GOOD), (errand.tool, {"id": "P-17"}))
    errand.stage.replies = [first, *errand.stage.replies[1:]]


BAD_ARGUMENTS = [
    Case("nothing at all", wrong({})),
    Case("one key is missing", wrong({"id": "P-17"})),
    Case("a list for a string", wrong(GOOD | {"id": ["P-17"]})),
    Case("an object for a string", wrong(GOOD | {"id": {"value": "P-17"}})),
    Case("a number for a string", wrong(GOOD | {"id": 17})),
    Case("null for a string", wrong(GOOD | {"id": None})),
    Case("text for a number", wrong(GOOD | {"floor": "2"})),
    Case("half a floor", wrong(GOOD | {"floor": 2.5})),
    Case("true for a number", wrong(GOOD | {"floor": True})),
    Case("text for true or false", wrong(GOOD | {"exact": "yes"})),
    Case("text for a weight", wrong(GOOD | {"weight": "1 kg"})),
    Case("text for a list", wrong(GOOD | {"tags": "red"})),
    Case("a list of the wrong things", wrong(GOOD | {"tags": ["red", 7]})),
    Case("a list that is too long", wrong(GOOD | {"tags": ["a", "b", "c"]})),
    Case("no such choice", wrong(GOOD | {"kind": "barrel"})),
    Case("too high", wrong(GOOD | {"floor": 99})),
    Case("a pattern that does not fit", wrong(GOOD | {"id": "parcel 17"})),
    Case("too long", wrong(GOOD | {"id": "P-" + "1" * 40})),
    Case("a key of an inner object is missing", wrong(GOOD | {"at": {}})),
    Case("a key that nobody knows", wrong(GOOD | {"speed": "fast"})),
    Case("JSON in a text", wrong({"id": json.dumps(GOOD), "floor": json.dumps(GOOD)})),
    Case("no JSON", wrong(GOOD, garbled="1")),
    Case("no JSON twice, then a wrong type", wrong(GOOD, GOOD, GOOD | {"floor": []}, garbled="1-2")),
    Case("no such tool", wrong(("find_parcels", GOOD), ("locate", GOOD))),
    Case("a bad call beside a good one", beside),
]
