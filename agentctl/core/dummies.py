"""What is written where a secret would be and is none: variables, types, words; and what looks like no word."""

from __future__ import annotations

import re

STANDS_FOR = re.compile(
    r"""(?ix) \$\{[a-z_].* | \$[a-z_]\w*(?:[:/.\s"'&;].*)? | \$\(.* |
    <[\w\s.:/,|-]{1,80}>.* | \{\{.* | %\(?[a-z_]\w*[)%].* | \*{2,}.* | x{3,} | \.{3,} | …+ | -+ |
    (?:none|null|nil|true|false|undefined|required|optional|string|str|int|number|bytes?|bool|boolean|yes|no|empty|
       unset|missing|invalid|expired|hidden|redacted|masked|changeme|todo|tbd|any|object|the|a|an|is|was|are|not|see|
       must|should|for|from|your|and|or|to|in|of|it|ok|failed|rejected|accepted|incorrect|wrong|env|text|varchar|
       expected|unexpected|got|await|new|yield|return|default|unknown|reads|has|will|can|cannot|never|found|on|off)
    [.,!?;:)]? | (?:your|my|the|some|example|placeholder)[_-]\D* |
    (?:os|process|self|this|cls|config|settings|env|environ|request|args|kwargs|secrets|vault|ctx|options|params|data|
       var|local|module|std|import\.meta)(?:\.[a-z_]\w*)+ .* | [a-z_]\w*\.(?:env|environ)\b.* | \[REDACTED.*"""
)
SIGN = re.compile(r"[\d~!#%^*]")
LETTER = re.compile(r"[^\W\d_]")
SCHEME = re.compile(r"(?:Bearer|Basic|Token|Digest|ApiKey) ", re.IGNORECASE)


def stands_for(value: str) -> bool:
    """Whether it only stands for a secret."""
    return STANDS_FOR.fullmatch(value) is not None


def header_stands_for(value: str) -> bool:
    """`stands_for` for the rest of a header's line."""
    scheme = SCHEME.match(value)
    return stands_for(value[scheme.end() if scheme else 0 :].strip())


def random(value: str, least: int) -> bool:
    """Whether it looks like a generated value of at least so many characters: no word, path or address."""
    return (
        len(value) >= least
        and SIGN.search(value) is not None
        and LETTER.search(value) is not None
        and not value.startswith(("/", "./", "~", "http", "$", "<", "{", "@", "%("))
    )
