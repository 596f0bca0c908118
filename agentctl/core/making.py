"""Candidates for a value that fits a JSON Schema; whoever asks tries whether they do."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Final

from agentctl.core import fitting
from agentctl.core.fitting import lists, names, size, spelled, tables
from agentctl.core.formatted import formatted
from agentctl.core.matching import LONGEST, matches, texts
from agentctl.core.messages import Json, JsonObject, is_object
from agentctl.core.numbers import amount
from agentctl.core.shapes import RARELY, Shape, shaped

MOST_ITEMS: Final = 1_000
DEEPEST: Final = 12
"""Levels of a value."""
COST: Final = 10
"""Steps that a value takes to make, at least."""
BARE: Final[dict[str, Json]] = {"object": {}, "array": [], "integer": 0, "number": 0, "boolean": True, "string": ""}
"""Something of a type, where there is no end to making it properly."""
DIGITS: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
ENUM: Final = 250
OTHERS: Final = ("integer", "object", "array", "boolean", "null")
"""What is tried now and then in place of a text, where any type will do."""


class _SpentError(Exception):
    """The steps of a value are used up."""


def candidates(root: JsonObject, most: int, steps: list[int]) -> Iterator[Json]:
    """So many of each kind, until the steps are used up: with what is required, with all, with one part moving."""
    making = _Making(root, steps)
    for making.all, making.apart in ((False, False), (True, False), (False, True), (True, True)):
        for n in range(most):
            try:
                made = making.make(root, n, "value", 0)
            except _SpentError:
                yield BARE.get(next(iter(shaped(root, root, 0).kinds), "string"))
                return
            yield made


class _Making:
    def __init__(self, root: JsonObject, steps: list[int]) -> None:
        self.root = root
        self.steps = steps
        self.all = False
        """Whether optional keys are there."""
        self.apart = False
        """Whether the parts of a value move at their own pace."""
        self.texts: dict[tuple[str, int, int], tuple[list[str], Iterator[str]]] = {}

    def make(self, schema: Json, n: int, name: str, depth: int) -> Json:
        self.steps[0] -= COST
        if self.steps[0] < 0:
            raise _SpentError
        shape = shaped(schema, self.root, n + max(0, depth - DEEPEST // 2), self.steps)
        given, only = self.given(shape.schema)
        if given and (only or shape.left < len(given)):
            return given[shape.left % len(given)]
        kind, n = _kind(shape, shape.left - len(given))
        if depth > DEEPEST:
            return BARE.get(kind)
        match kind:
            case "object":
                return self.table(shape.schema, n, depth)
            case "array":
                return self.items(shape.schema, n, name, depth)
            case "integer" | "number":
                return amount(shape.schema, n, whole=kind == "integer")
            case "boolean":
                return n % 2 == 0
            case "null":
                return None
            case _:
                return self.text(shape.schema, n, name)

    def given(self, schema: JsonObject) -> tuple[list[Json], bool]:
        """Values that the schema itself names, and whether they are all there are."""
        if "const" in schema:
            return [schema["const"]], True
        rest: JsonObject = {key: each for key, each in schema.items() if key != "enum"}
        values = lists(schema.get("enum"))[:ENUM]
        named = values or [schema[key] for key in ("default",) if key in schema] + lists(schema.get("examples"))[:ENUM]
        fit = [each for each in named if fitting.fits(rest, each, self.root, self.steps) is not False]
        return fit or values, bool(values)

    def table(self, schema: JsonObject, n: int, depth: int) -> JsonObject:
        properties = tables(schema.get("properties"))
        made: JsonObject = {}
        for at, key in enumerate(self.keys(schema, depth)):
            inner = properties[key] if key in properties else self.other(schema, key)
            made[key] = self.make(inner, self.share(n, at), key, depth + 1)
        least = min(size(schema.get("minProperties"), 0), MOST_ITEMS)
        for extra in islice(count(n), MOST_ITEMS):
            if len(made) >= least:
                break
            key = self.key(schema, extra)
            if key not in made:
                made[key] = self.make(self.other(schema, key), n, key, depth + 1)
        return made

    def keys(self, schema: JsonObject, depth: int) -> list[str]:
        """The keys that a table is to have."""
        needed = dict.fromkeys(names(schema.get("required"))[:MOST_ITEMS])
        optional = [key for key in islice(tables(schema.get("properties")), MOST_ITEMS) if key not in needed]
        most = size(schema.get("maxProperties"), MOST_ITEMS) - len(needed)
        if not self.all or depth > DEEPEST // 4:
            most = min(most, size(schema.get("minProperties"), 0) - len(needed))
        keys = dict.fromkeys([*needed, *optional[: max(0, most)]])
        depends = tables(schema.get("dependentRequired"))
        for key in [key for key in depends if key in keys]:
            keys.update(dict.fromkeys(names(depends[key])))
        return [*keys]

    def share(self, n: int, at: int) -> int:
        """The number of the part at this place: the same as the others', or one that moves slower than theirs."""
        return n >> min(at, 30) if self.apart else n

    def key(self, schema: JsonObject, n: int) -> str:
        """One that the schema does not name."""
        if is_object(wanted := schema.get("propertyNames")):
            return str(self.make({"type": "string", **wanted}, n, "key", DEEPEST))
        patterns = tables(schema.get("patternProperties"))
        if patterns and schema.get("additionalProperties") is False:
            return self.patterned(next(iter(patterns)), n, 0, LONGEST) or f"key_{n + 1}"
        return f"key_{n + 1}"

    def other(self, schema: JsonObject, key: str) -> Json:
        """The schema of a key that has none of its own."""
        patterns = tables(schema.get("patternProperties"))
        held = (inner for pattern, inner in patterns.items() if matches(pattern, key, self.steps))
        inner = next(held, schema.get("additionalProperties", True))
        return {"type": "string"} if inner is True else inner

    def items(self, schema: JsonObject, n: int, name: str, depth: int) -> list[Json]:
        fixed = lists(schema.get("prefixItems"))[:MOST_ITEMS]
        inner = schema.get("items", {"type": "string"})
        least, most = size(schema.get("minItems"), 0), min(size(schema.get("maxItems"), MOST_ITEMS), MOST_ITEMS)
        held = min(size(schema.get("minContains"), 1), MOST_ITEMS) if "contains" in schema else 0
        usual = 0 if depth >= DEEPEST // 2 or (inner is False and not fixed) else 1
        wanted = min(max(least, usual, held), most)
        unique = schema.get("uniqueItems") is True
        made: dict[str, Json] = {}
        for tried in range(wanted * 2 + RARELY if unique else wanted):
            if (at := len(made)) >= wanted:
                break
            one = fixed[at] if at < len(fixed) else inner
            one = {"allOf": [schema["contains"], one]} if at < held else one
            each = self.make(one, self.share(n, at) + (tried if unique else at), name, depth + 1)
            made.setdefault(spelled(each) if unique else str(at), each)
        return [*made.values()]

    def text(self, schema: JsonObject, n: int, name: str) -> str:
        least = min(size(schema.get("minLength"), 0), LONGEST)
        most = min(size(schema.get("maxLength"), LONGEST), LONGEST)
        if isinstance(pattern := schema.get("pattern"), str):
            found = self.patterned(pattern, n, least, most)
            if found is not None:
                return found
        made = formatted(str(schema.get("format")), n) or f"{name}-{n + 1}"
        if len(made) > most:  # the shortest way to tell so many apart
            made = "".join(DIGITS[n // len(DIGITS) ** at % len(DIGITS)] for at in range(min(most, 8)))
        return made + "x" * (least - len(made))

    def patterned(self, pattern: str, n: int, least: int, most: int) -> str | None:
        """The `n`th text of a pattern; None: none can be made."""
        key = (pattern, least, most)
        if key not in self.texts:
            self.texts[key] = [], texts(pattern, least, most, self.steps)
        made, more = self.texts[key]
        made.extend(islice(more, max(0, n + 1 - len(made))))
        return made[n % len(made)] if made else None


def _kind(shape: Shape, n: int) -> tuple[str, int]:
    """The type to make, and the number that is left to make it from."""
    rarely = n % RARELY == RARELY - 1
    if not shape.kinds:
        return (OTHERS[n // RARELY % len(OTHERS)] if rarely else "string"), n
    kinds = [kind for kind in shape.kinds if kind != "null"]
    if "null" in shape.kinds and (rarely or not kinds):
        return "null", n
    n -= n // RARELY if "null" in shape.kinds else 0
    return kinds[n % len(kinds)], n // len(kinds)
