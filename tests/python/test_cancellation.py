"""Cancellation: it propagates, frees the probe, counts as nothing, and is told from the guard's own cuts."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from typing import Any

import pytest
from conftest import Flaky, forever, turns, until
from overcurrent import AttemptTimeout, Breaker, BreakerOpen, DeadlineExceeded, Guard, ManualClock, constant

PROBING: Any = {"consecutive_failures": 1, "cooldown": "1s", "cooldown_jitter": 0, "abandon_after": "24h"}


def half_open(clock: ManualClock, **options: Any) -> Guard:
    """A guard whose next call is the one probe of its breaker."""
    guard = Guard("pay", clock=clock, breaker=PROBING, retry=False, **options)
    assert guard.breaker is not None
    guard.breaker.trip("1s")
    clock.advance("1s")
    return guard


def state(guard: Guard) -> str:
    assert guard.breaker is not None
    return guard.breaker.state


@pytest.mark.parametrize("limits", [{}, {"attempt_timeout": False, "deadline": False}])
def test_a_cancelled_probe_gives_its_place_back(clock: ManualClock, limits: dict[str, Any]) -> None:
    breaker = Breaker(probe_timeout="30s", **PROBING)
    guard = Guard("pay", clock=clock, breaker=breaker, retry=False, **limits)
    breaker.trip("1s")
    clock.advance("1s")

    async def main() -> None:
        task = asyncio.create_task(guard.acall(forever))
        await until(lambda: breaker.state == "half_open")
        with pytest.raises(BreakerOpen, match="half_open"):
            await guard.acall(Flaky(0).later)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert breaker.state == "half_open"
        assert await guard.acall(Flaky(0).later) == 1
        assert breaker.state == "closed"

    asyncio.run(main())


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError])
def test_what_is_no_exception_is_a_cancellation(error: type[BaseException], clock: ManualClock) -> None:
    guard = half_open(clock)
    flaky = Flaky(1, error)
    with pytest.raises(error) as caught:
        guard.call(flaky)
    assert not hasattr(caught.value, "__notes__")
    assert state(guard) == "half_open"
    with pytest.raises(ValueError, match="mine"):
        for attempt in guard:
            with attempt:
                raise ValueError("mine")
    assert state(guard) == "open"


def test_a_cancellation_is_not_retried(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, retry={"backoff": "none"}, breaker={"consecutive_failures": 1})
    flaky = Flaky(9, asyncio.CancelledError)

    async def main() -> None:
        with pytest.raises(asyncio.CancelledError):
            await guard.acall(flaky.later)

    asyncio.run(main())
    assert flaky.calls == 1
    assert state(guard) == "closed"


def test_a_wait_can_be_cancelled() -> None:
    guard = Guard("pay", retry={"backoff": constant("1h"), "jitter": "none"}, deadline=False)
    flaky = Flaky(9)

    async def main() -> None:
        from overcurrent import _tasks

        async def sleep(call: Any, seconds: float) -> None:
            assert seconds == 3600
            await forever()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_tasks, "sleep", sleep)
            task = asyncio.create_task(guard.acall(flaky.later))
            await until(lambda: flaky.calls == 1)
            await turns()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert flaky.calls == 1


def test_a_timeout_from_outside_is_a_cancellation(clock: ManualClock) -> None:
    guard = half_open(clock)

    async def main() -> None:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0):
                await guard.acall(forever)
        assert not isinstance(caught.value, AttemptTimeout)
        assert state(guard) == "half_open"
        assert await guard.acall(Flaky(0).later) == 1

    asyncio.run(main())


def test_a_timeout_of_the_function_is_an_ordinary_failure(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, retry={"max_attempts": 2, "backoff": "none"})
    calls = []

    async def fetch() -> None:
        calls.append(1)
        async with asyncio.timeout(0):
            await forever()

    async def main() -> None:
        with pytest.raises(TimeoutError) as caught:
            await guard.acall(fetch)
        assert type(caught.value) is TimeoutError
        assert caught.value.__notes__

    asyncio.run(main())
    assert len(calls) == 2


def test_an_attempt_is_cut_when_its_time_is_up(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, attempt_timeout="1s", retry={"max_attempts": 2, "backoff": "none"})
    ended = []

    async def fetch() -> None:
        try:
            await forever()
        finally:
            ended.append(clock.now_ns)

    async def main() -> None:
        task = asyncio.create_task(guard.acall(fetch))
        await turns()
        clock.advance("999ms")
        await turns()
        assert ended == []
        clock.advance("1ms")
        await turns()
        assert ended == [1_000_000_000]
        assert not task.done()
        clock.advance("1s")
        with pytest.raises(AttemptTimeout) as caught:
            await task
        assert caught.value.attempt == 2
        assert caught.value.__context__ is None
        assert task.cancelling() == 0

    asyncio.run(main())


def test_a_cut_by_the_deadline_has_the_last_error_as_its_cause(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, deadline="5s", retry={"backoff": "none"})
    calls = []

    async def fetch() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise ConnectionError("first")
        await forever()

    async def main() -> None:
        task = asyncio.create_task(guard.acall(fetch))
        await until(lambda: len(calls) == 2)
        clock.advance("5s")
        with pytest.raises(DeadlineExceeded) as caught:
            await task
        assert (caught.value.attempts, caught.value.deadline) == (2, 5.0)
        assert str(caught.value.__cause__) == "first"

    asyncio.run(main())


def test_a_coroutine_that_does_not_heed_its_cut_is_left_behind(clock: ManualClock) -> None:
    guard = half_open(clock, attempt_timeout="1s")
    release = asyncio.Event()
    cancellations = []

    async def stubborn() -> str:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                cancellations.append(1)
        raise RuntimeError("discarded")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        unheard: list[Any] = []
        loop.set_exception_handler(lambda _, context: unheard.append(context))
        task = asyncio.create_task(guard.acall(stubborn))
        await turns()
        clock.advance("1s")
        await asyncio.sleep(0)
        assert state(guard) == "open"  # recorded at the cut
        with pytest.raises(AttemptTimeout):
            await task
        await turns()
        assert cancellations == [1]
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert len(others) == 1
        gc.collect()
        release.set()
        await until(lambda: len(asyncio.all_tasks()) == 1)
        del others
        gc.collect()
        assert unheard == []

    asyncio.run(main())


def test_a_cancelled_call_waits_for_the_end_of_its_attempt(clock: ManualClock) -> None:
    guard = half_open(clock)
    release = asyncio.Event()
    cleaned = []

    async def tidy() -> None:
        try:
            await forever()
        finally:
            await release.wait()
            cleaned.append(1)

    async def main() -> None:
        task = asyncio.create_task(guard.acall(tidy))
        await turns()
        task.cancel()
        await turns()
        assert not task.done()
        assert await guard.acall(Flaky(0).later) == 1  # but the probe is free at once
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert cleaned == [1]

    asyncio.run(main())


@pytest.mark.parametrize("by", ["the cut", "a second cancellation"])
def test_a_cancelled_call_does_not_wait_for_ever(by: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, attempt_timeout="1s", retry={"backoff": "none"})
    release = asyncio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()

    async def main() -> None:
        task = asyncio.create_task(guard.acall(stubborn))
        await turns()
        task.cancel()
        await turns()
        assert not task.done()
        if by == "the cut":
            clock.advance("1s")
        else:
            task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        release.set()
        await until(lambda: len(asyncio.all_tasks()) == 1)

    asyncio.run(main())


def test_a_cancellation_at_the_moment_of_the_cut_propagates(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, attempt_timeout="1s", retry={"backoff": "none"})

    async def main() -> None:
        task = asyncio.create_task(guard.acall(forever))
        await turns()
        clock.advance("1s")
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_block_tells_its_cut_from_a_cancellation(clock: ManualClock) -> None:
    guard = half_open(clock, attempt_timeout="1s")

    async def block() -> None:
        async for attempt in guard:
            async with attempt:
                await forever()

    async def main() -> None:
        task = asyncio.create_task(block())
        await turns()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert state(guard) == "half_open"
        task = asyncio.create_task(block())
        await turns()
        clock.advance("1s")
        await asyncio.sleep(0)
        assert state(guard) == "open"
        task.cancel()  # in the same turn as the cut
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_a_call_that_is_thrown_away_frees_its_probe(clock: ManualClock) -> None:
    guard = half_open(clock)
    coroutine = guard.acall(forever)

    async def main() -> None:
        task = asyncio.create_task(coroutine)
        await turns()
        assert state(guard) == "half_open"
        task.cancel()

    asyncio.run(main())
    assert guard.call(Flaky(0)) == 1

    guard = half_open(clock, attempt_timeout=False)
    attempt = next(iter(guard))
    assert state(guard) == "half_open"
    del attempt
    assert guard.call(Flaky(0)) == 1


def test_a_call_that_is_closed_by_hand_frees_its_probe(clock: ManualClock) -> None:
    breaker = Breaker(probe_timeout="30s", clock=clock, **PROBING)
    breaker.trip("1s")
    clock.advance("1s")

    class Pause:
        def __await__(self) -> Any:
            yield

    async def wait() -> None:
        await Pause()

    coroutine = breaker.acall(wait)
    coroutine.send(None)
    assert breaker.state == "half_open"
    with pytest.raises(BreakerOpen):
        breaker.acquire()
    coroutine.close()
    breaker.acquire().success()
    assert breaker.state == "closed"


def test_a_caller_that_gave_up_late_counts(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, attempt_timeout="2s", breaker={"consecutive_failures": 1})

    async def main() -> None:
        for waited, expected in (("999ms", "closed"), ("1s", "open")):
            task = asyncio.create_task(guard.acall(forever))
            await turns()
            clock.advance(waited)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert state(guard) == expected

    asyncio.run(main())
