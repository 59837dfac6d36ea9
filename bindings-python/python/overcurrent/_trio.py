"""How an attempt runs under trio; loaded when it is needed.

It is cut by a cancel scope. A trio function cannot be left behind: it is cancelled, and the guard waits for
its end. What it was cut by is what counts then, whatever it comes to.
"""

from __future__ import annotations

from contextlib import suppress

import trio

from overcurrent._attempt import leave, running
from overcurrent._core import Cut
from overcurrent._library import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType
    from typing import Any

    from overcurrent._core import Call
    from overcurrent._library import Timer


async def sleep(call: Call, delay: float) -> None:
    """Sleep for so many seconds between attempts; where that is interrupted, the call is over."""
    try:
        await trio.sleep(delay)
    except BaseException:
        call.cancelled()
        raise


def spawn(fn: Callable[[], Awaitable[object]]) -> None:
    """Have something done that nobody waits for, and whose failure is of no use to anybody."""

    async def task() -> None:
        with suppress(Exception):
            await fn()

    trio.lowlevel.spawn_system_task(task)


class Returned:
    """An attempt that has returned."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def result(self) -> Any:
        return self._value


async def carry(call: Call, attempt: Awaitable[Any]) -> Returned:
    """Run an attempt that is bounded in time, and return what it returned; or raise what it raised.

    If it is cut, `Cut` is raised once it has ended.
    """
    if not hasattr(attempt, "__await__"):
        refuse(call, attempt)
    token = running.set(call)
    try:
        with Scope(call):
            return Returned(await attempt)
    except BaseException as error:
        if error.__traceback__ is not None:
            # This frame tells nobody anything. Not every error lets its attributes be set.
            error.with_traceback(error.__traceback__.tb_next)
        raise
    finally:
        leave(token)


class Scope:
    """A block that is cut by a cancel scope. To a clock of a test it is what an event loop is."""

    __slots__ = ("_call", "_scope", "_timer", "_token", "_was_cut")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._scope = trio.CancelScope()
        self._token = trio.lowlevel.current_trio_token()
        self._timer: Timer | None = None
        self._was_cut = False

    def __enter__(self) -> None:
        self._scope.__enter__()
        self._timer = self._call.arm(self, self._cut)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        try:
            self._scope.__exit__(kind, error, trace)
        except RuntimeError:
            # Who closes a coroutine that nobody awaits any more is not in its task; to trio that is an error.
            if kind is not GeneratorExit:
                raise
        finally:
            if self._scope.cancelled_caught:
                if not self._was_cut:
                    self._call.cut()
                # What else there was to raise is discarded.
                raise Cut

    def _cut(self) -> None:
        if self._timer is not None:
            self._call.cut()
            self._was_cut = True
            self._scope.cancel()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Scope:
        """Cancel the scope after so many seconds."""
        self._scope.deadline = trio.current_time() + delay
        return self

    def call_soon(self, callback: Callable[[], None]) -> Scope:
        """Cut the block in the next turn."""
        self._token.run_sync_soon(callback)
        return self

    call_soon_threadsafe = call_soon

    def cancel(self) -> None:
        """Keep a timer that did not go off from doing so; the scope is closed in the same step."""
