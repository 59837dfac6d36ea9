"""How guarded calls are made. What to do next is the core's decision.

One frame of ours stands between the caller and the function. Blocking calls go round in the extension;
each asynchronous loop is written out where it runs.
"""

from __future__ import annotations

import functools
from types import CoroutineType

from overcurrent import _core
from overcurrent._library import library, refuse
from overcurrent._typing import overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any, ParamSpec, TypeVar

    from overcurrent._typing import Function

    P = ParamSpec("P")
    R = TypeVar("R")
    F = TypeVar("F", bound=Function | classmethod[Any, Any, Any] | staticmethod[Any, Any])


class Caller(_core.Caller):
    """Surrounds calls: directly, or as a decorator."""

    __slots__ = ()

    def call(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a blocking function."""
        return self._run(fn, args, kwargs)

    async def acall(self, fn: Callable[P, Awaitable[R]], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a coroutine function, or another that returns an awaitable.

        Under asyncio, an attempt that is bounded in time runs in a task of its own, and is left behind if
        it does not end when it is cut; under trio, it is waited for.

        Raises:
            TypeError: `fn` returned nothing that can be awaited; it is not called again.
        """
        if (call := self._first()) is None:
            call = self._begin_async()
            while (step := call.resume()) is not True:
                await library().sleep(call, step)
        while True:
            try:
                if self._bounded:
                    value: R = (await library().carry(call, fn(*args, **kwargs))).result()
                else:
                    attempt: Any = fn(*args, **kwargs)
                    if type(attempt) is not CoroutineType and not hasattr(attempt, "__await__"):
                        call = self._full(call, kwargs)
                        refuse(call, attempt)
                    value = await attempt
            except BaseException as error:
                call = self._full(call, kwargs)
                if not callable(fn):  # whatever its type says
                    call.cancelled()  # type: ignore[unreachable]
                step = call.raised(error)
                while step is not True:
                    if step is False:
                        raise
                    await library().sleep(call, step)
                    step = call.resume()
            else:
                if self._ended(call):
                    return value
                call = self._full(call, kwargs)
                step = call.returned(value)
                while step is not True:
                    if step is False:
                        return value
                    await library().sleep(call, step)
                    step = call.resume()

    # A function keeps its type, with overloads and all; from any other callable comes a function of the same
    # parameters and result. Type checkers take each `Callable` for a function, hence the complaints.
    @overload
    def wrap(self, fn: F) -> F: ...
    @overload
    def wrap(  # type: ignore[overload-cannot-match]
        self,
        fn: Callable[P, R],  # pyright: ignore[reportOverlappingOverload]
    ) -> Callable[P, R]: ...
    def wrap(self, fn: Any) -> Any:
        """Return a function like `fn` that is called through this; the decorator form of it.

        Of a generator function, asynchronous or not, the opening and the first item are guarded. The call
        begins when the first item is asked for. Each attempt calls the function anew; its first item, or its
        end where it has none, is a success, about which `classify` is not asked, as items are not results.
        What it raises before that is judged as ever, and may be retried. Later items and errors pass through,
        and are neither counted nor retried.

        Raises:
            TypeError: `fn` cannot be called.
        """
        import inspect

        if isinstance(fn, classmethod | staticmethod):
            return type(fn)(self.wrap(fn.__func__))
        if not callable(fn):
            raise TypeError(f"`fn` must be callable, not `{fn!r}`")
        if _is(inspect.iscoroutinefunction, fn):
            return self._wrap_async(fn)
        if _is(inspect.isgeneratorfunction, fn):
            from overcurrent._items import wrap_generator

            return wrap_generator(self, fn)
        if _is(inspect.isasyncgenfunction, fn):
            from overcurrent._items import wrap_async_generator

            return wrap_async_generator(self, fn)
        return self._wrap_blocking(fn)

    @overload
    def __call__(self, fn: F) -> F: ...
    @overload
    def __call__(  # type: ignore[overload-cannot-match]
        self,
        fn: Callable[P, R],  # pyright: ignore[reportOverlappingOverload]
    ) -> Callable[P, R]: ...
    def __call__(self, fn: Any) -> Any:
        """As `wrap`, for use as a decorator."""
        return self.wrap(fn)

    def _wrap_blocking(self, fn: Callable[P, R]) -> Callable[P, R]:
        run = self._run

        @functools.wraps(fn)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            return run(fn, args, kwargs)

        return guarded

    def _wrap_async(self, fn: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        begin, ended, bounded = self._first, self._ended, self._bounded

        @functools.wraps(fn)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            if (call := begin()) is None:
                call = self._begin_async()
                while (step := call.resume()) is not True:
                    await library().sleep(call, step)
            while True:
                try:
                    if bounded:
                        value: R = (await library().carry(call, fn(*args, **kwargs))).result()
                    else:
                        value = await fn(*args, **kwargs)
                except BaseException as error:
                    call = self._full(call, kwargs)
                    step = call.raised(error)
                    while step is not True:
                        if step is False:
                            raise
                        await library().sleep(call, step)
                        step = call.resume()
                else:
                    if ended(call):
                        return value
                    call = self._full(call, kwargs)
                    step = call.returned(value)
                    while step is not True:
                        if step is False:
                            return value
                        await library().sleep(call, step)
                        step = call.resume()

        return guarded


def _is(kind: Callable[[Any], bool], fn: Any) -> bool:
    """Whether a function, or what an object is called by, is of a kind."""
    # What a class is called by is not what its instances are called by.
    return kind(fn) or kind(getattr(type(fn), "__call__", None))  # noqa: B004
