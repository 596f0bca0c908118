"""Secrets that are known by the name before them, however the two are tied: `=`, `:`, a blank, a tag, a pair, a table.

A text is searched once for parts of sensitive names; only where one stands is looked at what follows. Every expression
is bounded and begins where the name ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple, TypeAlias

from agentctl.core.dummies import header_stands_for, random, stands_for
from agentctl.core.keynames import counts, sensitive, triggers, weak, whole_line
from agentctl.core.tokenforms import Span

SensitiveNames: TypeAlias = frozenset[tuple[str, ...]]

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
IN_NAMES = LETTERS + "0123456789_.-"
LONGEST = 64
"""Characters of a name before and after the part that was looked for."""
LEAST = 10
"""Characters of a value that only a blank, or a phrase, ties to its name."""
LEAST_WEAK = 16
GLANCE = 100
"""Characters of a value that tell whether it may be one."""


class Name(NamedTuple):
    """A sensitive name in a text; a tuple, for there are many."""

    text: str
    start: int
    end: int
    said: str
    phrase: bool = False
    """Words with a blank between: `API key`."""

    @property
    def before(self) -> str:
        """The character before it."""
        return self.text[self.start - 1 : self.start]


TYPE = r"""[&A-Za-z][\w\[\]., |<>&']{0,30}?"""
ASSIGNED = re.compile(
    r"""(?P<closed>\\{0,7}["'])?\]?[ \t]{0,16}(?P<sep>: ?""" + TYPE + r""" =(?!=)|::=|\?\?=|[?:.+|]=|=>|==|=|:(?!:))"""
    r"""\s{0,3}(?P<quote>[rbuf]?\\{0,7}["'`])?"""
)
PLAIN = re.compile(r"""(?:(?:Bearer|Basic|Token|Digest|ApiKey) )?[^\s"'`,;&<>(){}\[\]\\]+""")
LINE = re.compile(r"""(?:=\\{0,7}"[^"\r\n\\]*\\{0,7}"|[^\r\n"\\])*""")
HELD = r"""(?P<q>\\{0,7}["'])(?P<value>[^"'\\\s]{3,400})\\{0,7}["']"""
PAIR = re.compile(r"""(?P<closed>\\{0,7}["']),\s{0,12}""" + HELD + r"""(?!\s{0,3}[:=])""")
VALUE = re.compile(
    r"""\\{0,7}["']?,?(?:\s|\\{1,7}[nrt]|\n\S{1,30} {0,8}\||\n\+){1,40}\\{0,7}["']?"""
    r"""value\\{0,7}["']?\s{0,3}[:=]\s{0,3}\\{0,7}["']?(?P<value>[^\s"'\\,}]{3,400})""",
    re.IGNORECASE,
)
FIELD = re.compile(r"""name=\\{0,7}["']$""")
FORM = re.compile(
    r"""\\{0,7}["'](?:(?:\r?\n|(?:\\{1,7}r)?\\{1,7}n)(?:\+|\S{1,30} {0,8}\| )?){2}"""
    r"""(?P<value>[^\s\\]{1,2000})"""
)
DEFAULT = re.compile(r"""\\{0,7}["'] \{[^{}]{0,300}?default\s{0,8}=\s{0,3}\\{0,7}"(?P<value>[^"\\\n]{3,400})""")
LISTED = re.compile(r"""\\{0,7}["']?[ \t]?[:=]>?[ \t]?\[\s{0,3}\\{0,7}["']?(?P<value>[^\s"'\\,\[\]]{8,400})""")
COLUMN = re.compile(r"""`?[ \t]{0,40}\|[ \t]{0,8}`?(?P<value>[^\s|`]{8,400})`?[ \t]{0,40}\|""")
ELEMENT = re.compile(r"""(?:\s[^<>]{0,200})?>(?P<value>[^<]{1,2000})</""")
LIST_ENTRY = re.compile(r"""</key>(?:\s|\\{1,7}[nrt]|\n\S{1,30} {0,8}\||\+){0,40}<string>(?P<value>[^<]{1,2000})</""")
PERCENT = re.compile(
    r"""(?:%(?:25)?22)?%(?:25)?3[ADad](?:%(?:25)?22)?(?P<value>(?:[^\s&"'<>%]{1,500}|%(?!(?:25)?2[26])){1,100})"""
)
OPTION = re.compile(r"""[ \t]+(?:(?P<quote>["'])|(?=[^\s"'-]))(?P<value>(?(quote)[^"'\n]*|[^\s"']+))""")
BLANK = re.compile(r"""[ \t]+(?:is[ \t])?["'`]?(?P<value>(?![=:\[])[^\s"'`,;|()<>\\]{6,400})""")
PHRASE = re.compile(r"""(?: \d{1,3})?(?:[:=]| is)[ \t]{1,3}["'`]?(?P<value>[^\s"'`,;|()<>\\]{6,400})""")
BLOCK = re.compile(r"""["']?:[ \t]{1,4}[|>][+\-0-9]{0,2}[ \t]*\n""")
WEAKLY = re.compile(
    r"""\\{0,7}["']?\s{0,3}[:=]\s{0,3}\\{0,7}["']?(?P<value>[A-Za-z0-9+/_.\-]{16,4000}={0,2})(?![\w=])"""
)
ESCAPED = re.compile(r""": [|>][+\-]?\\{1,7}n(?P<value>(?:[^\\\n"]|\\{1,7}n[ ]{2}){1,2000})""")
INDENT = re.compile(r"""(?P<prefix>[+\-]|\S{1,30} {0,8}\| )?[ \t]*(?:- )?["']?""")

Ends: TypeAlias = tuple[int, int]


def named(text: str, lower: str, names: SensitiveNames, marker: str) -> Iterator[Span]:
    """What stands after a sensitive name, by a text and its `low`; names within what is found are passed over."""
    done = 0
    for name in _names(text, lower, names):
        found = _after(name, marker) if name.start >= done else None
        if found and found[1] > found[0]:
            done = found[1]
            yield *found, f"name:{name.said}"


def low(text: str) -> str:
    """In lower case, every letter at its place."""
    made = text.lower()
    return made if len(made) == len(text) else "".join(each.lower()[:1] for each in text)


def _names(text: str, lower: str, names: SensitiveNames) -> Iterator[Name]:
    done = 0
    for match in triggers(names).finditer(lower):
        if match.start() < done:
            continue
        start, end = _bounds(text, *match.span())
        said = text[start:end]
        done = max(end, match.end())
        if sensitive(names, said) or weak(said):
            yield Name(text, start, end, said)
        elif text[start - 1 : start] == " " and start > 1:
            front = text[max(0, start - 1 - LONGEST) : start - 1]
            wide = start - 1 - len(front) + len(front.rstrip(LETTERS))
            if sensitive(names, text[wide:end].replace(" ", "_")):
                yield Name(text, wide, end, text[wide:end], phrase=True)


def _bounds(text: str, start: int, end: int) -> Ends:
    """Of the whole name; without the end of an escape, as `n` of a line end in JSON."""
    front, back = text[max(0, start - LONGEST) : start], text[end : end + LONGEST]
    first = start - len(front) + len(front.rstrip(IN_NAMES))
    last = end + len(back) - len(back.lstrip(IN_NAMES))
    match text[first - 1 : first]:
        case "\\" if first < start:
            first += 1
        case "%" if start - first >= 2:
            first += 2
        case _:
            pass
    while not text[first].isalpha() and first < start:
        first += 1
    if text[first : first + 1] == "D" and text[first - 1 : first] == "-" and first < start:  # a property of Java's
        first += 1
    while text[last - 1] in ".-" and last > end:
        last -= 1
    return first, last


def _after(name: Name, marker: str) -> Ends | None:
    """Where the value stands, by the first tie that fits."""
    if name.phrase:
        return _strange(PHRASE, name)
    if weak(name.said):
        return _strange(WEAKLY, name)
    following = name.text[name.end : name.end + 1]
    if following == " " and name.text[name.end + 1 : name.end + 2].isalpha():
        following = "a"
    found = _block(name) if following in BEFORE_BLOCK else None
    if found is None and following in BEFORE_SIGN:
        found = _assigned(name, marker)
    for expression, take in BY_NEXT.get(following, ()):
        found = found or take(expression, name)
    return found


def _assigned(name: Name, marker: str) -> Ends | None:
    match = ASSIGNED.match(name.text, name.end)
    if match is None:
        return None
    text, start = name.text, match.end()
    tied = match["sep"] == ":" and not text[start - 1].isspace()
    if tied and (name.before == ":" or text.startswith(":?", name.end)):  # a part of a path; a message of a shell
        return None
    line = whole_line(name.said) and match["sep"] == ":" and not match["quote"] and not match["closed"]
    until = partial(_line, name) if line else partial(_value, name, match["quote"] or "")
    end = until(start, min(len(text), start + GLANCE))  # first a part: what is refused must cost little
    value = text[start:end]
    fits = not header_stands_for(value) if line else _plausible(value, text[end : end + 1], name.said, match)
    if not fits or not value or text.startswith(marker, start):
        return None
    return start, until(start, len(text))


def _line(name: Name, start: int, last: int) -> int:
    """To the end of a header: of its quote, where it stands in one."""
    end = _value(name, name.before, start, last) if name.before in {'"', "'"} and name.before else 0
    found = LINE.match(name.text, start, last)
    return end or (found.end() if found else start)


def _value(name: Name, quote: str, start: int, last: int) -> int:
    text = name.text
    quote = quote.lstrip("rbuf")
    if quote:
        at = text.find(quote, start, last)
        while at > start and len(quote) == 1 and text[at - 1] == "\\" and text[at - 2 : at - 1] != "\\":
            at = text.find(quote, at + 1, last)
        if at >= 0 and text.find("\n", start, at) < 0:
            return at
    found = PLAIN.match(text, start, last)
    return found.end() if found else start


def _plausible(value: str, then: str, said: str, match: re.Match[str]) -> bool:
    """Whether it could be the secret itself rather than a word about one."""
    if not value or (value[0].isdigit() and counts(said)):
        return False
    if match["quote"]:
        return not (stands_for(value) and not value[0].isalpha())
    if len(value) < 3 or said.endswith(value):  # `self.password = password` hands a variable on
        return False
    if counts(said) and not any(map(str.isdigit, value)):
        return False
    return not (stands_for(value) or (then == "(" and value.replace(".", "").replace("_", "").isalnum()))


def _plain(expression: re.Pattern[str], name: Name) -> Ends | None:
    match = expression.match(name.text, name.end)
    return match.span("value") if match and not stands_for(match["value"][:GLANCE].strip()) else None


def _strange(expression: re.Pattern[str], name: Name) -> Ends | None:
    match = expression.match(name.text, name.end)
    fits = match and random(match["value"], LEAST) and not stands_for(match["value"])
    return match.span("value") if match and fits else None


def _element(expression: re.Pattern[str], name: Name) -> Ends | None:
    """In a tag, which may say whose its name is: `<wsse:Password`."""
    if name.before not in {"<", ":"}:
        return None
    opened = name.text.rfind("<", max(0, name.start - LONGEST), name.start)
    space = name.text[opened + 1 : name.start].removesuffix(":")
    return _plain(expression, name) if opened >= 0 and (not space or space.isalnum()) else None


def _option(expression: re.Pattern[str], name: Name) -> Ends | None:
    """After `--name`; in a text of help a word in capitals stands there."""
    found = _plain(expression, name) if name.before == "-" else None
    value = name.text[slice(*found)] if found else ""
    return None if value.isupper() and value.isalpha() else found


def _form(expression: re.Pattern[str], name: Name) -> Ends | None:
    """In a part of a form: `name="api_key"`, an empty line, the value."""
    return _plain(expression, name) if FIELD.search(name.text, max(0, name.start - 14), name.start) else None


def _block(name: Name) -> Ends | None:
    """YAML's texts of several lines."""
    text = name.text
    found = BLOCK.match(text, name.end)
    line = text.rfind("\n", max(0, name.start - LONGEST), name.start) + 1
    indent = INDENT.fullmatch(text, line, name.start) if found else None
    if found is None or indent is None:
        return None
    prefix = indent["prefix"] or ""  # of a diff, or of a log of several programs
    bare = indent[0][len(prefix) :]
    least = len(bare) - len(bare.lstrip()) + 1
    at = found.end()
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        row = text[at + len(prefix) : end]
        if not text.startswith(prefix, at) or (row.strip() and len(row) - len(row.lstrip()) < least):
            break
        at = end + 1
    body = text[found.end() : min(at, len(text))]
    return found.end() + len(body) - len(body.lstrip()), found.end() + len(body.rstrip())


Take: TypeAlias = Callable[[re.Pattern[str], Name], Ends | None]
TIES: tuple[tuple[str, re.Pattern[str], Take], ...] = (
    ("%", PERCENT, _plain), ("\"'\\, a\t\r\n+", VALUE, _plain), ("\"'\\", PAIR, _plain), ("\"'", FORM, _form),
    ("\"'\\", DEFAULT, _plain), ("\"'\\ :=", LISTED, _strange), ("` \t|", COLUMN, _strange), ("> a", ELEMENT, _element),
    ("<", LIST_ENTRY, _plain), (":", ESCAPED, _plain), (" \ta", OPTION, _option), (" \ta", BLANK, _strange),
)  # fmt: skip
"""What may follow at once, what follows then, and what it must be; `a` is a blank with a letter."""
BY_NEXT = {each: [(form, take) for tie, form, take in TIES if each in tie] for each in "\"'\\ \t,:=`|><%\r\na+"}
BEFORE_SIGN = frozenset("\"'\\] \t:?.+|=")
BEFORE_BLOCK = frozenset(":\"'")
