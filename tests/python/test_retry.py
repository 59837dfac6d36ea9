"""The retry and the budget alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from conftest import WAYS, Flaky, ways
from overcurrent import (
    Budget,
    InvalidPolicy,
    ManualClock,
    Retry,
    Stop,
    Wait,
    constant,
    exponential,
    linear,
    proportional,
    schedule,
)


@pytest.mark.parametrize("way", WAYS)
def test_it_retries_and_gives_the_own_error_back(way: str, clock: ManualClock) -> None:
    retry = Retry(clock=clock, max_attempts=3, backoff=constant("1s"), jitter="none")
    assert ways(Flaky(2), retry)[way]() == 3
    with pytest.raises(ConnectionError, match="call 3") as caught:
        ways(Flaky(3), retry)[way]()
    assert caught.value.__notes__ == ["retry gave up after 3 attempts in 2 s: attempts_exhausted"]
    assert clock.now_ns == 4_000_000_000


def test_a_loop_makes_its_attempts(clock: ManualClock) -> None:
    retry = Retry(clock=clock, backoff=constant("1s"), jitter="none")
    numbers = []
    for attempt in retry:
        with attempt:
            numbers.append(attempt.number)
            if attempt.number < 2:
                raise ConnectionError

    async def main() -> None:
        async for attempt in retry:
            async with attempt:
                numbers.append(attempt.number)

    asyncio.run(main())
    assert numbers == [1, 2, 1]


def waits(retry: Retry, number: int) -> list[int]:
    call = retry.start()
    decisions = [call.failed() for _ in range(number)]
    return [decision.delay_ns // 1_000_000 for decision in decisions if isinstance(decision, Wait)]


def test_the_shapes_of_backoff(clock: ManualClock) -> None:
    def plain(backoff: object) -> list[int]:
        return waits(Retry(clock=clock, max_attempts=9, jitter="none", backoff=backoff), 5)  # type: ignore[arg-type]

    assert plain("none") == [0, 0, 0, 0, 0]
    assert plain(constant("1s")) == [1000] * 5
    assert plain(linear(1, step=0.5, max=2)) == [1000, 1500, 2000, 2000, 2000]
    assert plain(exponential("100ms", max="1s")) == [100, 200, 400, 800, 1000]
    assert plain(exponential("100ms", multiplier=3, max="1s")) == [100, 300, 900, 1000, 1000]
    assert plain(schedule("1s", 2, timedelta(seconds=3))) == [1000, 2000, 3000, 3000, 3000]


def test_jitter_stays_within_its_bounds(clock: ManualClock) -> None:
    retry = Retry(clock=clock, max_attempts=900, backoff=constant("1s"), jitter=proportional(0.1))
    drawn = waits(retry, 800)
    assert len(set(drawn)) > 100
    assert 900 <= min(drawn) < max(drawn) <= 1100


def test_a_loop_of_ones_own_asks_what_follows(clock: ManualClock) -> None:
    retry = Retry(clock=clock, max_attempts=3, backoff=constant("1.5s"), jitter="none")
    call = retry.start("10s")
    assert call.remaining == 10.0
    match call.failed():
        case Wait(delay):
            assert delay == 1.5
        case other:
            raise AssertionError(other)
    assert call.failed(hint=3) == retry.start().failed(hint=3)
    match call.failed():
        case Stop(reason):
            assert reason == "attempts_exhausted"
        case other:
            raise AssertionError(other)
    assert repr(retry) == "<Retry: at most 3 attempts>"
    assert repr(retry.start().failed(retryable=False)) == "<Stop not_retryable>"
    assert repr(retry.start().failed()) == "<Wait 1500ms>"
    reasons = [retry.start("1s").failed(), retry.start().failed(hint="61s")]
    assert [stop.reason for stop in reasons if isinstance(stop, Stop)] == ["deadline", "hint_too_long"]


def test_calls_of_one_retry_do_not_share_their_count(clock: ManualClock) -> None:
    retry = Retry(clock=clock, max_attempts=2)
    one, two = retry.start(), retry.start()
    assert isinstance(one.failed(), Wait)
    assert isinstance(two.failed(), Wait)


def test_a_budget_limits_the_retries(clock: ManualClock) -> None:
    budget = Budget(ratio=0.5, min_per_second=0, burst=1, clock=clock)
    assert budget.withdraw()
    assert not budget.withdraw()
    budget.deposit()
    assert budget.tokens_micro == 500_000
    retry = Retry(clock=clock, budget=budget)
    assert isinstance(retry.start().failed(), Wait)
    exhausted = retry.start().failed()
    assert isinstance(exhausted, Stop)
    assert exhausted.reason == "budget_exhausted"
    assert budget.tokens_micro == 500_000
    assert Retry().budget is None
    assert Retry(budget=True).budget is not None


def test_a_seed_repeats_the_waits(clock: ManualClock) -> None:
    assert waits(Retry(clock=clock, seed=5), 2) == waits(Retry(clock=clock, seed=5), 2)
    assert waits(Retry(clock=clock, seed=2**64 - 1), 2)
    seed: object
    for seed in (-1, 2**64, True, "7", 1.0):
        with pytest.raises(InvalidPolicy, match="`seed`"):
            Retry(seed=seed)  # type: ignore[arg-type]
