"""What must never be written, shown or logged is masked where it enters.

Theory. Layers, the strongest first: the values that the run knows to be secret (keys it loaded, secret variables,
environment variables with such names), however they are written; whatever stands under a sensitive name, in objects,
lists and JSON inside strings; keys with a provider's prefix and private keys; what URLs, headers, command lines and
`name = value` say; the user's own patterns; base64 of any of these. What a later layer finds is known from then on.

Rules. A name is matched by its words (`auth_token`, `X-Api-Key`, `dbPassword`), never as a substring, so that
`max_tokens` stays readable. Numbers under `…tokens…` are counts and stay. A filter is idempotent, and one that fails
writes `[SCRUB ERROR]` for the whole text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import field
from typing import Any, Literal, Protocol, TypeAlias

from agentctl.core import encoded, envelope, grammar, joined, keynames, placeholders, tokenforms
from agentctl.core.bounds import table
from agentctl.core.dummies import random
from agentctl.core.envelope import Envelope
from agentctl.core.events import Forked, ModelReplied, SecretsNumbered, Stamped
from agentctl.core.keynames import BUILT_IN, counts, words
from agentctl.core.known import Known
from agentctl.core.messages import Json, JsonObject, Scrubbed, is_list, is_object
from agentctl.core.named import LEAST_WEAK
from agentctl.core.tokenforms import Span
from agentctl.records import dataclass, replace


@table
class Rules:
    """The policy's `[scrub]`."""

    enabled: bool = True
    """False is printed at every start."""
    keys: tuple[str, ...] = ("api_key", "token", "secret", "password", "bearer")
    """Names whose values are masked; matched by word, beside the built-in set. A41"""
    detectors: Literal["default", "off"] = "default"
    """The built-in value detectors."""
    patterns: tuple[str, ...] = ()
    """Your own RE2 patterns."""
    replacement: str = "[REDACTED]"
    """What stands for a masked value. A42"""
    to_model: bool = False
    """True: the model sees placeholders instead; tools still get the real values."""


@dataclass(frozen=True, slots=True)
class State:
    """Under `to_model`: how many values the model knows by a number, and which the last reply's calls fill in.

    Bound: the calls of one reply.
    """

    numbered: int = 0
    filled: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Call id and numbers."""
    gone: int = 0
    """So many of the first are known to nobody any more: the run was forked after they were destroyed."""


def apply(state: State, stamped: Stamped) -> State:
    """Fold one event."""
    match stamped.event:
        case SecretsNumbered(count=count):
            return replace(state, numbered=state.numbered + count)
        case ModelReplied(purpose="answer" | "landing", calls=calls):
            return replace(state, filled=tuple((call.call_id, call.filled) for call in calls if call.filled))
        case Forked(gone=gone) if gone:
            return replace(state, gone=state.numbered)
        case _:
            return state


def fills(state: State, call_id: str) -> tuple[int, ...]:
    """The placeholders that a call of the last reply names."""
    return dict(state.filled).get(call_id, ())


def check(state: State, call_id: str) -> Envelope | None:
    """The answer to a call that names a placeholder which stands for nothing, or None."""
    unknown = [f"[REDACTED:{number}]" for number in fills(state, call_id) if not state.gone < number <= state.numbered]
    if not unknown:
        return None
    hint = "Use a placeholder exactly as you were shown it; it is filled in for you."
    return envelope.bad_arguments(f"{', '.join(unknown[:8])} stands for nothing", hint)


DEEPEST = 3
"""JSON inside strings is read so deep."""
DECODED = 2
"""An encoding within an encoding."""
PASSES, SHORT = 4, 4_000
"""A text of at most so many characters is looked at again after it was cut, for what stands side by side only then."""
MOST_CLEAN = 500
"""Texts that are remembered as clean."""
NAME = "\0name "
"""Begins what is remembered of a name, of which less is asked than of a text."""
FAILED = Scrubbed("[SCRUB ERROR]")
NAMES = ("name", "key", "header", "field", "variable", "Name", "Key")
VALUES = ("value", "val", "values", "Value", "content")
"""How objects that are a pair call its halves."""


class Pattern(Protocol):
    """A compiled pattern of the user's."""

    def finditer(self, text: str, /) -> Iterator[Any]:
        """Its matches, each with `span()`."""
        ...


