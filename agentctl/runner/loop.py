"""The loop: ask the core what is next, do it, record it. It obeys decisions and knows no guard."""

from __future__ import annotations

from agentctl.core import decisions as do
from agentctl.core.decide import next_action
from agentctl.core.events import (
    Decided,
    FellBack,
    ProviderOut,
    Retried,
)
from agentctl.core.messages import Text
from agentctl.runner import circuits, recaps
from agentctl.runner.answers import run_check
from agentctl.runner.ask import ask
from agentctl.runner.calls import use_tools
from agentctl.runner.wishes import rest, wish
from agentctl.runner.world import Interrupted, World


async def drive(world: World) -> do.Stop:
    """Go on with the run until something stops it. The stop is not recorded yet."""
    try:
        while True:
            world.interrupt.check()
            world.look()
            wanted = wish(world)
            if wanted is not None:
                return wanted
            circuits.refresh(world)
            action = next_action(world.setup, world.state, world.clock(), world.dice())
            stop = await obey(world, action)
            if stop is not None:
                return stop
    except Interrupted as signal:
        return do.Stop("paused", signal.reason, signal.code, "Paused: everything so far is saved.")


async def obey(world: World, action: do.Action) -> do.Stop | None:
    """Do one thing that was decided; the stop, where that ends the drive."""
    match action:
        case do.Stop():
            return action
        case do.AskModel():
            await ask(world, action)
        case do.UseTools():
            return await use_tools(world)
        case do.RunCheck():
            await run_check(world)
        case do.Sleep(seconds=seconds):
            await world.recorder.flush()
            await rest(world, seconds)
        case _:
            _note(world, action)
    return None


def _note(world: World, action: do.Action) -> None:
    record = world.recorder.record
    match action:
        case do.Retry(attempt=attempt, delay_s=delay):
            record(Retried(attempt, round(delay, 3)))
        case do.NextProvider(provider=provider, to=to, reason=reason):
            record(FellBack(provider, to, reason))
        case do.LeaveProvider(provider=provider, to=to, reason=reason, until=until):
            record(ProviderOut(provider, reason, until))
            record(FellBack(provider, to, reason))
        case do.Trim():
            recaps.trim(world, action)
        case do.Report(loop=loop):
            record(loop)
        case do.Land(guard=guard, reason=reason, message=message, note=note):
            _circling(world, action)
            decided = Decided("before_model", guard, "land", reason, note, world.count(note), message)
            world.conversation.hold(record(decided).seq, Text(note))
        case do.Say(guard=guard, reason=reason, text=text):
            _circling(world, action)
            decided = Decided("before_answer", guard, "say", reason, text, world.count(text))
            world.conversation.hold(record(decided).seq, Text(text))
        case _:
            raise TypeError(f"the loop does not know {type(action).__name__}")


def _circling(world: World, action: do.Land | do.Say) -> None:
    if action.loop is not None:
        world.recorder.record(action.loop)
