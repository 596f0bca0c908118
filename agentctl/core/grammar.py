"""Secrets that are known by where they stand: in a URL, a header, a command line, or after a name.

A literal is looked for first; only where it stands is its expression tried. Every expression is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from agentctl.core.dummies import stands_for
from agentctl.core.named import SensitiveNames, low, named
from agentctl.core.tokenforms import Span

PROGRAMS = r"\b(?:mysql\w{0,9}|sshpass|redis-cli|mongo\w{0,6}|psql|docker login|az login|ldap\w{3,7})\b"
PASSED = r"""[^\n|;&]{0,200}?\s-[paw] ?(?P<quote>["']?)(?P<value>[^\s"'-][^\s"']{2,})"""
FORMS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("header", ("bearer", "basic"), r"\b(?:Bearer|Basic)(?:[ \t]|%20|\\[nt]){1,3}(?P<value>[A-Za-z0-9._~+/=\-]{8,})"),
    ("url", ("://",), r"""://[^\s/:@"'<>]{0,256}:(?P<value>[^\s/@"'<>]{1,256})@"""),
    ("url", ("://",), r"://(?P<value>[A-Za-z0-9_\-]{20,256})@"),
    ("url", ("jdbc:oracle:thin:",), r"jdbc:oracle:thin:\w{1,64}/(?P<value>[^\s@]{1,256})@"),
    ("command line", (" -u", "--user", "--proxy-user", "\n-u"),
     r"""\s?(?:-u|--user|--proxy-user)[ =]?["']?[^\s:"']{1,128}:(?P<value>[^\s"']{1,256})"""),
    ("command line", ("mysql", "sshpass", "redis-cli", "mongo", "psql", "docker login", "az login", "ldap"),
     PROGRAMS + PASSED),
    ("command line", ("smbclient",),
     r"smbclient\b[^\n|;&]{0,200}?\s-U ?[^\s%]{1,64}%(?P<value>[^\s\"']{1,500})"),
    ("command line", ("htpasswd",),
     r"htpasswd\s(?:\S{1,64}\s){0,4}-\w{0,6}b\w{0,6}\s(?:\S{1,200}\s){2}(?P<value>\S{1,500})"),
    ("command line", ("net user",), r"net user \S{1,64} (?P<value>[^\s/*]\S{5,200}) /add"),
    ("command line", ("echo ",),
     r"""echo (?:-n )?["']?[^\s:"']{1,64}:(?P<value>[^\s"']{1,500})["']? ?\| ?(?:sudo )?chpasswd"""),
    ("command line", ("echo ",),
     r"""echo (?:-n )?["']?(?P<value>[^\s"'|]{6,4000})["']? ?\|[^\n|]{1,200}--password-stdin"""),
    ("command line", ("convertto-securestring",),
     r"""ConvertTo-SecureString (?:-String )?["'](?P<value>[^"'\n]{1,500})"""),
    ("command line", ("::add-mask::",), r"::add-mask::(?P<value>\S{1,4000})"),
    ("command line", ("login",), r"\blogin\s+\S{1,128}\s+password\s+(?P<value>\S{1,500})"),
    ("command line", ("identified by", "with password"),
     r"(?:IDENTIFIED BY|WITH PASSWORD) ['\"](?P<value>[^'\"\n]{1,500})"),
)  # fmt: skip
COMPILED = tuple((rule, heads, re.compile(form, re.IGNORECASE)) for rule, heads, form in FORMS)
HEADS = (*(head for _, heads, _ in COMPILED for head in heads), ":*:", ":5432:")
"""What is looked for first, in lower case."""
GLANCE = 200
"""Characters of a value that tell whether it stands for one."""
LONG_WORD = 20
PGPASS = re.compile(
    r"""(?:^|(?<=[\s"'+>|n]))[^:\s"'+]{1,64}:(?:\d{4,5}|\*):[^:\s]{1,64}:[^:\s]{1,64}:(?P<value>[^\s"'\\]{6,256})(?=[\s"'\\]|$)"""
)


def grammar(text: str, names: SensitiveNames, marker: str, present: Container[str] | None = None) -> Iterator[Span]:
    """All of it. What begins with the marker is masked already; `present` are the `HEADS` in the text."""
    for start, end, rule in _all(text, names, marker, present):
        if end > start and not text.startswith(marker, start):
            yield start, end, rule


def _all(text: str, names: SensitiveNames, marker: str, present: Container[str] | None) -> Iterator[Span]:
    lower = low(text)
    yield from named(text, lower, names, marker)
    stands = lower if present is None else present
    for rule, heads, expression in COMPILED:
        for head in heads:
            if head in stands:
                yield from _at(head, expression, text, lower, rule)
    if ":*:" in stands or ":5432:" in stands:
        yield from ((*match.span("value"), "line of .pgpass") for match in PGPASS.finditer(text))


def _at(head: str, expression: re.Pattern[str], text: str, lower: str, rule: str) -> Iterator[Span]:
    at = lower.find(head)
    while at >= 0:
        match = expression.match(text, at)
        after = at + len(head)
        if match and not stands_for(match["value"][:GLANCE]) and _secret(match["value"], rule, match[0]):
            yield *match.span("value"), rule
            after = max(after, match.end("value"))
        at = lower.find(head, after)


def _secret(value: str, rule: str, whole: str) -> bool:
    """Not a word of a sentence after `Basic`, nor a number after a number, as in `-u 1000:1000`."""
    if rule == "header":
        return not (value.replace("_", "").isalpha() and value.islower() and len(value) < LONG_WORD)
    return not (value.isdigit() and whole.removesuffix(":" + value)[-1:].isdigit() and "://" not in whole)
