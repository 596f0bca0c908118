"""What is sealed: the exact words that a resumed run must be able to send again, where scrubbing changed them.

An original is JSON. It is needed only where the event does not say the same: where something was masked, cut, or must
be echoed unchanged (thinking, signatures).
"""

from __future__ import annotations

import json

from agentctl.core.messages import Block, JsonObject, Message, Text, Thinking, ToolUse, is_object


def of_message(message: Message) -> str:
    """A reply, with everything that has to be echoed."""
    return json.dumps({"blocks": [_block(block) for block in message.blocks], "raw": list(message.raw)})


def to_message(text: str, maker: str) -> Message:
    """The reply that `of_message` wrote."""
    data = json.loads(text)
    return Message("assistant", tuple(_to_block(block) for block in data["blocks"]), maker, tuple(data["raw"]))


def _block(block: Block) -> JsonObject:
    match block:
        case Text(text=text):
            return {"kind": "text", "text": text}
        case Thinking(text=text):
            return {"kind": "thinking", "text": text}
        case ToolUse() as use:
            return {
                "kind": "call",
                "call_id": use.call_id,
                "wire_id": use.wire_id,
                "name": use.name,
                "args": use.args,
                "garbled": use.garbled,
            }
        case _:
            raise TypeError(f"{type(block).__name__} is no part of a reply")


def _to_block(data: JsonObject) -> Block:
    match data:
        case {"kind": "text", "text": str(text)}:
            return Text(text)
        case {"kind": "thinking", "text": str(text)}:
            return Thinking(text)
        case {
            "call_id": str(call_id),
            "wire_id": str(wire_id),
            "name": str(name),
            "args": args,
            "garbled": str(garbled),
        }:
            return ToolUse(call_id, wire_id, name, args if is_object(args) else None, garbled)
        case _:
            raise ValueError("a sealed reply holds something else")
