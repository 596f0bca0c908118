"""How large a text will be in a prompt, before anybody has counted it.

No tokenizer: none is public for current Claude models, and the others cost tens of megabytes. UTF-8 bytes over a ratio
come close enough, because only what is new is ever estimated: each reply says how large its prompt was, and the next
request is that figure and the estimate of what came since (`core/guards/context.py`). Over runs of 60 results of some
2,000 tokens (prose, code, JSON, logs, Japanese and Chinese, base64), counted by OpenAI's tokenizers, the next prompt is
off by 0.4 to 4.6 % on average and by 2,000 tokens at most. A ratio that learns from each reply brings results of one
kind to 0.1 to 1.8 %, leaves mixed ones at 2 % and the worst case, which is a first result, where it was: not worth a
state that a resume would have to rebuild.
"""

from __future__ import annotations

BYTES_PER_TOKEN = 3.2


def count(text: str) -> int:
    """The tokens of a text, estimated. A text of one character has one at least. H7"""
    return -int(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