Literals: TypeAlias = Callable[[str], Container[str]]
LITERALS = (tokenforms.HEADS, grammar.HEADS)
"""What a text without holds no secret of these layers: as written, and in lower case."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What masks.

    `names` are sensitive names as words; `known` are the secrets themselves, which only ever become more.
    """

    names: frozenset[tuple[str, ...]]
    known: Known = field(repr=False)
    replacement: str
    on: bool = True
    detect: bool = True
    """Whether values are found by their form, too."""
    patterns: tuple[Pattern, ...] = ()
    literals: Literals | None = None
    """Finds all `LITERALS` of a text at once, where an engine does it faster than one by one."""
    number: Callable[[Json], str] | None = field(default=None, repr=False)
    """Gives the placeholder of a value; None: `replacement` stands for all."""
    clean: dict[str, int] = field(default_factory=dict[str, int], repr=False, compare=False)
    """Short texts without a secret, and how much was known then: the same words come again and again."""

    def text(self, text: str) -> Scrubbed:
        """A text without secrets; `FAILED` where this filter fails."""
        if not self.on or not text:
            return Scrubbed(text)
        try:
            return Scrubbed(self._string(text, 0))
        except Exception:  # noqa: BLE001 -- the raw text must not pass, whatever went wrong
            return FAILED

    def data(self, value: Json) -> Json:
        """A JSON value without secrets, of the same shape; equal values come back equal."""
        if not self.on:
            return value
        try:
            for _ in range(PASSES):
                given, value = value, self._data(value, 0)
                if value == given:
                    break
        except Exception:  # noqa: BLE001 -- see `text`
            return FAILED
        return value

    def incoming(self, value: Json) -> Json:
        """`data` for what comes in, where nothing may pass for a placeholder that this filter made."""
        try:
            return self.data(placeholders.unforged(value)) if self.on else value
        except RecursionError:
            return FAILED

    def fields(self, value: JsonObject) -> JsonObject:
        """`data` for an object, which stays one."""
        masked = self.data(value)
        return masked if is_object(masked) else {FAILED: None}

    def sensitive(self, name: str) -> bool:
        """Whether what stands under this name is to be masked."""
        return keynames.sensitive(self.names, name)

    def spans(self, text: str) -> list[Span]:
        """Where secrets stand in a text and by which rule: in order, none within another."""
        found = joined.uncoloured(text, self._spans)
        if found and "[REDACTED:" in text:
            found = list(_around(text, found))
        found.sort(key=lambda span: (span[0], -span[1]))
        merged: list[Span] = []
        for start, end, rule in found:
            if merged and start < merged[-1][1]:
                first, last, by = merged[-1]
                merged[-1] = (first, max(end, last), by)
            elif end > start:
                merged.append((start, end, rule))
        return merged

    def _spans(self, text: str) -> list[Span]:
        return [*self._found(text), *self._decoded(text, 0), *joined.spans(text, self._found)]

    def _found(self, text: str) -> Iterator[Span]:
        for start, end in self.known.spans(text):
            yield start, end, "known value"
        present = self.literals(text) if self.literals else None
        yield from grammar.grammar(text, self.names, self.replacement, present)
        if self.detect:
            heads = text if present is None else present
            yield from tokenforms.prefixed(text, heads)
            yield from tokenforms.backwards(text, heads)
            yield from tokenforms.pem(text)
        for number, pattern in enumerate(self.patterns):
            for match in pattern.finditer(text):
                yield *match.span(), f"scrub.patterns[{number}]"

    def _decoded(self, text: str, depth: int) -> Iterator[Span]:
        def finds(inner: str) -> bool:
            deeper = self._decoded(inner, depth + 1) if depth + 1 < DECODED else ()
            return any(True for spans in (self._found(inner), deeper) for _ in spans)

        if self.detect:
            yield from encoded.spans(text, finds)

    def _text(self, text: str) -> str:
        if self.clean.get(text) == len(self.known):
            return text
        for _ in range(PASSES if len(text) <= SHORT else 1):
            spans = self.spans(text)
            if not spans:
                self._remember(text)
                break
            learned = [self._learn(text[start:end]) for start, end, rule in spans if rule != "known value"]
            text = self._cut(text, spans)
            text = self._known(text) if any(learned) else text
        return text

    def _remember(self, text: str) -> None:
        if len(text) <= SHORT:
            if len(self.clean) >= MOST_CLEAN:
                self.clean.clear()
            self.clean[text] = len(self.known)

    def _cut(self, text: str, spans: Iterable[tuple[int, int, str]]) -> str:
        pieces: list[str] = []
        done = 0
        for start, end, _ in spans:
            pieces += (text[done:start], self._mask(text[start:end]))
            done = end
        return "".join((*pieces, text[done:]))

    def _known(self, text: str) -> str:
        for value in sorted(self.known.here(text), key=len, reverse=True):
            text = text.replace(value, self._mask(value))
        return text

    def _mask(self, value: Json) -> str:
        """What stands for a value; what is masked already stays."""
        if isinstance(value, str) and (value == self.replacement or placeholders.whole(value)):
            return value
        return self.replacement if self.number is None else self.number(value)

    def _learn(self, value: str) -> bool:
        value = joined.COLOURED.sub("", value)
        masked = self.replacement in value or placeholders.PLACEHOLDER.search(value) is not None
        return not masked and self.known.learn(value)

    def _data(self, value: Json, depth: int) -> Json:
        match value:
            case str():
                return self._string(value, depth)
            case _ if is_object(value):
                return self._object(value, depth)
            case _ if is_list(value):
                return self._list(value, depth)
            case int() | float() if self.known and any(True for _ in self.known.here(str(value))):
                return self._mask(value)
            case _:
                return value

    def _object(self, value: JsonObject, depth: int) -> JsonObject:
        masked = {name: self._under(name, inner, depth) for name, inner in self._named(value)}
        said = next((value[name] for name in NAMES if isinstance(value.get(name), str)), None)
        if isinstance(said, str) and len(value) <= 6 and self.sensitive(said):
            masked |= {each: self._under(said, value[each], depth) for each in VALUES if each in value}
        return masked

    def _named(self, value: JsonObject) -> Iterator[tuple[str, Json]]:
        """With names that hold no secret themselves; two that come out alike would be one."""
        size = len(self.known)
        for name, inner in value.items():
            if self.clean.get(NAME + name) == size:
                yield name, inner
                continue
            bare = self._known(str(name))
            bare = bare if bare.isidentifier() and len(bare) < LONG_NAME else self._text(bare)
            if bare == name:
                self._remember(NAME + name)
            yield bare, inner

    def _under(self, name: str, value: Json, depth: int) -> Json:
        weakly = keynames.weak(name) and isinstance(value, str) and random(value, LEAST_WEAK)
        if value is None or isinstance(value, bool) or not (weakly or self.sensitive(name)):
            return self._data(value, depth)
        if isinstance(value, int | float):
            return self._data(value, depth) if counts(name) else self._mask(value)
        if isinstance(value, str):
            if not value or (value.isdigit() and counts(name)):
                return value
            self._learn(value)
            return self._mask(value)
        return self._mask_all(value)

    def _mask_all(self, value: Json) -> Json:
        match value:
            case _ if is_object(value):
                return {self._text(str(k)): self._mask_all(v) for k, v in value.items()}
            case _ if is_list(value):
                return [self._mask_all(item) for item in value]
            case str() | int() | float() if not isinstance(value, bool):
                if isinstance(value, str):
                    self._learn(value)
                return self._mask(value)
            case _:
                return value

    def _list(self, items: list[Json], depth: int) -> list[Json]:
        match items:
            case [str() as name, str() | int() | float() as value] if self.sensitive(self._text(name)):
                return [self._text(name), self._under(self._text(name), value, depth)]
            case _:
                return list(self._items(items, depth))

    def _items(self, items: list[Json], depth: int) -> Iterator[Json]:
        """One by one; what follows an option of a command line is its value."""
        option = ""
        for item in items:
            if option and isinstance(item, str | int | float) and not str(item).startswith("--"):
                yield self._of_option(option, item, depth)
                option = ""
                continue
            option = item if isinstance(item, str) and item.startswith("-") and "=" not in item else ""
            yield self._data(item, depth)

    def _of_option(self, option: str, value: Json, depth: int) -> Json:
        name, colon, _ = str(value).partition(":")
        if option in USERS and colon and "//" not in str(value):
            secret = str(value)[len(name) + 1 :]
            self._learn(secret)
            return f"{self._text(name)}:{self._mask(secret)}"
        return self._under(option, value, depth)

    def _string(self, text: str, depth: int) -> str:
        if text and depth < DEEPEST and text[0] in '{["' and text.rstrip()[-1:] in '}]"':
            try:
                inner = json.loads(text, object_pairs_hook=_once)
            except (ValueError, RecursionError):
                return self._text(text)
            masked = self._data(inner, depth + 1)
            return text if masked == inner else json.dumps(masked, ensure_ascii=False)
        return self._text(text)


