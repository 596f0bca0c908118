"""`python:MODULE:FUNCTION`: a typed function of the task's author, called in this process.

A coroutine function is cancelled when its time is up. Any other runs in a thread of its own, and no thread can be
killed: it goes on, its late result is dropped, and it holds up neither other tools nor the end of the program. Where
a function must really be stopped, make it a program (`command`).
"""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import difflib
import inspect
import threading
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, TypeVar, cast

from pydantic import BaseModel

from agentctl import errors
from agentctl.core import envelope
from agentctl.core.contract import Contract
from agentctl.core.envelope import Envelope
from agentctl.core.policy import Policy
from agentctl.core.task import Tool as Entry
from agentctl.foreign import EXITS, Raised, awaited, outcome
from agentctl.records import dataclass
from agentctl.tools import loading
from agentctl.tools.command import taken_as_envelope
from agentctl.tools.declared import contract_of
from agentctl.tools.loading import one_line
from agentctl.tools.plain import json_safe
from agentctl.tools.quiet import quietly
from agentctl.tools.signature import Function, Misfit, Signature, Unusable, signature_of

if TYPE_CHECKING:
    from agentctl.tools.base import Invocation

T = TypeVar("T")

GRACE_S = 1.0
"""What a cancelled coroutine is given to clean up."""
PYTHON = "python:"


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function that was imported when the tool was opened."""

    contract: Contract
    function: Function
    signature: Signature

    async def run(self, call: Invocation) -> Envelope:
        """Call it once."""
        task = asyncio.create_task(self._called(call))
        try:
            done, _ = await asyncio.wait({task}, timeout=call.timeout_s)
        except asyncio.CancelledError:
            await _let_go(task)
            raise
        if not done:
            await _let_go(task)
            return envelope.timed_out(call.timeout_s)
        return task.result()

    async def _called(self, call: Invocation) -> Envelope:
        """In a task of its own, so that what it may print is known by its context."""
        try:
            with quietly():
                came = await awaited(self._answered(call), EXITS)
        except asyncio.CancelledError:
            if (own := asyncio.current_task()) and own.cancelling():
                raise
            return envelope.permanent("The function cancelled itself.")
        match came:
            case Raised(Misfit() as misfit):
                return envelope.bad_arguments(misfit.problem, misfit.hint)
            case Raised(error):
                return failed(error)
            case answer:
                return answer

    async def _answered(self, call: Invocation) -> Envelope:
        args = self.signature.read(call.args)
        if inspect.iscoroutinefunction(self.function):
            return taken(await self.function(**args))
        result = await _in_thread(lambda: self._answer(args))
        return result if isinstance(result, Envelope) else taken(await result)

    def _answer(self, args: dict[str, object]) -> Envelope | Awaitable[object]:
        """In the thread: a large result is not to hold up the loop. A plain function may also hand out a coroutine."""
        result = self.function(**args)
        return cast("Awaitable[object]", result) if isinstance(result, Awaitable) else taken(result)


def open_function(entry: Entry, base: Path, policy: Policy) -> FunctionTool:
    """Import a function and read its types. Its folder is the task's, then the path.

    Raises:
        Invalid: no such function, or none that a model could call, with the file and line.
    """
    module, _, name = entry.use.removeprefix(PYTHON).partition(":")
    try:
        with loading.folder_first(base):
            function = _found(loading.load(base, module), name)
            signature = _read(function)
    except loading.Unloadable as error:
        problem = errors.Problem(error.file or str(base), error.line, min(error.line, 1), entry.use, error.message)
        raise errors.Invalid(str(problem), hint=error.hint, problems=(problem,)) from None
    filled = dataclasses.replace(
        entry,
        name=entry.name or name,
        description=entry.description or signature.description,
        parameters=signature.parameters,
    )
    return FunctionTool(contract_of(filled, policy), function, signature)


def _found(module: ModuleType, name: str) -> Function:
    file = module.__file__ or module.__name__
    found = getattr(module, name, None)
    if found is None:
        functions = [each for each, value in vars(module).items() if inspect.isfunction(value)]
        near = difflib.get_close_matches(name, functions, n=1)
        hint = f"Did you mean '{near[0]}'?" if near else f"It has: {', '.join(functions) or 'no functions'}."
        raise loading.Unloadable(file, 0, f"there is no '{name}' in it", hint)
    if not inspect.isfunction(found):
        what = f"'{name}' is no function but {type(found).__name__}"
        raise loading.Unloadable(file, 0, what, "Write a def around it.")
    code = inspect.unwrap(found).__code__
    if inspect.isgeneratorfunction(found) or inspect.isasyncgenfunction(found):
        hint = "Return a list instead of yielding."
        raise loading.Unloadable(code.co_filename, code.co_firstlineno, f"'{name}' is a generator", hint)
    return found


def _read(function: Function) -> Signature:
    try:
        return signature_of(function)
    except Unusable as error:
        code = cast("FunctionType", inspect.unwrap(function)).__code__
        raise loading.Unloadable(code.co_filename, code.co_firstlineno, error.message, error.hint) from None


# --- What came of it -----------------------------------------------------------------------------


def taken(result: object) -> Envelope:
    """What a function returned: an envelope where it is exactly one, as with programs, else the data."""
    if isinstance(result, BaseModel):
        result = result.model_dump()
    elif isinstance(result, list | tuple):
        members = cast("Sequence[object]", result)
        result = [each.model_dump() if isinstance(each, BaseModel) else each for each in members]
    value = json_safe(result)
    return taken_as_envelope(value) or envelope.success(value)


def failed(error: BaseException) -> Envelope:
    """What a function raised, in one line."""
    error = _innermost(error)
    if isinstance(error, TimeoutError | ConnectionError):
        return envelope.transient(one_line(error))
    if isinstance(error, PermissionError):
        return envelope.forbidden(one_line(error))
    if isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit):
        return envelope.permanent(f"The function tried to end the program ({type(error).__name__}).")
    return envelope.permanent(one_line(error))


def _innermost(error: BaseException) -> BaseException:
    """A group of one says less than the one."""
    inner: tuple[BaseException, ...] = (
        getattr(error, "exceptions", ()) if issubclass(type(error), BaseExceptionGroup) else ()
    )
    return _innermost(inner[0]) if len(inner) == 1 else error


async def _in_thread(work: Callable[[], T]) -> T:
    """In a thread that nobody waits for at the end; one of a pool would be, and a stuck one would stop the others."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T | Raised] = loop.create_future()

    def settle(came: T | Raised) -> None:
        if not future.done():  # else it comes too late
            future.set_result(came)

    def body() -> None:
        came = outcome(work, (BaseException,))  # an exit too is raised where it is waited for
        with suppress(RuntimeError):  # the loop is gone: nobody waits any more
            loop.call_soon_threadsafe(settle, came)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(body,), name="python-tool", daemon=True).start()
    came = await future
    if isinstance(came, Raised):
        raise came.error
    return came


async def _let_go(task: asyncio.Task[Envelope]) -> None:
    """Cancel, and wait no longer than a moment: a coroutine may refuse."""
    task.cancel()
    await asyncio.wait({task}, timeout=GRACE_S)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())  # or asyncio complains of it
