"""Generator functions: what is guarded of them is their opening and their first item.

An attempt calls the function and asks for the first item. It is settled with that, or with the end where
there is none: a success, whatever the item is, as items are not results. What was opened is closed before
another attempt follows. Whatever comes later passes through, and is neither counted nor retried.
"""

from __future__ import annotations

import functools
import time

from overcurrent._attempt import leave, running
from overcurrent._core import Cut
from overcurrent._library import library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from typing import Any, ParamSpec

    from overcurrent._calls import Caller
    from overcurrent._core import Call

    P = ParamSpec("P")


def wrap_generator(
    self: Caller, fn: Callable[P, Generator[Any, Any, Any]]
) -> Callable[P, Generator[Any, Any, Any]]:
    """Return a generator function like `fn` that is opened through `self`.

    It does its waiting itself, so that it can close what came too late before that.
    """

    @functools.wraps(fn)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> Generator[Any, Any, Any]:
        call = self._begin_async()
        step = call.resume()
        while step is not True:
            _sleep(call, step)
            step = call.resume()
        while True:
            ended = False
            try:
                items = fn(*args, **kwargs)
                try:
                    item = next(items)
                except StopIteration as end:
                    item, ended = end.value, True
            except BaseException as error:
                step = call.raised(error)
                while step is not True:
                    if step is False:
                        raise
                    _sleep(call, step)
                    step = call.resume()
                continue
            try:
                step = call.succeeded()
            except BaseException:
                items.close()
                raise
            if step is False:
                break
            items.close()
            while step is not True:
                _sleep(call, step)
                step = call.resume()
        del call  # nobody is inside the attempt any more
        if ended:
            return item
        while True:
            thrown = None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - handed on to the generator
                thrown = _without_frame(error)
            try:
                item = items.send(sent) if thrown is None else items.throw(thrown)
            except StopIteration as end:
                return end.value
            finally:
                del thrown  # its traceback holds this frame

    return guarded


def wrap_async_generator(
    self: Caller, fn: Callable[P, AsyncGenerator[Any, Any]]
) -> Callable[P, AsyncGenerator[Any, Any]]:
    """Return an asynchronous generator function like `fn` that is opened through `self`.

    Its first item is cut by cancelling the task that asks for it, and waited for: what it has opened by
    then belongs to that task.
    """
    bounded = self._bounded

    @functools.wraps(fn)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Any, Any]:
        call = self._begin_async()
        step = call.resume()
        while step is not True:
            await library().sleep(call, step)
            step = call.resume()
        while True:
            item, ended = None, False
            try:
                items = fn(*args, **kwargs)
                try:
                    if bounded:
                        token = running.set(call)
                        try:
                            with library().Scope(call):
                                item = await anext(items)
                        finally:
                            leave(token)
                    else:
                        item = await anext(items)
                except StopAsyncIteration:
                    ended = True
            except BaseException as error:
                try:
                    step = call.raised(error)
                finally:
                    if type(error) is Cut:
                        await items.aclose()  # it may have gone on in spite of that
                while step is not True:
                    if step is False:
                        raise
                    await library().sleep(call, step)
                    step = call.resume()
                continue
            try:
                step = call.succeeded()
            except BaseException:
                await items.aclose()
                raise
            if step is False:
                break
            await items.aclose()
            while step is not True:
                await library().sleep(call, step)
                step = call.resume()
        del call  # nobody is inside the attempt any more
        if ended:
            return
        while True:
            thrown = None
            try:
                sent = yield item
            except BaseException as error:  # noqa: BLE001 - handed on to the generator
                thrown = _without_frame(error)
            try:
                item = await (items.asend(sent) if thrown is None else items.athrow(thrown))
            except StopAsyncIteration:
                return
            finally:
                del thrown  # its traceback holds this frame

    return guarded


def _sleep(call: Call, seconds: float) -> None:
    """Sleep for so many seconds; where that is interrupted, the call is over."""
    if seconds:
        try:
            time.sleep(seconds)
        except BaseException:
            call.cancelled()
            raise


def _without_frame(error: BaseException) -> BaseException:
    """Take the frame that an error was thrown into from its traceback: it will come out of it once more."""
    if error.__traceback__ is None:
        return error
    return error.with_traceback(error.__traceback__.tb_next)  # not every error lets its attributes be set