OFF = Filter(frozenset(), Known((), ""), "", on=False)
"""Changes nothing."""
LONG_NAME = 20
"""A shorter identifier is no secret but where it is known."""
USERS = frozenset({"-u", "--user", "--proxy-user"})
"""Options whose value is `user:password`."""


def _around(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Spans that leave placeholders whole: none lies within one, and who cuts into one takes all of it."""
    whole = [match.span() for match in placeholders.PLACEHOLDER.finditer(text)]
    for start, end, rule in spans:
        if any(first <= start and end <= last for first, last in whole):
            continue
        cut = [at for at in whole if at[0] < end and start < at[1]]
        yield min([start, *(first for first, _ in cut)]), max([end, *(last for _, last in cut)]), rule


def _once(pairs: list[tuple[str, Json]]) -> JsonObject:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError("a name stands twice, and only one of its values would be seen")
    return made


def make(
    rules: Rules, secrets: Iterable[str], patterns: Iterable[Pattern] = (), literals: Literals | None = None
) -> Filter:
    """The filter of a run: the policy's names beside the built-in ones, and the values that are known to be secret.

    `patterns` are the policy's own, compiled outside the core, as is what finds `literals`.
    """
    names = frozenset(words(name) for name in (*BUILT_IN, *rules.keys) if words(name))
    known = Known(secrets, rules.replacement)
    detect = rules.detectors == "default"
    return Filter(names, known, rules.replacement, rules.enabled, detect, tuple(patterns), literals)
