"""What foreign code does becomes a value: nothing that it raises passes, but for a wish to end the program."""

import asyncio

import pytest

from agentctl.foreign import EXITS, Raised, awaited, outcome


class OddError(Exception):
    def __str__(self):
        raise self


def fail(error):
    raise error


async def fail_later(error):
    await asyncio.sleep(0)
    raise error


def test_what_it_returned():
    assert 7 == outcome(lambda: 7)
    assert None is outcome(lambda: None)


ERRORS = [KeyError("x"), OddError(), RecursionError(), MemoryError(), ExceptionGroup("", [OSError()]), StopIteration(1)]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_whatever_it_raised_is_a_value(error):
    assert isinstance(came := outcome(lambda: fail(error)), Raised)
    assert came.error is error
    assert isinstance(came := await awaited(fail_later(error)), Raised)
    assert type(error) in {type(came.error), StopIteration}  # a coroutine can't raise that one


@pytest.mark.parametrize("kind", EXITS)
async def test_an_exit_passes_unless_it_is_the_foreign_code_s_own(kind):
    with pytest.raises(kind):
        outcome(lambda: fail(kind()))
    assert isinstance(outcome(lambda: fail(kind()), EXITS), Raised)
    assert isinstance(await awaited(fail_later(kind()), EXITS), Raised)


async def test_being_cancelled_passes():
    task = asyncio.create_task(awaited(asyncio.sleep(60), EXITS))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
