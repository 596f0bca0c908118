"""What reads like an order to the model in words that should only inform it. Advice: it decides nothing. D20-D22

Patterns find a part of the injections and flag some harmless texts, whoever writes them; so a hit is logged and
counted, and the gate looks elsewhere (`guards/trust.py`). Every pattern takes linear time, and what is quoted is a
mention, not an order.
"""

from __future__ import annotations

import re

from agentctl.core.wrapping import bracket, double, template, visible
from agentctl.records import dataclass

MOST = 200_000
"""Characters that are looked at: the head and the tail of what is longer."""
_RULES = r"(?:instructions?|prompts?|rules?|directions?|guidelines?|orders|commands|messages?|context)"
_BEFORE = r"(?:previous|prior|above|earlier|preceding|foregoing|existing|original|initial|system|developer)"


@dataclass(frozen=True, slots=True)
class Pattern:
    """One kind of injection: a word that must be there, so that most texts need no search, and what it looks like."""

    kind: str
    words: tuple[str, ...]
    look: re.Pattern[str]


def _pattern(kind: str, words: str, *looks: str) -> Pattern:
    return Pattern(kind, tuple(words.split()), re.compile("|".join(looks), re.IGNORECASE))


PATTERNS = (
    _pattern(
        "override",
        "ignore disregard forget override bypass",
        rf"\b(?:ignore|disregard|forget|override|bypass) "
        rf"(?:(?:all|any|the|your|of|every|these|those|everything) ){{0,3}}"
        rf"{_BEFORE} (?:(?:and|or|system|developer|safety|user) ){{0,2}}(?:{_BEFORE} )?{_RULES}\b",
        r"\b(?:ignore|disregard|forget) (?:all|everything) (?:that )?"
        r"(?:you(?: were| have been|'ve been)?|i|we) (?:told|said|were told|written)\b",
        rf"\b(?:ignore|disregard|forget|override) (?:(?:all|any|of) ){{0,2}}your {_RULES}\b",
    ),
    _pattern(
        "role",
        "you pretend act",
        r"\byou are (?:now|no longer) (?:a |an |the |in |bound |running )?"
        r"(?:dan\b|developer mode|debug mode|jailbroken|unrestricted|unfiltered|admin|root|system|evil|"
        r"different ai|new ai|free of|bound by|ai\b)",
        r"\b(?:pretend|act) (?:to be|as|as if|like) (?:you (?:are|have) )?(?:an? |the )?"
        r"(?:dan\b|unrestricted|unfiltered|no (?:rules|restrictions)|jailbroken)",
    ),
    _pattern(
        "new_instructions",
        "instruction ai llm",
        r"\b(?:new|updated|real|actual|true|secret|important) (?:system )?instructions? "
        r"(?:for|to) (?:you|the (?:ai|assistant|model|agent|llm|bot|chatbot))\b",
        r"\b(?:attention|note|message|instructions?|important)[,:]? (?:to |for )?(?:the |any |all )?"
        r"(?:ai|llm|language model)s?(?: agents?| assistants?| models?)?(?: reading (?:this|the) [a-z]{1,12})?:",
        r"\b(?:your|the) new instructions? (?:are|is)\b",
    ),
    _pattern(
        "prompt_leak",
        "prompt instructions system",
        r"\b(?:reveal|print|repeat|show|output|display|leak|recite|tell me|give me|send(?: me)?) "
        r"(?:(?:me|us|all|of|back) ){0,3}(?:your|the) (?:(?:entire|full|exact|hidden|secret|initial|original) ){0,2}"
        r"(?:system prompt|system message|hidden prompt|initial prompt|system instructions|"
        r"instructions above|instructions verbatim)",
    ),
    _pattern(
        "exfiltrate",
        "send post mail upload forward exfiltrate transmit",
        r"\b(?:send|post|email|e-mail|upload|forward|exfiltrate|transmit) "
        r"(?:(?:all|any|the|your|every|of|me|us|user's|its|their|contents?) ){0,4}"
        r"(?:conversation|chat history|api keys?|secrets?|passwords?|credentials|env(?:ironment)? variables|"
        r"private data|customer data|tokens|session cookies?|ssh keys?)(?: [a-z,]{1,12}){0,6} to "
        r"(?:https?:|[\w.+-]{1,64}@|attacker|this (?:url|address|server|webhook)|the following)",
    ),
    _pattern(
        "conceal",
        "user",
        r"\b(?:do not|don't|never|without) "
        r"(?:tell(?:ing)?|inform(?:ing)?|mention(?:ing)?|notify(?:ing)?|alert(?:ing)?|reveal(?:ing)?)"
        r"(?: (?:this|it|any of this|that))?(?: to)? the user\b(?! (?:that|whether|which|how|about|his|her|their))",
    ),
    _pattern(
        "steer",
        "tool function",
        r"\b(?:you must|you should now|immediately|now|instead,?|please) (?:call|use|invoke|run|execute) the "
        r"[\w.`'\"]{1,40} (?:tool|function) (?:to|with|and)\b",
    ),
)
hidden = re.compile("[\U000e0020-\U000e007e]{4,}|[\u200b\u200c\u200d\u2060\ufeff]{8,}|[\u202a-\u202e\u2066-\u2069]{2,}")
spaces = re.compile(r"\s+")
opened = re.compile(r"""(?:^|[\s(\[,:>*_-])["'`\u201c\u201d\u2018\u00ab\u201e][^"`\u201d\u00bb\n]*$""")
closed = re.compile(r"""[^"`\u201c\u00ab\n]*?["'`\u201d\u2019\u00bb\u201c](?=[\s).,;:!?\]*_<-]|$)""")
"""Quotation marks around a mention; an apostrophe is none."""
pretended = re.compile(
    r"\n[ \t]*\n[ \t]*(?:Human|Assistant):[ \t]"
    r"|</?(?:tool_result|function_results|function_calls|system|system-reminder)>"
)


def suspected(text: str) -> tuple[str, ...]:
    """The kinds of injection that a text looks like; none for most."""
    if len(text) > MOST:
        text = f"{text[: MOST // 2]}\n{text[-MOST // 2 :]}"
    kinds = ["hidden"] if not text.isascii() and hidden.search(text) else []
    seen = visible(text)
    if any(_ordered(seen, look) for look in (template, double, bracket, pretended)):
        kinds.append("template")
    flat = spaces.sub(" ", seen)
    lower = flat.lower()
    near = (pattern for pattern in PATTERNS if any(word in lower for word in pattern.words))
    return (*kinds, *(pattern.kind for pattern in near if _ordered(flat, pattern.look)))


def _ordered(text: str, look: re.Pattern[str]) -> bool:
    """Whether it stands there as such: not between quotes."""
    return any(not _quoted(text, found) for found in look.finditer(text))


def _quoted(text: str, found: re.Match[str]) -> bool:
    before, after = text[max(0, found.start() - 60) : found.start()], text[found.end() : found.end() + 120]
    return opened.search(before) is not None and closed.match(after) is not None
