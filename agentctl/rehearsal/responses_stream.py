"""How the Responses API streams one item of its output."""

from collections.abc import Iterator

from agentctl.rehearsal.exchange import Json, as_list, as_object, thirds


def item_events(item: Json, index: int) -> Iterator[Json]:
    """Give the events of one item, from `added` to `done`."""
    place: Json = {"item_id": item["id"], "output_index": index}
    yield {"type": "response.output_item.added", "output_index": index, "item": _begun(item)}
    kind = item["type"]
    if kind == "message":
        yield from _spoken(item, place)
    elif kind == "function_call":
        yield from _called(str(item["arguments"]), place)
    else:
        yield from _thought(item, place)
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _begun(item: Json) -> Json:
    kind = item["type"]
    if kind == "message":
        return item | {"status": "in_progress", "content": list[Json]()}
    if kind == "function_call":
        return item | {"status": "in_progress", "arguments": ""}
    return item | {"summary": list[Json]()}


def _spoken(item: Json, place: Json) -> Iterator[Json]:
    for at, part in enumerate(map(as_object, as_list(item["content"]) or [])):
        if part is None:
            continue
        where = place | {"content_index": at}
        refused = part["type"] == "refusal"
        key, kind = ("refusal", "refusal") if refused else ("text", "output_text")
        extra: Json = {} if refused else {"logprobs": []}
        text = str(part[key])
        yield {"type": "response.content_part.added", **where, "part": part | {key: ""}}
        for delta in thirds(text):
            yield {"type": f"response.{kind}.delta", **where, "delta": delta, **extra}
        yield {"type": f"response.{kind}.done", **where, key: text, **extra}
        yield {"type": "response.content_part.done", **where, "part": part}


def _called(arguments: str, place: Json) -> Iterator[Json]:
    for delta in thirds(arguments):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": delta}
    yield {"type": "response.function_call_arguments.done", **place, "arguments": arguments}


def _thought(item: Json, place: Json) -> Iterator[Json]:
    for at, part in enumerate(map(as_object, as_list(item["summary"]) or [])):
        if part is None:
            continue
        where, text = place | {"summary_index": at}, str(part["text"])
        start = part | {"text": ""}
        yield {"type": "response.reasoning_summary_part.added", **where, "part": start}
        for delta in thirds(text):
            yield {"type": "response.reasoning_summary_text.delta", **where, "delta": delta}
        yield {"type": "response.reasoning_summary_text.done", **where, "text": text}
        yield {"type": "response.reasoning_summary_part.done", **where, "part": part}
