"""Secrets that are known by where they stand: after a name, in a URL, a header, a cookie, a command line, XML, YAML.

Every expression is bounded; what comes before a name is never searched twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TypeAlias

from agentctl.core.keynames import counts, whole_line
from agentctl.core.tokenforms import Span

Names: TypeAlias = Callable[[str], bool]
"""Whether a name is sensitive."""

NAME = r"[A-Za-z][A-Za-z0-9_.\-]{0,63}"
NAMED = re.compile(
    rf"""(?<![A-Za-z_.])(?P<name>{NAME}+)(?P<closed>\\{{0,3}}["'])?\]?[ \t]{{0,16}}"""
    r"""(?P<sep>: ?[A-Za-z][\w\[\]., |]{0,30}? =(?!=)|::=|\?\?=|[?:.+|]=|=>|==|=|:)\s{0,3}"""
    r"""(?P<quote>[rbuf]?\\{0,3}["'`])?"""
)
PLAIN = re.compile(r"""(?:(?:Bearer|Basic|Token|Digest|ApiKey) )?[^\s"'`,;&<>(){}\[\]\\]+""")
LINE = re.compile(r"""(?:="[^"\r\n]*"|[^\r\n"\\])*""")
CARRIER = re.compile(r"\b(?:Bearer|Basic)(?:\s|%20|\\[nt]){1,3}(?P<value>[A-Za-z0-9._~+/=\-]{8,})", re.IGNORECASE)
USERINFO = re.compile(r"://[^\s/:@\"'<>]{0,256}:(?P<value>[^\s/@\"'<>]{1,256})@")
TOKEN_USER = re.compile(r"://(?P<value>[A-Za-z0-9_\-]{20,256})@")
OPTION = re.compile(
    rf"""(?<![\w-])--?(?P<name>{NAME})[ \t]+(?:(?P<quote>["'])|(?=[^\s"'-]))(?P<value>(?(quote)[^"'\n]*|[^\s"']+))"""
)
USER = re.compile(r"""(?<!\S)(?:-u|--user|--proxy-user)[ =]?["']?[^\s:"']{1,128}:(?P<value>[^\s"']{1,256})""")
SHORT = re.compile(
    r"\b(?:mysql(?:dump|admin)?|sshpass|redis-cli|mongo(?:sh|dump)?|psql|docker login)\b[^\n|;&]{0,200}?"
    r"""\s-[pa] ?(?P<quote>["']?)(?P<value>[^\s"'-][^\s"']{2,})"""
)
NETRC = re.compile(
    r"\blogin\s+\S{1,128}\s+password\s+(?P<value>\S+)|\bIDENTIFIED BY ['\"](?P<by>[^'\"\n]+)", re.IGNORECASE
)
ELEMENT = re.compile(rf"<(?P<name>{NAME})(?:\s[^<>]{{0,200}})?>(?P<value>[^<]{{1,2000}})</")
ATTRIBUTE = re.compile(
    rf"""\b(?:key|name)\s?=\s?["'](?P<name>{NAME})["']\s{{1,8}}value\s?=\s?["'](?P<value>[^"'\n]+)""", re.IGNORECASE
)
PERCENT = re.compile(
    rf"""(?:%(?:25)?[0-9A-Fa-f]{{2}}|(?<![\w%]))(?P<name>{NAME})(?:%(?:25)?22)?%(?:25)?3[ADad](?:%(?:25)?22)?(?P<value>(?:(?!%(?:25)?2[26])[^\s&"'<>])+)"""
)
BLOCK = re.compile(
    rf"""^(?P<indent>[ \t]*)(?:- )?["']?(?P<name>{NAME})["']?:[ \t]{{1,4}}[|>][+\-0-9]{{0,2}}[ \t]*$""", re.MULTILINE
)

STANDS_FOR = re.compile(
    r"""(?ix) \$\{?[a-z_].* | <.* | \{\{.* | %\(?[a-z_]\w*[)%].* | \*{2,}.* | x{3,} | \.{3,} | …+ | -+ |
    (?:none|null|nil|true|false|undefined|required|optional|string|str|int|number|bytes?|bool|boolean|yes|no|empty|
       unset|missing|invalid|expired|hidden|redacted|masked|changeme|todo|tbd|any|object|the|a|an|is|was|are|not|see|
       must|should|for|from|your|and|or|to|in|of|it|ok|failed|rejected|accepted|incorrect|wrong|env|text|varchar)
    [.,!?;:)]? | (?:your|my|the|some|example|placeholder)[_-].* |
    (?:os|process|self|this|cls|config|settings|env|environ|request|args|kwargs|secrets|vault|ctx|options|params|data|
       var|local|module|std|import\.meta)(?:\.[a-z_]\w*)+ .* | [a-z_]\w*\.(?:env|environ)\b.* | \[REDACTED.*"""
)
"""What is written where a secret would be and is none: variables, types, the words of a sentence."""


def grammar(text: str, sensitive: Names, marker: str) -> Iterator[Span]:
    """All of it. What begins with the marker is masked already."""
    for start, end, rule in _all(text, sensitive, marker):
        if end > start and not text.startswith(marker, start):
            yield start, end, rule


def _all(text: str, sensitive: Names, marker: str) -> Iterator[Span]:
    if "=" in text or ":" in text:
        yield from _named(text, sensitive, marker)
    low = text.lower()
    if "bearer" in low or "basic" in low:
        yield from _values(CARRIER, text, "header")
    if "://" in text:
        yield from _values(USERINFO, text, "url")
        yield from _values(TOKEN_USER, text, "url")
    yield from _command_line(text, sensitive)
    if "</" in text or "value" in low:
        yield from _after_names((ELEMENT, ATTRIBUTE), text, sensitive, "xml")
    if "%3" in low or "%253" in low:
        yield from _after_names((PERCENT,), text, sensitive, "url")
    if "|" in text or ">" in text:
        yield from _blocks(text, sensitive)


def _values(expression: re.Pattern[str], text: str, rule: str) -> Iterator[Span]:
    for match in expression.finditer(text):
        if not STANDS_FOR.fullmatch(match["value"]):
            yield *match.span("value"), rule


def _after_names(expressions: tuple[re.Pattern[str], ...], text: str, sensitive: Names, rule: str) -> Iterator[Span]:
    for expression in expressions:
        for match in expression.finditer(text):
            if sensitive(match["name"]) and not STANDS_FOR.fullmatch(match["value"].strip()):
                yield *match.span("value"), rule


def _command_line(text: str, sensitive: Names) -> Iterator[Span]:
    if "-" in text:
        for match in OPTION.finditer(text):
            if sensitive(match["name"]) and not STANDS_FOR.fullmatch(match["value"]):
                yield *match.span("value"), "command line"
        yield from _values(USER, text, "command line")
        yield from _values(SHORT, text, "command line")
    for match in NETRC.finditer(text):
        yield *match.span("value" if match["value"] else "by"), "command line"


def _named(text: str, sensitive: Names, marker: str) -> Iterator[Span]:
    """What stands after a sensitive name; what stands after another may hold a name itself, as in a URL."""
    at = 0
    while match := NAMED.search(text, at):
        at = match.end("name")
        if not sensitive(match["name"]):
            continue
        start = match.end()
        if whole_line(match["name"]) and match["sep"] == ":" and not match["quote"] and not match["closed"]:
            end = _line(text, match.start(), start)
        else:
            end = _value(text, start, match["quote"] or "")
        if not _plausible(text[start:end], text[end : end + 1], match, marker):
            continue
        at = max(end, at)
        yield start, end, f"name:{match['name']}"


def _line(text: str, name: int, start: int) -> int:
    """To the end of a header: of its quote, where it stands in one."""
    before = text[name - 1 : name]
    end = _value(text, start, before) if before in {'"', "'"} and before else 0
    found = LINE.match(text, start)
    return end or (found.end() if found else start)


def _value(text: str, start: int, quote: str) -> int:
    quote = quote.lstrip("rbuf")
    if quote:
        at = text.find(quote, start)
        while at > start and len(quote) == 1 and text[at - 1] == "\\" and text[at - 2 : at - 1] != "\\":
            at = text.find(quote, at + 1)
        if at >= 0 and text.find("\n", start, at) < 0:
            return at
    found = PLAIN.match(text, start)
    return found.end() if found else start


def _plausible(value: str, then: str, match: re.Match[str], marker: str) -> bool:
    """Whether it could be the secret itself rather than a word about one."""
    if not value or value.startswith(marker) or (value[0].isdigit() and counts(match["name"])):
        return False
    if match["quote"]:
        return not (STANDS_FOR.fullmatch(value) and not value[0].isalpha())
    if len(value) < 3 or value == match["name"]:  # `password=password` hands a variable on
        return False
    if counts(match["name"]) and not any(map(str.isdigit, value)):
        return False
    return not (STANDS_FOR.fullmatch(value) or (then == "(" and value.replace(".", "").replace("_", "").isalnum()))


def _blocks(text: str, sensitive: Names) -> Iterator[Span]:
    """YAML's texts of several lines."""
    for match in BLOCK.finditer(text):
        if not sensitive(match["name"]):
            continue
        start = at = match.end() + 1
        least = len(match["indent"]) + 1
        while at < len(text):
            end = text.find("\n", at)
            end = len(text) if end < 0 else end
            line = text[at:end]
            if line.strip() and len(line) - len(line.lstrip()) < least:
                break
            at = end + 1
        body = text[start : min(at, len(text))]
        lead = len(body) - len(body.lstrip())
        yield start + lead, start + len(body.rstrip()), f"name:{match['name']}"
