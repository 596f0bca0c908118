"""Making a scripted reply ready: calls filtered, figures counted, thoughts signed."""

from hashlib import blake2b

from agentctl.rehearsal.exchange import Asked, Called, Figures, Said, encode
from agentctl.rehearsal.prefix import Prompt, Sealer, text_tokens
from agentctl.rehearsal.script import Fault, Reply, Stop

NO_CALLS_TEXT = "Here is what I have so far."
"""Said in place of calls that the request rules out."""


def identity(seed: int, run: str, asked: int, number: int) -> str:
    """Name a reply: the same for the same place in the same rehearsal, never the same twice."""
    return blake2b(f"{seed}/{run}/{asked}/{number}".encode(), digest_size=12).hexdigest()


def said(
    reply: Reply,
    asked: Asked,
    *,
    ident: str,
    figures: Figures,
    prompt: Prompt | None,
    sealer: Sealer,
    fault: Fault | None,
) -> Said:
    """Make a reply ready to be sent."""
    calls = _calls(reply, asked, broken=fault is not None and fault.kind == "bad_args")
    text = reply.text or ("" if calls or not reply.calls else NO_CALLS_TEXT)
    thought = reply.thinking if asked.thinking != "off" and prompt is not None else ""
    shown = thought if asked.thinking == "full" else ""
    signature = ""
    if thought and prompt is not None:
        signature = sealer.sign(asked.model, prompt.digests[-1], shown)
    return Said(
        ident=ident,
        text=text,
        calls=calls,
        stop=_stop(reply, calls),
        figures=_spent(figures, reply, text, calls, thought),
        thinking=shown,
        signature=signature,
        absurd=fault.usage if fault is not None and fault.kind == "absurd_usage" else "",
    )


def _calls(reply: Reply, asked: Asked, *, broken: bool) -> tuple[Called, ...]:
    made: list[Called] = []
    for call in reply.calls[: asked.calls]:
        text = encode(call.args)
        if broken:
            text = text[:-1] or "{"
        made.append(Called(call.tool, text if broken else call.args, text))
    return tuple(made)


def _stop(reply: Reply, calls: tuple[Called, ...]) -> Stop:
    if reply.stop is None or reply.stop == "tool_use":
        return "tool_use" if calls else "end_turn"
    return reply.stop


def _spent(figures: Figures, reply: Reply, text: str, calls: tuple[Called, ...], thought: str) -> Figures:
    usage = reply.usage
    thinking = text_tokens(thought)
    output = None if usage is None else usage.output
    if output is None:
        spoken = text_tokens(text) + sum(text_tokens(call.name + call.text) for call in calls)
        output = max(1, spoken + thinking)
    return Figures(
        figures.fresh,
        figures.read,
        figures.write_5m,
        figures.write_1h,
        output,
        min(thinking, output),
    )
