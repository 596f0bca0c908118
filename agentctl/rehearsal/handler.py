"""What happens to one request: the door, the fault that befalls it, the checks, the reply.

Rules
- A request is counted, and its fault known, before it is read: a limit does not look at bodies.
- A reply is played when the client receives all of it. Faults that spoil it put it back before they
  are sent, so that a quick retry already finds it.
- The prompt is measured only when something depends on it; a scripted `usage` spares the work.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus
from typing import Literal

from agentctl.rehearsal import anthropic, chat
from agentctl.rehearsal.anthropic_checks import check_count
from agentctl.rehearsal.cache import Cache, Found
from agentctl.rehearsal.call import Api, Call, Seen, address, door
from agentctl.rehearsal.compose import identity, said
from agentctl.rehearsal.diagnosis import Diagnoses
from agentctl.rehearsal.exchange import (
    Answer,
    Asked,
    Figures,
    Json,
    RefusedError,
    Said,
    Wire,
    encode,
)
from agentctl.rehearsal.faults import INSTEAD, PLAYED, STREAM, instead, spoiled
from agentctl.rehearsal.openai_checks import PAID_WRITES
from agentctl.rehearsal.player import Player
from agentctl.rehearsal.prefix import Prompt, Seal, Sealer, measure
from agentctl.rehearsal.script import Reply, Script
from agentctl.rehearsal.wire import Peer, Request

MOST_SEEN = 10_000


class Handler:
    """Answers the requests of one server."""

    def __init__(
        self,
        script: Script,
        *,
        keep_bodies: bool,
        context_tokens: int | None,
        seed: int,
        clock: Callable[[], float],
        secret: bytes,
    ) -> None:
        """Begin at the beginning of the script, with an empty cache."""
        self.seen: deque[Seen] = deque(maxlen=MOST_SEEN)
        self.player = Player(script)
        self._keep_bodies = keep_bodies
        self._context_tokens = context_tokens
        self._seed = seed
        self._sealer = Sealer(seed)
        self._clock = clock
        self.cache = Cache(clock, secret)
        self._diagnoses = Diagnoses()
        self._served = 0

    async def serve(self, peer: Peer, request: Request) -> None:
        """Answer one request."""
        self._served += 1
        ident = f"req_{self._served:024x}"
        call = address(request, ident)
        if call is None:
            wire: Wire = anthropic if "anthropic-version" in request.headers else chat
            lost = RefusedError(f"Not found: {request.path}", status=HTTPStatus.NOT_FOUND)
            await peer.send(Answer(lost.status, (wire.error(lost, ident),)))
            return
        try:
            door(request)
            if call.api == "count_tokens":
                await self._count(peer, call)
            else:
                number = self.player.count(call.run, call.provider)
                fault = self.player.fault(call.provider, number)
                await self._converse(peer, replace(call, fault=fault))
        except RefusedError as refused:
            answer = Answer(refused.status, (call.wire.error(refused, ident),))
            await self._send(peer, call, answer)

    async def _count(self, peer: Peer, call: Call) -> None:
        body = call.body()
        check_count(body, call.request.headers)
        tokens = measure(anthropic.pieces(body)).tokens
        await self._send(peer, call, Answer(200, (encode({"input_tokens": tokens}).encode(),)))

    async def _converse(self, peer: Peer, call: Call) -> None:
        fault = call.fault
        if fault is not None and fault.kind in INSTEAD:
            answer = instead(fault, call.wire, call.ident, stream=call.streams)
            await self._send(peer, call, answer)
            return
        body = call.body()
        asked = call.wire.check(body, call.request.headers)
        prompt = self._looked_at(call, body, asked)
        if asked.prewarm:
            await self._warm(peer, call, body, asked)
            return
        asked_before = self.player.asked(call.run)
        turn = self.player.take(call.run, call.provider)
        played = False
        try:
            # A cache is looked into when the request comes, and can be read once the reply begins.
            prompt, found = self._found(call, body, asked, turn.reply, prompt)
            if turn.reply.delay_s and await peer.leaves_within(turn.reply.delay_s):
                self._note(call, 0)
                return
            ident = identity(self._seed, call.run, asked_before, turn.number)
            self.cache.store(found)
            answer = self._answer(call, body, asked, reply=turn.reply, prompt=prompt, found=found, ident=ident)
            if fault is None or fault.kind in PLAYED:
                played = True
                played = await self._send(peer, call, answer)
                return
        finally:
            if not played:
                self.player.put_back(call.run, turn)
        await self._send(peer, call, spoiled(answer, fault, call.wire))

    def _looked_at(self, call: Call, body: Json, asked: Asked) -> Prompt | None:
        """Measure the prompt where it must be judged: by its size, or by its signatures."""
        if self._context_tokens is None and not asked.sealed:
            return None
        prompt = measure(call.wire.pieces(body))
        if self._context_tokens is not None and prompt.tokens > self._context_tokens:
            raise call.wire.too_long(prompt.tokens, self._context_tokens)
        broken = self._sealer.broken(prompt, asked.model, drop_moved=asked.drop_changed)
        if broken is not None:
            raise _unsealed(call.api, *broken)
        return prompt

    def _found(
        self, call: Call, body: Json, asked: Asked, reply: Reply, prompt: Prompt | None
    ) -> tuple[Prompt | None, Found]:
        """The prompt, measured where something depends on it, and what the cache has to say about it."""
        scripted = reply.usage is not None and reply.usage.input is not None
        if prompt is None and (reply.thinking or not scripted):
            prompt = measure(call.wire.pieces(body))
        return prompt, self._priced(call, asked, reply, prompt)

    def _answer(
        self,
        call: Call,
        body: Json,
        asked: Asked,
        *,
        reply: Reply,
        prompt: Prompt | None,
        found: Found,
        ident: str,
    ) -> Answer:
        spoken = said(
            reply,
            asked,
            ident=ident,
            figures=found.figures,
            prompt=prompt,
            sealer=self._sealer,
            fault=call.fault,
        )
        if call.api == "messages":
            spoken = replace(spoken, diagnostics=self._diagnoses.of(body, call.request.headers, ident))
        if asked.stream:
            answer = Answer(200, call.wire.events(spoken, asked, body), STREAM)
        else:
            answer = Answer(200, (call.wire.whole(spoken, asked, body),))
        if call.fault is not None and call.fault.kind == "slow":
            return spoiled(answer, call.fault, call.wire)
        return answer

    def _priced(self, call: Call, asked: Asked, reply: Reply, prompt: Prompt | None) -> Found:
        usage = reply.usage
        if prompt is None or (usage is not None and usage.input is not None):
            if usage is None or usage.input is None:
                return Found(Figures())
            return Found(Figures(usage.input, usage.cache_read, usage.cache_write))
        return self._split(call, asked, prompt)

    def _split(self, call: Call, asked: Asked, prompt: Prompt) -> Found:
        scope = f"{call.api}/{call.provider}/{asked.model}"
        if call.api != "messages":
            if PAID_WRITES.match(asked.model):
                return self.cache.look_breakpoints(prompt, scope, implicit=asked.implicit)
            return self.cache.look_automatic(prompt, scope)
        if not asked.marked:
            return Found(Figures(prompt.tokens))
        return self.cache.look_marked(prompt, scope, asked.model, asked.cache_config)

    async def _warm(self, peer: Peer, call: Call, body: Json, asked: Asked) -> None:
        """Fill the cache and say nothing. No reply is played."""
        found = self._split(call, asked, measure(call.wire.pieces(body)))
        self.cache.store(found)
        nothing = Said(call.ident[4:], "", (), "max_tokens", found.figures)
        whole = call.wire.whole(nothing, asked, body)
        await self._send(peer, call, Answer(200, (whole,)))

    async def _send(self, peer: Peer, call: Call, answer: Answer) -> bool:
        self._note(call, answer.status)
        name = "request-id" if call.wire is anthropic else "x-request-id"
        return await peer.send(replace(answer, headers=((name, call.ident), *answer.headers)))

    def _note(self, call: Call, status: int) -> None:
        body = None
        if self._keep_bodies:
            try:
                body = call.body()
            except RefusedError:
                body = None
        self.seen.append(
            Seen(
                provider=call.provider,
                run=call.run,
                api=call.api,
                status=status,
                fault=call.kind,
                at=self._clock(),
                headers=call.request.headers,
                body=body,
            )
        )


def _unsealed(api: Api, seal: Seal, verdict: Literal["forged", "moved"]) -> RefusedError:
    """Refuse a thought that was altered, or whose prefix was."""
    changed = "the tools, the system prompt or a message before it changed since it was produced"
    if api == "messages":
        if verdict == "forged":
            return RefusedError(f"{seal.where}: Invalid `signature` in `thinking` block")
        return RefusedError(f"{seal.where}: `thinking` block does not belong here: {changed}")
    why = "it was altered" if verdict == "forged" else changed
    return RefusedError(
        f"The encrypted content of {seal.where} could not be verified: {why}.",
        param=seal.where,
        code="invalid_encrypted_content",
    )
