"""A typed Python function as a tool is described: its parameters as JSON Schema, and arguments as its types."""

from __future__ import annotations

import inspect
import json
import typing
import warnings
from collections.abc import Callable
from typing import Annotated, Any, cast

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from agentctl.core.messages import Json, JsonObject
from agentctl.foreign import Raised, outcome
from agentctl.records import dataclass
from agentctl.tools.docstring import Described, described
from agentctl.tools.loading import one_line
from agentctl.tools.mismatch import ADVICE, kind

Function = Callable[..., Any]

AS_HINTS = "Type each one: def search(query: str, limit: int = 10)."


class Unusable(Exception):
    """Why a function can't be a tool, and the way out."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Misfit(Exception):
    """An argument that is not of its parameter's type."""

    def __init__(self, problem: str, hint: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Signature:
    """What a function takes."""

    description: str
    parameters: JsonObject
    adapters: dict[str, TypeAdapter[Any]]

    def read(self, args: JsonObject) -> dict[str, object]:
        """The arguments as the function's own types. What was left out is left to its defaults.

        Raises:
            Misfit: what the schema could not say, such as a date that is none.
        """
        made: dict[str, object] = {}
        for name, value in args.items():
            if name not in self.adapters:
                raise Misfit(f"'{name}' is not an argument of this tool", ADVICE)
            try:
                made[name] = self.adapters[name].validate_json(json.dumps(value), strict=True)
            except ValidationError as error:
                raise _misfit(name, value, error) from None
        return made


def signature_of(function: Function) -> Signature:
    """Read a function.

    Raises:
        Unusable: a model could not be told how to call it.
    """
    words = described(inspect.getdoc(function))
    given = _parameters(function)
    hints = _hints(function)
    adapters = {name: _adapter(name, hints[name]) for name in given}
    properties, definitions = _schemas(adapters)
    for name, parameter in given.items():
        _say(properties[name], words, name, hints[name])
        if parameter.default is not inspect.Parameter.empty:
            _say_default(properties[name], parameter.default)
    parameters: JsonObject = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [name for name, each in given.items() if each.default is inspect.Parameter.empty]
    if required:
        parameters["required"] = required
    if definitions:
        parameters["$defs"] = definitions
    return Signature(words.summary, parameters, adapters)


# --- The parameters ------------------------------------------------------------------------------


def _parameters(function: Function) -> dict[str, inspect.Parameter]:
    given = dict(inspect.signature(function).parameters)
    for name, parameter in given.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
            raise Unusable(f"'{stars}{name}' takes anything", "Name each parameter, or take one `dict[str, …]`.")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise Unusable(f"'{name}' can't be given by its name", "Take the `/` out: arguments come by their names.")
        if parameter.annotation is inspect.Parameter.empty:
            raise Unusable(f"'{name}' has no type", AS_HINTS)
    return given


def _hints(function: Function) -> dict[str, Any]:
    match outcome(lambda: typing.get_type_hints(function, include_extras=True)):  # annotations are code
        case Raised(NameError() as error):
            way_out = "Import it at run time, not under TYPE_CHECKING."
            raise Unusable(f"a type is not known: {one_line(error)}", way_out)
        case Raised(error):
            raise Unusable(f"its types can't be read: {one_line(error)}", AS_HINTS)
        case hints:
            return hints


def _adapter(name: str, hint: Any) -> TypeAdapter[Any]:  # noqa: ANN401 -- any type at all
    try:
        adapter = TypeAdapter[Any](hint)
        adapter.json_schema()
    except PydanticUserError as error:
        if error.code == "typed-dict-version":
            way_out = "Take TypedDict from typing_extensions on this Python."
            raise Unusable(f"'{name}' is a typing.TypedDict", way_out) from None
        what = getattr(hint, "__name__", str(hint))
        way_out = "Use text, numbers, lists, dicts, dataclasses, TypedDicts or Literals."
        raise Unusable(f"'{name}' has a type that JSON can't say: {what}", way_out) from None
    return adapter


# --- The schema ----------------------------------------------------------------------------------


def _schemas(adapters: dict[str, TypeAdapter[Any]]) -> tuple[dict[str, JsonObject], JsonObject]:
    """The schema of each parameter, and the definitions that they share."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of defaults that JSON can't say
        made, rest = TypeAdapter.json_schemas([(name, "validation", each) for name, each in adapters.items()])
    properties = {name: cast("JsonObject", _tidy(schema)) for (name, _), schema in made.items()}
    return properties, cast("JsonObject", _tidy({"properties": rest.get("$defs", {})}))["properties"]  # type: ignore[return-value]


def _tidy(schema: Json) -> Json:
    """Without the titles that only repeat names, and with no other key than those that a type has."""
    if isinstance(schema, list):
        return [_tidy(each) for each in cast("list[Json]", schema)]
    if not isinstance(schema, dict):
        return schema
    made: JsonObject = {}
    for key, value in cast("JsonObject", schema).items():
        if key == "properties":
            made[key] = {name: _tidy(each) for name, each in cast("JsonObject", value).items()}
        elif key != "title":
            made[key] = value if key in AS_IT_IS else _tidy(value)
    if "properties" in made:
        made.setdefault("additionalProperties", False)
    return made


AS_IT_IS = ("default", "const", "enum", "examples", "required")


def _say(schema: JsonObject, words: Described, name: str, hint: object) -> None:
    """`Annotated[str, "words"]` and `Field(description=…)` before the docstring."""
    noted = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
    said = next((each for each in noted if isinstance(each, str)), "") or words.parameters.get(name, "")
    if said:
        schema.setdefault("description", said)


def _say_default(schema: JsonObject, default: object) -> None:
    try:
        value = to_jsonable_python(default)
        json.dumps(value, allow_nan=False)
    except (PydanticSerializationError, ValueError, TypeError):
        return  # the function knows it all the same
    schema["default"] = value


def _misfit(name: str, value: Json, error: ValidationError) -> Misfit:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in first["loc"])
    return Misfit(f"'{name}{where}' does not fit: {first['msg']}", f"{first['msg']}, got {kind(value)}. {ADVICE}")
