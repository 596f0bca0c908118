"""Arguments against a tool's schema, strictly: nothing is coerced, nothing unknown passes.

Draft 2020-12 with three differences: 1.0 is no integer, NaN is no number, and patterns are RE2
where it is installed. Nothing is ever fetched.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from agentctl.core.contract import ArgsProblem
from agentctl.core.messages import Json, JsonObject
from agentctl.foreign import Raised, outcome
from agentctl.tools.mismatch import ADVICE, mismatch
from agentctl.tools.strictness import sealed

if TYPE_CHECKING:
    from jsonschema import ValidationError

MOST = 5
"""Problems that are told at once."""
LONGEST_MATCHED = 10_000
"""Characters that a pattern of Python's own engine is let loose on."""

Check = Callable[[JsonObject], ArgsProblem | None]


def checker(parameters: JsonObject, *, strict: bool = True) -> Check:
    """A function that says what is wrong with arguments, or None. It compiles when it is first used."""
    compiled: Validator | None = None

    def found(args: JsonObject) -> ArgsProblem | None:
        nonlocal compiled
        if compiled is None:
            compiled = _compile(sealed(parameters) if strict else parameters)
        errors = list(itertools.islice(compiled.iter_errors(args), MOST))
        return _told(errors, parameters) if errors else None

    def check(args: JsonObject) -> ArgsProblem | None:
        match outcome(lambda: found(args)):  # a schema that breaks its own rules raises anything
            case Raised(RecursionError()):
                return ArgsProblem("they are nested too deeply", "Send flatter arguments.")
            case Raised(error):
                return ArgsProblem(
                    f"the tool's own schema can't be used ({type(error).__name__})",
                    "This tool can't be called as it is declared. Do without it.",
                )
            case problem:
                return problem

    return check


def schema_problem(parameters: JsonObject) -> str | None:
    """Why this is no JSON Schema of an object, in one line; None where it is one."""
    import jsonschema  # 60 ms, only where it is needed

    if parameters.get("type", "object") != "object":
        return "it must be of type object"
    library = cast("Any", jsonschema)
    meta = library.Draft202012Validator(library.Draft202012Validator.META_SCHEMA)
    error: ValidationError | None = library.exceptions.best_match(meta.iter_errors(parameters))
    return f"{error.json_path}: {error.message[:200]}" if error else None


def _told(errors: list[ValidationError], parameters: JsonObject) -> ArgsProblem:
    found = [told for error in errors if (told := mismatch(error, parameters))]
    if not found:
        return ArgsProblem("these keys do not go together", f"Send one shape only. {ADVICE}")
    return ArgsProblem("; ".join(each.problem for each in found), found[0].hint)


# --- The validator -------------------------------------------------------------------------------


class Validator(Protocol):
    """What is used of jsonschema, whose own types know neither `object` nor `extend`."""

    def iter_errors(self, instance: Json) -> Iterator[ValidationError]:
        """What is wrong, one finding after the other."""
        ...

    def descend(self, instance: Json, schema: Json, *, path: str, schema_path: str) -> Iterator[ValidationError]:
        """The same for a part."""
        ...


def _compile(schema: JsonObject) -> Validator:
    import referencing

    # A registry of its own: the default one would fetch what a `$ref` names.
    return _validator_class()(schema, registry=cast("Any", referencing).Registry())


@cache
def _validator_class() -> Callable[..., Validator]:
    import jsonschema  # 60 ms, only where it is needed

    library = cast("Any", jsonschema)
    strict: Callable[..., Validator] = library.validators.extend(
        library.Draft202012Validator,
        validators={"pattern": _pattern, "patternProperties": _pattern_properties},
        type_checker=library.Draft202012Validator.TYPE_CHECKER.redefine_many(
            {"integer": _is_integer, "number": _is_number}
        ),
    )
    return strict


def _is_integer(_: object, value: Json) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: object, value: Json) -> bool:
    return _is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


def _pattern(_: object, pattern: str, value: Json, __: Json) -> Iterator[ValidationError]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not matches(pattern, value):
        yield ValidationError("does not match")


def _pattern_properties(
    validator: Validator, patterns: dict[str, Json], value: Json, _: Json
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    for pattern, schema in patterns.items():
        for key, each in cast("JsonObject", value).items():
            if matches(pattern, key):
                yield from validator.descend(each, schema, path=key, schema_path=pattern)


# --- Patterns ------------------------------------------------------------------------------------


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, in time that no pattern can blow up."""
    search, longest = _searcher(pattern)
    if len(text) > longest:
        return False
    try:
        return bool(search(text))
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


@cache
def _searcher(pattern: str) -> tuple[Callable[[str], object], float]:
    try:
        import re2  # an extra
    except ImportError:
        return re.compile(pattern).search, LONGEST_MATCHED
    library = cast("Any", re2)
    options = library.Options()
    options.log_errors = False
    try:
        return library.compile(pattern, options).search, math.inf
    except library.error:  # look-arounds and back references, which RE2 leaves out
        return re.compile(pattern).search, LONGEST_MATCHED
