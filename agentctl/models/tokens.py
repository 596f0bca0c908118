"""How large a request will be, before anybody has counted it.

No tokenizer: none is public for current Claude models, and the others cost tens of megabytes. UTF-8 bytes over a ratio
that each reply corrects come close enough for guards that keep a margin.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from agentctl.core.messages import Message, Request, Text, ToolAnswer, ToolSchema, ToolUse
from agentctl.models.wire import encode

LEAST, MOST = 1.5, 6.0
WEIGHT = 0.3
"""How much the newest reply says over all before it."""
SMALLEST_SAMPLE = 256
"""Prompts below this many tokens are mostly overhead and say little about the text."""
PER_MESSAGE = 4
PER_BLOCK = 6
PER_TOOL = 12


@dataclass(frozen=True, slots=True)
class Estimator:
    """Bytes per token of one model, as far as it has been seen."""

    bytes_per_token: float = 3.2

    def count(self, text: str) -> int:
        """The tokens of a text."""
        return -int(-len(text.encode("utf-8", "replace")) // self.bytes_per_token)

    def message(self, message: Message) -> int:
        """The tokens of one message, with what it is wrapped in."""
        if message.raw:
            return PER_MESSAGE + self.count(encode(message.raw).decode())
        return PER_MESSAGE + sum(PER_BLOCK + self.count(text) for text in texts(message))

    def messages(self, messages: Iterable[Message]) -> int:
        """The tokens of some messages."""
        return sum(self.message(message) for message in messages)

    def tools(self, tools: Iterable[ToolSchema]) -> int:
        """The tokens of tool definitions."""
        return sum(
            PER_TOOL
            + self.count(tool.name)
            + self.count(tool.description)
            + self.count(encode(tool.parameters).decode())
            for tool in tools
        )

    def request(self, request: Request) -> int:
        """The tokens of a whole prompt."""
        return self.count(request.system) + self.tools(request.tools) + self.messages(request.history.messages)

    def observe(self, bytes_sent: int, prompt_tokens: int) -> Estimator:
        """What a reply taught: so many bytes were so many tokens."""
        if prompt_tokens < SMALLEST_SAMPLE or bytes_sent <= 0:
            return self
        seen = min(max(bytes_sent / prompt_tokens, LEAST), MOST)
        blended = (1 - WEIGHT) * self.bytes_per_token + WEIGHT * seen
        return replace(self, bytes_per_token=min(max(blended, LEAST), MOST))


def texts(message: Message) -> Iterable[str]:
    """What a message has that is sent."""
    for block in message.blocks:
        match block:
            case Text() | ToolAnswer():
                yield block.text
            case ToolUse():
                yield block.name + encode(block.args or {}).decode()
            case _:
                pass  # thinking is sent only in `raw`
