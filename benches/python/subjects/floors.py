"""What stands in for a library: no guard at all, one that does nothing, one written by hand."""

from __future__ import annotations

import asyncio
import functools
import inspect
from typing import Any

from way import Fn, Way

BARE = "bare"
PASS_THROUGH = "pass-through"
BY_HAND = "by hand"
TIMEOUT = "asyncio.timeout"
WAIT_FOR = "asyncio.wait_for"
BOUND = 10.0
"""The seconds that a call has, where it is bounded."""


class Refused(Exception):
    """A rejection as plain as can be: an exception with three arguments."""


def bare(fn: Fn) -> Fn:
    """Return the function itself."""
    return fn


def pass_through(fn: Fn) -> Fn:
    """Wrap a function in a closure that only hands everything through.

    It is what any decorator in Python has to be before it does anything: `functools.wraps`, `*args`,
    `**kwargs`, and a `try` to see how the call ended.
    """
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def passed_later(*args: Any, **kwargs: Any) -> Any:
            try:
                return await fn(*args, **kwargs)
            except BaseException:
                raise

        return passed_later

    @functools.wraps(fn)
    def passed(*args: Any, **kwargs: Any) -> Any:
        try:
            return fn(*args, **kwargs)
        except BaseException:
            raise

    return passed


def by_hand(fn: Fn) -> Fn:
    """Wrap a function in the loop that one would write by hand: three attempts, no wait."""
    if inspect.iscoroutinefunction(fn):

        @functools.wraps(fn)
        async def tried_later(*args: Any, **kwargs: Any) -> Any:
            for attempt in range(3):
                try:
                    return await fn(*args, **kwargs)
                except ConnectionError:
                    if attempt == 2:
                        raise
            return None

        return tried_later

    @functools.wraps(fn)
    def tried(*args: Any, **kwargs: Any) -> Any:
        for attempt in range(3):
            try:
                return fn(*args, **kwargs)
            except ConnectionError:
                if attempt == 2:
                    raise
        return None

    return tried


def timeout(fn: Fn) -> Fn:
    """Bound a coroutine function in its caller's task."""

    @functools.wraps(fn)
    async def bounded(*args: Any, **kwargs: Any) -> Any:
        async with asyncio.timeout(BOUND):
            return await fn(*args, **kwargs)

    return bounded


def wait_for(fn: Fn) -> Fn:
    """Bound a coroutine function: before Python 3.12 in a task of its own."""

    @functools.wraps(fn)
    async def bounded(*args: Any, **kwargs: Any) -> Any:
        return await asyncio.wait_for(fn(*args, **kwargs), BOUND)

    return bounded


def refuse(_: int) -> None:
    """Raise what a rejection raises, and nothing else."""
    raise Refused("payments", "open", 1.0)


async def refuse_later(_: int) -> None:
    """Raise what a rejection raises, in a coroutine."""
    raise Refused("payments", "open", 1.0)


WAYS = (
    Way(BARE, "floor", "the function itself", bare),
    Way(PASS_THROUGH, "floor", "closure with try/except", pass_through),
    Way(BY_HAND, "floor", "loop of 3 attempts", by_hand, retrying=by_hand),
    Way(TIMEOUT, "floor", "10 s", timeout, styles=("async",)),
    Way(WAIT_FOR, "floor", "10 s", wait_for, styles=("async",)),
)
