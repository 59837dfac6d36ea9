"""Generator functions: what is guarded of them is their opening and their first item.

An attempt is settled with its first item, or with its end where it has none; until then it may be tried
again, from the beginning. Later items and errors pass through, and are neither counted nor retried.
"""

from __future__ import annotations

import functools

from overcurrent._core import Call
from overcurrent._library import library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any, ParamSpec

    from overcurrent._calls import Caller

    P = ParamSpec("P")


def wrap_generator(
    self: Caller, fn: Callable[P, Generator[Any, Any, Any]]
) -> Callable[P, Generator[Any, Any, Any]]:
    """Return a generator function like `fn` that is opened through `self`."""

    @functools.wraps(fn)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
        call = self.begin()
        while True:
            items, ended = fn(*args, **kwargs), False
            try:
                try:
                    item = next(items)
                except StopIteration as end:
                    item, ended = end.value, True
            except BaseException as error:
                call = self.full(call, kwargs)
                if not call.raised(error):
                    raise
                continue
            try:
                again = self.returned(call, item, kwargs)
            except BaseException:
                items.close()
                raise
            if not again:
                break
            call = self.full(call, kwargs)
            items.close()
        if ended:
            return item
        while True:
            try:
                try:
                    sent = yield item
                except GeneratorExit:
                    items.close()
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on to the generator
                    _leave_frame(error)
                    item = items.throw(error)
                else:
                    item = items.send(sent)
            except StopIteration as end:
                return end.value

    return guarded


def wrap_async_generator(
    self: Caller, fn: Callable[P, AsyncGenerator[Any, Any]]
) -> Callable[P, AsyncGenerator[Any, Any]]:
    """Return an asynchronous generator function like `fn` that is opened through `self`.

    Its first item is cut by cancelling the task that asks for it, and waited for: what it has opened by
    then belongs to that task.
    """
    bounded = self.bounded

    @functools.wraps(fn)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any, Any]:
        call = self.begin_async()
        if type(call) is Call:
            while (step := call.resume()) is not True:
                await library().sleep(step)
        while True:
            items, item, ended = fn(*args, **kwargs), None, False
            try:
                try:
                    if bounded:
                        with library().Scope(call):
                            item = await anext(items)
                    else:
                        item = await anext(items)
                except StopAsyncIteration:
                    ended = True
            except BaseException as error:
                call = self.full_async(call, kwargs)
                step = call.raised(error)
                while step is not True:
                    if step is False:
                        raise
                    await library().sleep(step)
                    step = call.resume()
                await items.aclose()
                continue
            try:
                step = self.returned(call, item, kwargs)
                if step is not False:
                    call = self.full_async(call, kwargs)
                    while step is not True and step is not False:
                        await library().sleep(step)
                        step = call.resume()
            except BaseException:
                await items.aclose()
                raise
            if step is False:
                break
            await items.aclose()
        if ended:
            return
        while True:
            try:
                try:
                    sent = yield item
                except GeneratorExit:
                    await items.aclose()
                    raise
                except BaseException as error:  # noqa: BLE001 - handed on to the generator
                    _leave_frame(error)
                    item = await items.athrow(error)
                else:
                    item = await items.asend(sent)
            except StopAsyncIteration:
                return

    return guarded


def _leave_frame(error: BaseException) -> None:
    """Take the frame that an error was thrown into from its traceback: it will come out of it once more."""
    if error.__traceback__ is not None:
        error.__traceback__ = error.__traceback__.tb_next
