"""The functions that are guarded: they do as little as a function can."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from way import Fn, Style


def answer(order: int) -> int:
    """Answer at once."""
    return order


async def answer_later(order: int) -> int:
    """Answer without ever waiting."""
    return order


async def answer_after_a_turn(order: int) -> int:
    """Answer after one turn of the event loop."""
    await asyncio.sleep(0)
    return order


def fail(order: int) -> int:
    """Fail each time."""
    raise ConnectionError(order)


async def fail_later(order: int) -> int:
    """Fail each time, without ever waiting."""
    raise ConnectionError(order)


def every_other_time(style: Style) -> Fn:
    """Make a function that fails at its first call, answers at its second, and so on."""
    failed = False

    def flaky(order: int) -> int:
        nonlocal failed
        failed = not failed
        if failed:
            raise ConnectionError(order)
        return order

    async def flaky_later(order: int) -> int:
        nonlocal failed
        failed = not failed
        if failed:
            raise ConnectionError(order)
        return order

    return flaky if style == "sync" else flaky_later


def perform(action: Any) -> Any:
    """Do what the caller says, to steer one guarded function through success and failure."""
    return action()


async def perform_later(action: Any) -> Any:
    """Do what the caller says, in a coroutine."""
    return action()
