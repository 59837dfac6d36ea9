"""Threads and tasks that call through one guard in any order, given up at any point.

Beside the guard stands a breaker of the same policy and seed that is used by hand: each call that the guard
makes is one permit there, used up by the outcome that the call ought to count as. After every step both must
stand alike, so a slot that leaks, a cancellation that counts or an outcome that counts twice shows as a
difference. Threads are led step by step, so nothing is left to their luck.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal

import pytest
from conftest import turns
from hypothesis import given, settings
from hypothesis import strategies as st
from overcurrent import AttemptTimeout, Breaker, BreakerOpen, BreakerPolicy, Guard, ManualClock, Permit

TIMEOUT = 1_000
"""The milliseconds that an attempt has."""
SEED = 7

How = Literal["succeed", "fail", "give up"]


class Expected(Exception):
    """What a function fails with."""


class Thread:
    """A call in a thread of its own, which waits for a word before each of its steps."""

    is_cut = False
    """Nothing cuts a blocking function: it is judged when it ends."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._words: queue.SimpleQueue[How] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def start(self) -> bool:
        threading.Thread(target=self._run).start()
        return self._answers.get() == "running"

    async def end(self, how: How) -> None:
        self._words.put(how)
        assert self._answers.get() == "over"

    def _run(self) -> None:
        try:
            self._guard.call(self._work)
        except BreakerOpen:
            self._answers.put("rejected")
            return
        except (Expected, AttemptTimeout, KeyboardInterrupt):
            pass
        self._answers.put("over")

    def _work(self) -> None:
        self._answers.put("running")
        how = self._words.get()
        if how == "fail":
            raise Expected
        if how == "give up":
            raise KeyboardInterrupt


class Task:
    """A call in a task, which waits for a word before each of its steps."""

    is_cut = True

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._word: asyncio.Future[How] | None = None

    async def start(self) -> bool:
        self._task = asyncio.create_task(self._guard.acall(self._work))
        await turns()
        if self._task.done():
            with pytest.raises(BreakerOpen):
                self._task.result()
            return False
        return True

    async def end(self, how: How) -> None:
        assert self._word is not None
        if how == "give up":
            self._task.cancel()
        elif not self._word.done():
            self._word.set_result(how)
        await turns()
        assert self._task.done()
        with suppress(Expected, AttemptTimeout, asyncio.CancelledError):
            self._task.result()

    async def _work(self) -> None:
        self._word = asyncio.get_running_loop().create_future()
        if await self._word == "fail":
            raise Expected


class Pair:
    """A guard, and the breaker beside it that is used by hand."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self.clock, self.other = ManualClock(), ManualClock()
        self.guard = Guard(
            "pair",
            clock=self.clock,
            seed=SEED,
            deadline=False,
            attempt_timeout=f"{TIMEOUT}ms",
            retry=False,
            breaker=policy,
        )
        self.twin = Breaker("pair", clock=self.other, seed=SEED, **policy)
        self.running: list[tuple[Thread | Task, Permit, int]] = []
        self.now = 0

    async def start(self, kind: type[Thread | Task]) -> None:
        call = kind(self.guard)
        admitted = await call.start()
        try:
            permit = self.twin.acquire()
        except BreakerOpen:
            assert not admitted
        else:
            assert admitted
            self.running.append((call, permit, self.now))

    async def end(self, index: int, how: How) -> None:
        if not self.running:
            return
        call, permit, started = self.running.pop(index % len(self.running))
        await call.end(how)
        if how == "give up":
            permit.cancelled()
        elif how == "fail" or self.now - started >= TIMEOUT:
            permit.failure()
        else:
            permit.success()

    async def advance(self, millis: int) -> None:
        self.now += millis
        for clock in (self.clock, self.other):
            clock.advance(f"{millis}ms")
        await turns()
        for entry in list(self.running):
            call, permit, started = entry
            if call.is_cut and self.now - started >= TIMEOUT:
                self.running.remove(entry)
                await call.end("succeed")
                permit.failure()

    def compare(self) -> None:
        own = self.guard.breaker
        assert own is not None
        seen = (own.state, own.reason, own.retry_after, own.late)
        assert seen == (self.twin.state, self.twin.reason, self.twin.retry_after, self.twin.late)


Step = Callable[[Pair], Any]

starts = st.sampled_from([Thread, Task]).map(lambda kind: lambda pair: pair.start(kind))
ends = st.builds(
    lambda index, how: lambda pair: pair.end(index, how),
    st.integers(0, 7),
    st.sampled_from(["succeed", "fail", "fail", "give up", "give up"]),
)
moves = st.sampled_from([1, 250, TIMEOUT, 5_000, 31_000]).map(
    lambda millis: lambda pair: pair.advance(millis)
)
steps = st.lists(st.one_of(starts, starts, ends, ends, moves), max_size=30)


@given(steps=steps, probes=st.integers(1, 3), close_after=st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_threads_and_tasks_count_as_the_same_calls_made_by_hand(
    steps: list[Step], probes: int, close_after: int
) -> None:
    pair = Pair(
        {
            "consecutive_failures": 2,
            "probes": min(probes, close_after),
            "close_after": close_after,
            "abandon_after": "24h",
            "cooldown": "2s",
        }
    )

    async def main() -> None:
        for step in steps:
            await step(pair)
            pair.compare()
        while pair.running:
            await pair.end(0, "give up")
            pair.compare()
        # Whatever happened, every slot is free again: as many probes pass as may.
        own = pair.guard.breaker
        assert own is not None
        own.trip()
        await pair.advance(24 * 3600 * 1000)
        permits = [own.acquire() for _ in range(min(probes, close_after))]
        with pytest.raises(BreakerOpen):
            own.acquire()
        del permits

    asyncio.run(main())


@pytest.mark.parametrize("kind", [Thread, Task])
def test_the_comparison_sees_a_cancellation_that_counts(kind: type[Thread | Task]) -> None:
    async def main() -> None:
        pair = Pair({"consecutive_failures": 1, "cooldown": "2s"})
        await pair.start(kind)
        [(call, permit, _)] = pair.running
        await call.end("give up")
        permit.failure()
        with pytest.raises(AssertionError):
            pair.compare()

    asyncio.run(main())
