"""Secrets that are known by their form: keys of providers by their prefix, and private keys in PEM.

A substring is looked for first, so that a text without it costs nothing; then one expression that begins with it.
Every expression is linear: what repeats is of one class, bounded, or begins only where a word does.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import TypeAlias

from agentctl.core.dummies import random

Span: TypeAlias = tuple[int, int, str]
"""From, to, the rule that found it."""

PREFIXES: tuple[tuple[str, str], ...] = (
    ("sk-", r"sk-(?:ant-|proj-|or-|svcacct-|lf-)?[\w-]{20,}"), ("AKIA", "AKIA[A-Z2-7]{16}"),
    ("ASIA", "ASIA[A-Z2-7]{16}"), ("ABIA", "ABIA[A-Z2-7]{16}"), ("ACCA", "ACCA[A-Z2-7]{16}"),
    ("ghp_", "ghp_[A-Za-z0-9]{30,}"), ("gho_", "gho_[A-Za-z0-9]{30,}"), ("ghu_", "ghu_[A-Za-z0-9]{30,}"),
    ("ghs_", "ghs_[A-Za-z0-9]{30,}"), ("ghr_", "ghr_[A-Za-z0-9]{30,}"), ("github_pat_", r"github_pat_\w{22,}"),
    ("glpat-", r"glpat-[\w-]{20,}"), ("gldt-", r"gldt-[\w-]{20,}"), ("glrt-", r"glrt-[\w-]{20,}"),
    ("glptt-", r"glptt-[\w-]{20,}"), ("glsa_", r"glsa_\w{20,}"), ("xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("xapp-", "xapp-[A-Za-z0-9-]{10,}"), ("hooks.slack.com/", r"hooks\.slack\.com/(?:services|workflows)/[\w/]{20,}"),
    ("discord", r"discord(?:app)?\.com/api/webhooks/\d{5,25}/[\w-]{20,}"), ("AIza", r"AIza[\w-]{35}"),
    ("ya29.", r"ya29\.[\w-]{20,}"), ("GOCSPX-", r"GOCSPX-[\w-]{20,}"), ("_live_", r"(?<=[sr]k)_live_[A-Za-z0-9]{16,}"),
    ("_test_", r"(?<=[sr]k)_test_[A-Za-z0-9]{16,}"),
    ("IncomingWebhook/", r"IncomingWebhook/[0-9a-f]{32}[\w/-]*"), ("whsec_", r"whsec_[\w+/=]{20,}"),
    ("SG.", r"SG\.[\w-]{16,64}\.[\w-]{16,}"), ("key-", "key-[0-9a-f]{32}"), ("npm_", "npm_[A-Za-z0-9]{30,}"),
    ("pypi-", r"pypi-[\w-]{40,}"), ("dop_v1_", "dop_v1_[0-9a-f]{64}"), ("doo_v1_", "doo_v1_[0-9a-f]{64}"),
    ("hf_", "hf_[A-Za-z0-9]{30,}"), ("shp", r"shp(?:at|ss|ca|pa)_[0-9a-fA-F]{32}"), ("SK", "SK[0-9a-f]{32}"),
    ("lin_api_", "lin_api_[A-Za-z0-9]{32,}"), ("ntn_", "ntn_[A-Za-z0-9]{30,}"), ("figd_", r"figd_[\w-]{30,}"),
    ("sq0", r"sq0(?:atp|csp)-[\w-]{22,}"), ("dckr_pat_", r"dckr_pat_[\w-]{20,}"), ("ATATT3", r"ATATT3[\w=-]{40,}"),
    ("PMAK-", "PMAK-[0-9a-f-]{40,}"), ("hvs.", r"hvs\.[\w-]{20,}"), ("rubygems_", "rubygems_[0-9a-f]{40,}"),
    ("tskey-", r"tskey-[A-Za-z0-9-]{20,}"), ("dapi", "dapi[0-9a-f]{32}"), ("sntrys_", r"sntrys_[\w=+/-]{30,}"),
    ("nfp_", "nfp_[A-Za-z0-9]{30,}"), ("pscale_", r"pscale_(?:tkn|pw|oauth)_[\w.-]{20,}"), ("xai-", r"xai-\w{40,}"),
    ("gsk_", "gsk_[A-Za-z0-9]{40,}"), ("r8_", "r8_[A-Za-z0-9]{30,}"), ("pplx-", "pplx-[A-Za-z0-9]{30,}"),
    ("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1[A-Z0-9]{50,}"), ("LTAI", "LTAI[A-Za-z0-9]{16,}"),
    ("eyJ", r"(?<![\w-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}"), (":AA", r"(?<=\d):AA[\w-]{33}"),
    ("sbp_", "sbp_[0-9a-f]{40}"), ("EAACEdEose0cBA", "EAACEdEose0cBA[A-Za-z0-9]+"), ("NRAK-", "NRAK-[A-Z0-9]{27}"),
    ("phc_", "phc_[A-Za-z0-9]{40,}"), ("sig=", "sig=[A-Za-z0-9%+/=]{30,}"),
    ("X-Amz-Signature=", "X-Amz-Signature=[0-9a-f]{64}"),
)  # fmt: skip
COMPILED = tuple((head, re.compile(expression), head.strip("_-.:=/").lower()) for head, expression in PREFIXES)


HEADS = (*(head for head, _, _ in COMPILED), *(head[::-1] for head, _, _ in COMPILED))
"""What is looked for first."""


def prefixed(text: str, present: Container[str]) -> Iterator[Span]:
    """Keys that say whose they are; `present` are the `HEADS` in the text, or the text itself."""
    for form in COMPILED:
        if form[0] in present:
            yield from _of_form(text, *form)


def backwards(text: str, present: Container[str]) -> Iterator[Span]:
    """Keys of which the letters stand in reverse."""
    forms = [form for form in COMPILED if form[0][::-1] in present]
    turned = text[::-1] if forms else ""
    for form in forms:
        for start, end, _ in _of_form(turned, *form):
            if random(turned[start:end], LEAST) and (form[0] != "sk-" or not turned[start:end].islower()):
                yield len(text) - end, len(text) - start, "reversed"


def _of_form(text: str, head: str, expression: re.Pattern[str], name: str) -> Iterator[Span]:
    at = text.find(head)
    while at >= 0:
        start, end = _span(text, at, head, expression)
        if end:
            yield start, end, f"prefix:{name}"
        at = text.find(head, max(end, at + len(head)))


def _span(text: str, at: int, head: str, expression: re.Pattern[str]) -> tuple[int, int]:
    """Of the key whose head stands here; nothing where it is the middle of a word."""
    if head not in WITH_FRONT and at and text[at - 1].isalnum() and not _escape(text, at):
        return at, 0
    match = expression.match(text, at)
    return (_front(text, at) if head in WITH_FRONT else at, match.end()) if match else (at, 0)


LEAST = 16
"""Characters of a key in reverse."""
WITH_FRONT = {"_live_", "_test_", ":AA"}
"""What is looked for is not where the key begins."""


def _front(text: str, at: int) -> int:
    while at and (text[at - 1].isalnum()):
        at -= 1
    return at


def _escape(text: str, at: int) -> bool:
    """Whether the letter before is the end of an escape, as in a JSON line end or in `%3D`."""
    return text[at - 2 : at - 1] == "\\" or (at >= 3 and text[at - 3] == "%")


BEGIN = re.compile(r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)? ?-{4,5}")
END = re.compile(r"-{4,5} ?END [A-Z0-9 ]{0,40}?PRIVATE KEY(?: BLOCK)? ?-{4,5}")
BODY = re.compile(r"(?:[A-Za-z0-9+/=:,|>\s-]|\\[nrt]|\\\\[nr]){0,20000}")
PUTTY = re.compile(r"Private-Lines: \d{1,4}\s+(?:[A-Za-z0-9+/=]+\s*?\n?){1,200}")


def pem(text: str) -> Iterator[Span]:
    """Private keys, whole; one without an end as far as its letters go."""
    if "Private-Lines:" in text:
        yield from ((*match.span(), "pem") for match in PUTTY.finditer(text))
    if "PRIVATE KEY" not in text:
        return
    at = 0
    while match := BEGIN.search(text, at):
        end = END.search(text, match.end())
        body = BODY.match(text, match.end())
        at = end.end() if end else body.end() if body else match.end()
        yield match.start(), at, "pem"
