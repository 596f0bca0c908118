"""How a text reads once its disguises are off, so that a copy is known in another dress.

A model that obeys somebody else's words writes them its own way: it decodes what was encoded, closes up what was
spaced, and leaves out what can't be seen. Texts and arguments are read alike, so what is equal stays equal.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

from agentctl.core.wrapping import visible

LEAST_ENCODED = 16
"""Characters of base64 that are decoded: what says twelve characters."""
LEAST_NUMBER, LONGEST_NUMBER = 10, 64
"""Letters and digits of an account, a card or a telephone number, however it is grouped."""
LEAST_DIGITS = 6
MOST_NUMBERS = 200
"""Numbers of one text that are looked for."""

blanks = re.compile(r"\s+")
escape = re.compile(r'\\(?:u(?P<code>[0-9a-fA-F]{4})|[nrt]|(?P<kept>["/\\]))')
joiners = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u200c\u200d\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
encoded = re.compile(rf"(?<![\w+/])[A-Za-z0-9+/_-]{{{LEAST_ENCODED},}}={{0,2}}")
separators = re.compile(r"[\W_]+")
word = re.compile(rf"[^\W_]{{{LEAST_NUMBER},{LONGEST_NUMBER}}}")
authority = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}:|^\s?)//(?P<all>[^\s/?#\"'<>]{1,300})")
host = re.compile(r"(?P<host>\[[0-9a-f:.]{2,45}\]|[\w.-]{1,253})(?::\d{0,5})?")
bare = re.compile(
    r"\s?(?P<host>(?:[\w-]{1,63}\.){1,20}[\w-]{1,63}\.?|\[?[0-9a-f:]{2,39}\]?)(?::\d{1,5})?(?:[/?#]\S*)?\s?"
)
mail = re.compile(r"(?<![\w.%+-])[a-z0-9._%+-]{1,64}@[\w.-]{1,253}\w")


def normalised(text: str) -> str:
    """Decoded, without case, each run of blanks as one space, without what can't be seen."""
    if "&" in text:
        import html  # its table of names is large, and most texts have none

        text = html.unescape(text)
    if "%" in text:
        text = unquote(text)
    if "\\" in text:
        text = escape.sub(_unescaped, text)
    text = visible(text)
    if not text.isascii():
        text = joiners.sub("", unicodedata.normalize("NFKC", text)).replace("\u3002", ".")
    return blanks.sub(" ", text).casefold()


def _unescaped(found: re.Match[str]) -> str:
    return found["kept"] or (chr(int(found["code"], 16)) if found["code"] else " ")


def hidden(text: str) -> Iterator[str]:
    """What stands in a text as base64."""
    for found in encoded.finditer(text):
        plain = found[0].rstrip("=").replace("-", "+").replace("_", "/")
        try:
            said = base64.b64decode(plain + "=" * (-len(plain) % 4)).decode()
        except (binascii.Error, ValueError):
            continue
        if said.replace("\n", "").isprintable():
            yield said


def tight(words: str) -> str:
    """Normalised text without anything between its letters and digits."""
    return separators.sub("", words)


def numbers(words: str) -> Iterator[str]:
    """The accounts, cards and telephone numbers of an argument, without what groups them."""
    whole = tight(words) if len(words) <= 2 * LONGEST_NUMBER else ""
    for each in (whole, *(found[0] for found, _ in zip(word.finditer(words), range(MOST_NUMBERS), strict=False))):
        if LEAST_NUMBER <= len(each) <= LONGEST_NUMBER and sum(map(str.isdigit, each)) >= LEAST_DIGITS:
            yield each


def recipients(words: str, *, bare_hosts: bool) -> Iterator[str]:
    """The hosts and mail addresses in normalised text. `bare_hosts`: also where the whole text is no more than one."""
    for found in authority.finditer(words):
        # Who reads "\" as "/", and which "@" counts, differs from client to client.
        *before, last = re.split(r"[@\\]", found["all"])
        for part in (*(each for each in before if "." in each or ":" in each), last):
            if at := host.match(part):
                yield at["host"].rstrip(".")
    for found in mail.finditer(words):
        yield found[0]
    if bare_hosts and (whole := bare.fullmatch(words)):
        yield whole["host"].rstrip(".")


def forms(name: str) -> tuple[str, ...]:
    """The ways in which the same host is written: as it is, in Punycode and back, each notation of an address."""
    found = [name.strip("[]")]
    try:
        if not name.isascii():
            found.append(name.encode("idna").decode())
        elif "xn--" in name:
            found.append(name.encode().decode("idna"))
    except UnicodeError:
        pass
    return tuple(dict.fromkeys((*found, *_addresses(found[0]))))


def _addresses(name: str) -> Iterator[str]:
    import ipaddress  # most runs never look at one

    try:
        number = int(name, 0) if re.fullmatch(r"\d{8,10}|0x[0-9a-f]{1,8}", name) else None
        at = ipaddress.ip_address(name if number is None else number)
    except ValueError:
        return
    mapped = at.ipv4_mapped if isinstance(at, ipaddress.IPv6Address) else None
    for each in (at, mapped):
        if each is not None:
            yield from (str(each), each.exploded, str(int(each)))
