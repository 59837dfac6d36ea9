"""How an attempt runs under asyncio; loaded when it is needed.

An attempt that is bounded in time runs in a task of its own, so that the guard can leave it behind: a
coroutine that does not heed its cancellation would otherwise hold up the caller. Where Python can
(3.12), the task starts at once, and one that never waits costs neither a timer nor a turn of the
event loop. As in any task, context variables are the caller's, and setting them is not seen there.

An attempt that nothing bounds is awaited in the caller's task, and so is a block.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from weakref import WeakKeyDictionary

from overcurrent._attempt import running
from overcurrent._core import Cut
from overcurrent._library import refuse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future, TimerHandle
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Any, TypeVar

    from overcurrent._core import Call
    from overcurrent._library import Timer

    R = TypeVar("R")

enter = running.set

_left: set[Future[Any]] = set()
"""What nobody waits for and has not ended; the event loop itself would not keep it."""


async def sleep(call: Call, delay: float) -> None:
    """Sleep for so many seconds between attempts; where that is interrupted, the call is over."""
    try:
        await asyncio.sleep(delay)
    except BaseException:
        call.cancelled()
        raise


def spawn(fn: Callable[[], Coroutine[Any, Any, object]]) -> None:
    """Have something done that nobody waits for, and whose failure is of no use to anybody."""
    with suppress(RuntimeError):  # the event loop is gone, and what belongs to it
        task = asyncio.get_running_loop().create_task(fn())
        _left.add(task)
        task.add_done_callback(_forget)


async def carry(call: Call, attempt: Awaitable[R]) -> Future[R]:
    """Run an attempt that is bounded in time, and return its task once that has ended.

    If it is cut, `Cut` is raised and the attempt left behind: it is cancelled, but not waited for, and
    what it comes to is discarded. If the caller is cancelled, so is the attempt, and the caller waits
    for its end, but no longer than until the cut.
    """
    if not hasattr(attempt, "__await__"):
        refuse(call, attempt)
    loop = asyncio.get_running_loop()
    waiting: list[Future[None]] = []
    if sys.version_info >= (3, 12) and loop.get_task_factory() is None:
        task = asyncio.Task(_run(waiting, call, attempt), loop=loop, eager_start=True)
        if task.done():
            return task
    else:
        task = loop.create_task(_run(waiting, call, attempt))
    watch = _Watch(call, task, waiting, loop)
    limit = call.limit
    leave = call.arm(loop, watch.cut) if limit is None else _line(loop, limit).join(watch, call.remaining)
    try:
        await watch.wait()
    except asyncio.CancelledError:
        call.cancelled()
        task.cancel()
        if not task.done():
            with suppress(asyncio.CancelledError):  # asked twice, it waits no more
                await watch.wait()
        _discard(task)
        raise
    except BaseException:  # its coroutine was closed, perhaps after the event loop
        call.cancelled()
        with suppress(RuntimeError):
            _discard(task)
        raise
    finally:
        if leave is not None:
            leave.cancel()
    if watch.was_cut:
        raise Cut
    return task


async def _run(waiting: list[Future[None]], call: Call, attempt: Awaitable[R]) -> R:
    """Make the attempt, and wake who waits for it, without a turn of the event loop between."""
    enter(call)
    try:
        return await attempt
    except BaseException as error:
        if error.__traceback__ is not None:
            # This frame tells nobody anything. Not every error lets its attributes be set.
            error.with_traceback(error.__traceback__.tb_next)
        raise
    finally:
        for future in waiting:
            if not future.done():
                future.set_result(None)


class _Watch:
    """Waits for the end of an attempt, or for its cut."""

    __slots__ = ("_call", "_loop", "_task", "_waiting", "was_cut")

    def __init__(
        self, call: Call, task: Future[Any], waiting: list[Future[None]], loop: AbstractEventLoop
    ) -> None:
        self._call = call
        self._task = task
        self._waiting = waiting
        self._loop = loop
        self.was_cut = False

    async def wait(self) -> None:
        future = self._loop.create_future()
        self._waiting[:] = [future]
        if self._task.done() or self.was_cut:
            return
        await future

    def cut(self) -> None:
        if self._task.done():
            return
        self._call.cut()
        self.was_cut = True
        self._task.cancel()
        _discard(self._task)
        for future in self._waiting:
            if not future.done():
                future.set_result(None)


def _discard(task: Future[Any]) -> None:
    """Have nobody hear of what an attempt comes to."""
    if not task.done():
        task.cancel()
        _left.add(task)
    task.add_done_callback(_forget)


def _forget(task: Future[Any]) -> None:
    _left.discard(task)
    if not task.cancelled():
        task.exception()


class _Line:
    """The attempts of one event loop that have the same time: they are cut in the order they began.

    One timer serves them all; setting one for each would cost more than all the rest.
    """

    __slots__ = ("_ends", "_limit", "_lines", "_loop", "_timer")

    def __init__(self, lines: dict[float, _Line], limit: float, loop: AbstractEventLoop) -> None:
        self._lines = lines
        self._limit = limit
        self._loop = loop
        self._ends: dict[_Watch, float] = {}
        self._timer: TimerHandle | None = None

    def join(self, watch: _Watch, remaining: float | None) -> _Place:
        ends = self._loop.time() + (remaining or 0)
        self._ends[watch] = ends
        if self._timer is None:
            self._timer = self._loop.call_at(ends, self._ring)
        return _Place(self._ends, watch)

    def _ring(self) -> None:
        now = self._loop.time()
        self._timer = None
        for watch, ends in list(self._ends.items()):
            if ends > now:
                self._timer = self._loop.call_at(ends, self._ring)
                return
            del self._ends[watch]
            self._loop.call_soon(watch.cut)
        self._lines.pop(self._limit, None)


class _Place:
    """The place of an attempt in a line."""

    __slots__ = ("_ends", "_watch")

    def __init__(self, ends: dict[_Watch, float], watch: _Watch) -> None:
        self._ends = ends
        self._watch = watch

    def cancel(self) -> None:
        self._ends.pop(self._watch, None)


_lines: WeakKeyDictionary[AbstractEventLoop, dict[float, _Line]] = WeakKeyDictionary()


def _line(loop: AbstractEventLoop, limit: float) -> _Line:
    lines = _lines.get(loop)
    if lines is None:
        lines = _lines[loop] = {}
    line = lines.get(limit)
    if line is None:
        line = lines[limit] = _Line(lines, limit, loop)
    return line


class Scope:
    """A block that is cut by cancelling its task, as `asyncio.timeout` does."""

    __slots__ = ("_call", "_cancelling", "_task", "_timer", "_was_cut")

    def __init__(self, call: Call) -> None:
        self._call = call
        self._was_cut = False
        self._task: asyncio.Task[Any] | None = None
        self._timer: Timer | None = None

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an attempt must be made inside a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = self._call.arm(task.get_loop(), self._cut)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._timer is not None:
            self._timer.cancel()
        if not self._was_cut or task is None:
            return
        # Somebody else may have cancelled the task too.
        if task.uncancel() <= self._cancelling or not isinstance(error, asyncio.CancelledError):
            raise Cut

    def _cut(self) -> None:
        if self._task is not None:
            self._call.cut()
            self._was_cut = True
            self._task.cancel()
