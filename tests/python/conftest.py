"""What the tests share. None of them sleeps: time is a manual clock's, and tasks are given turns."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from overcurrent import Guard, ManualClock, Metrics

T = TypeVar("T")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail a test that sleeps for longer than no time."""
    import time

    original = asyncio.sleep

    async def sleep(delay: float, result: Any = None) -> Any:
        assert delay == 0, "a test slept"
        return await original(0, result)

    def refuse(seconds: float) -> None:
        raise AssertionError("a test slept")

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(time, "sleep", refuse)


async def turns(number: int = 10) -> None:
    """Let the other tasks run."""
    for _ in range(number):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks run until something is so."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never was so")


async def forever() -> None:
    """Never end, unless cancelled."""
    await asyncio.get_running_loop().create_future()


async def collected(items: AsyncIterator[T]) -> list[T]:
    """Take all items."""
    return [item async for item in items]


class Flaky:
    """A function that fails so often before it succeeds, and counts its calls."""

    def __init__(self, failures: int, error: type[BaseException] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(f"call {self.calls}")
        return self.calls

    async def later(self) -> int:
        await asyncio.sleep(0)
        return self()


def ways(flaky: Flaky, subject: Any) -> dict[str, Callable[[], Any]]:
    """Every way to call a function through a guard, breaker or retry, as blocking functions."""

    def run(awaitable: Callable[[], Awaitable[Any]]) -> Callable[[], Any]:
        async def main() -> Any:
            return await awaitable()

        return lambda: asyncio.run(main())

    return {
        "call": lambda: subject.call(flaky),
        "decorated": subject(lambda: flaky()),
        "acall": run(lambda: subject.acall(flaky.later)),
        "decorated coroutine": run(subject(flaky.later)),
    }


WAYS = tuple(ways(Flaky(0), lambda fn: fn))


def frames(error: BaseException) -> list[str]:
    """The functions of this package among the frames of an error."""
    return [
        frame.name
        for frame in traceback.extract_tb(error.__traceback__)
        if "/overcurrent/_" in Path(frame.filename).as_posix()
    ]


TWO: Any = {"consecutive_failures": 2}


def counted(guard: Guard) -> int:
    """How many failures the guard's breaker, which opens after two, has had: found by adding more."""
    assert guard.breaker is not None
    more = 0
    while guard.breaker.state == "closed":
        guard.breaker.acquire().failure()
        more += 1
    return 2 - more


def counts(counted: Metrics) -> dict[str, float]:
    """The samples that are not zero, by what stands before them in the text, without the prefix of all."""
    lines = [line.rsplit(" ", 1) for line in str(counted).splitlines() if not line.startswith("#")]
    return {name.removeprefix("overcurrent_"): float(value) for name, value in lines if float(value)}
