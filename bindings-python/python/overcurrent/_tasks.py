"""How an attempt runs under asyncio; loaded when it is needed.

An attempt that is bounded in time runs in a task of its own, so that the guard can leave it behind: a
coroutine that does not heed its cancellation would otherwise hold up the caller. Where Python can
(3.12), the task starts at once, and one that never waits costs neither a timer nor a turn of the
event loop. As in any task, context variables are the caller's, and setting them is not seen there.

An attempt that nothing bounds is awaited in the caller's task.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from types import CoroutineType

from overcurrent._attempt import running
from overcurrent._core import Cut

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable
    from contextvars import Token
    from typing import Any, TypeVar

    from overcurrent._core import Call

    R = TypeVar("R")

sleep = asyncio.sleep
enter = running.set

_left: set[asyncio.Future[Any]] = set()
"""Attempts left behind that have not ended; the event loop itself would not keep them."""


def leave(token: Token[Call]) -> None:
    """Forget the call under way."""
    with suppress(ValueError):  # its coroutine was closed from another context, where it never was
        running.reset(token)


async def carry(call: Call, attempt: Awaitable[R]) -> asyncio.Future[R]:
    """Run an attempt that is bounded in time, and return it once it has ended.

    If it is cut, `Cut` is raised and the attempt left behind: it is cancelled, but not waited for, and
    what it comes to is discarded. If the caller is cancelled, so is the attempt, and the caller waits
    for its end, but no longer than until the cut.
    """
    loop = asyncio.get_running_loop()
    future = _start(attempt, loop)
    if future.done():
        return future
    watch = _Watch(call, future, loop)
    timer = call.arm(loop, watch.cut)
    future.add_done_callback(watch.wake)
    try:
        await watch.woken
    except asyncio.CancelledError:
        call.cancelled()
        future.cancel()
        if not future.done():
            watch.woken = loop.create_future()
            with suppress(asyncio.CancelledError):  # asked twice, it waits no more
                await watch.woken
        _discard(future)
        raise
    except BaseException:  # its coroutine was closed, perhaps after the event loop
        call.cancelled()
        with suppress(RuntimeError):
            _discard(future)
        raise
    finally:
        if timer is not None:
            timer.cancel()
    if watch.was_cut:
        raise Cut
    return future


class _Watch:
    """Waits for the end of an attempt, or for its cut."""

    __slots__ = ("_call", "_future", "was_cut", "woken")

    def __init__(self, call: Call, future: asyncio.Future[Any], loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._future = future
        self.woken: asyncio.Future[None] = loop.create_future()
        self.was_cut = False

    def wake(self, _: asyncio.Future[Any] | None = None) -> None:
        if not self.woken.done():
            self.woken.set_result(None)

    def cut(self) -> None:
        if self._future.done():
            return
        self._call.cut()
        self.was_cut = True
        self._future.cancel()
        _discard(self._future)
        self.wake()


def _discard(future: asyncio.Future[Any]) -> None:
    """Have nobody hear of what an attempt comes to."""
    if not future.done():
        future.cancel()
        _left.add(future)
    future.add_done_callback(_forget)


def _forget(future: asyncio.Future[Any]) -> None:
    _left.discard(future)
    if not future.cancelled():
        future.exception()


if sys.version_info >= (3, 12):

    def _start(attempt: Awaitable[R], loop: asyncio.AbstractEventLoop) -> asyncio.Future[R]:
        if type(attempt) is not CoroutineType:
            return asyncio.ensure_future(attempt)
        if loop.get_task_factory() is None:
            return asyncio.Task(attempt, loop=loop, eager_start=True)
        return loop.create_task(attempt)

else:

    def _start(attempt: Awaitable[R], loop: asyncio.AbstractEventLoop) -> asyncio.Future[R]:
        return asyncio.ensure_future(attempt, loop=loop)
