"""A call made attempt by attempt: `for attempt in guard: with attempt: …`."""

from __future__ import annotations

import asyncio

import pytest
from conftest import forever, frames, turns
from overcurrent import (
    AttemptTimeout,
    BreakerOpen,
    Guard,
    ManualClock,
    constant,
)


def test_a_loop_makes_attempts_until_one_succeeds(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry={"backoff": constant("1s"), "jitter": "none"})
    seen = []
    keys = set()
    for attempt in guard:
        with attempt:
            seen.append((attempt.number, attempt.remaining, attempt.elapsed))
            keys.add(attempt.idempotency_key)
            if attempt.number < 3:
                raise ConnectionError
    assert seen == [(1, 10.0, 0.0), (2, 10.0, 1.0), (3, 10.0, 2.0)]
    assert len(keys) == 1

    async def main() -> list[int]:
        numbers = []
        async for attempt in guard:
            with attempt:
                numbers.append(attempt.number)
                if attempt.number < 3:
                    raise ConnectionError
        async for attempt in guard:
            async with attempt:
                numbers.append(attempt.number)
                if attempt.number < 2:
                    raise ConnectionError
        return numbers

    assert asyncio.run(main()) == [1, 2, 3, 1, 2]


def test_a_loop_raises_the_own_error_of_its_block(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, retry={"backoff": constant("1s"), "jitter": "none"})
    with pytest.raises(ConnectionError, match="2") as caught:
        for attempt in guard:
            with attempt:
                raise ConnectionError(attempt.number - 1)
    assert frames(caught.value) == []
    assert caught.value.__notes__ == ["guard `pay` gave up after 3 attempts in 2 s: attempts_exhausted"]
    assert attempt.stop == "attempts_exhausted"

    async def main() -> None:
        async for attempt in guard:
            with attempt:
                if attempt.number == 2:
                    assert guard.breaker is not None
                    clock.advance("1s")
                    # Somebody opens it while the call waits.
                    asyncio.get_running_loop().call_soon(guard.breaker.force_open)
                raise ConnectionError(attempt.number)

    with pytest.raises(ConnectionError, match="2") as caught:
        asyncio.run(main())
    assert caught.value.__notes__[0].endswith("breaker_open")


def test_a_loop_without_with_is_an_error(clock: ManualClock) -> None:
    with pytest.raises(RuntimeError, match="with attempt"):
        for _ in Guard("g", clock=clock):
            pass

    async def main() -> None:
        async for _ in Guard("g", clock=clock):
            pass

    with pytest.raises(RuntimeError, match="with attempt"):
        asyncio.run(main())


def test_a_loop_is_rejected_by_an_open_breaker(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock)
    assert guard.breaker is not None
    guard.breaker.force_open()
    with pytest.raises(BreakerOpen):
        for _ in guard:
            raise AssertionError

    async def main() -> None:
        async for _ in guard:
            raise AssertionError

    with pytest.raises(BreakerOpen):
        asyncio.run(main())


def test_a_block_is_cut_in_an_asynchronous_loop(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry={"max_attempts": 2, "backoff": "none"})

    async def block(attempts: list[int]) -> None:
        async for attempt in guard:
            with attempt:
                attempts.append(attempt.number)
                await forever()

    async def main() -> None:
        attempts: list[int] = []
        task = asyncio.create_task(block(attempts))
        await turns()
        clock.advance("1s")
        await turns()
        assert attempts == [1, 2]
        assert not task.done()
        clock.advance("1s")
        with pytest.raises(AttemptTimeout):
            await task
        assert task.cancelling() == 0

    asyncio.run(main())


def test_a_loop_of_a_block_that_was_late_tries_again(clock: ManualClock) -> None:
    numbers = []
    for attempt in Guard("g", clock=clock, attempt_timeout="1s"):
        with attempt:
            numbers.append(attempt.number)
            if attempt.number == 1:
                clock.advance("1s")
    assert numbers == [1, 2]
