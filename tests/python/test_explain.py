"""What guards, breakers and errors say of themselves. The words are the core's; here, that they come out."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Any

import overcurrent
import pytest
from conftest import Flaky, forever, turns, ways
from overcurrent import (
    AttemptTimeout,
    Breaker,
    BreakerOpen,
    DeadlineExceeded,
    Failure,
    Guard,
    InvalidPolicy,
    ManualClock,
    Retry,
    constant,
    explain,
)

TWICE: Any = {"max_attempts": 2, "backoff": constant("1s"), "jitter": "none", "budget": False}
every_way = pytest.mark.parametrize("way", tuple(ways(Flaky(0), lambda fn: fn)))


def raised(call: Callable[[], Any]) -> Exception:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        call()
    return caught.value


@every_way
def test_an_own_error_says_what_became_of_its_call(way: str, clock: ManualClock) -> None:
    guard = Guard("payments", clock=clock, retry=TWICE)
    error = raised(ways(Flaky(9), guard)[way])
    assert explain(error) == "failed in 2 attempts within 1 s, not tried again: no more attempts are allowed"
    assert type(error) is ConnectionError
    assert error.args == ("call 2",)


def test_it_says_why_there_was_no_further_attempt(clock: ManualClock) -> None:
    final = Guard("g", clock=clock, classify=lambda result: Failure(retryable=False))
    assert explain(raised(lambda: final.call(Flaky(9)))) == (
        "failed in 1 attempt within 0 ms, not tried again: trying again would not cure it"
    )
    alone = Retry(clock=clock, max_attempts=1)
    assert explain(raised(lambda: alone.call(Flaky(9)))) == (
        "failed in 1 attempt within 0 ms, not tried again: no more attempts are allowed"
    )


def test_a_rejection_says_what_the_breaker_said() -> None:
    breaker = Breaker("payments", clock=ManualClock())
    breaker.trip("2s")
    error = raised(lambda: breaker.call(int))
    assert explain(error) == "not called: breaker `payments` was open, for 2 s more when it was asked"
    assert explain(BreakerOpen("other", "forced_open")) == "not called: breaker `other` was forced open"


def test_timeouts_say_which_limit_it_was(clock: ManualClock) -> None:
    guard = Guard("payments", clock=clock, attempt_timeout="1s", deadline="3s", retry=TWICE)
    error = raised(lambda: guard.call(clock.advance, "1s"))
    assert isinstance(error, AttemptTimeout)
    assert explain(error) == (
        "attempt 2 of `payments` was cut after 1 s, not tried again: no more attempts are allowed"
    )
    assert explain(AttemptTimeout("g", 1, 0.25)) == "attempt 1 of `g` was cut after 250 ms"

    async def main() -> None:
        unbounded = Guard("payments", clock=clock, attempt_timeout=False, deadline="3s", retry=TWICE)
        task = asyncio.create_task(unbounded.acall(forever))
        await turns()
        clock.advance("3s")
        with pytest.raises(DeadlineExceeded) as caught:
            await task
        assert explain(caught.value) == "the call of `payments` had 3 s and used them up, in 1 attempt"

    asyncio.run(main())


def test_what_no_call_was_given_up_with_says_nothing() -> None:
    assert explain(ValueError("mine")) is None
    guard = Guard("g", ignore=ConnectionError)
    assert explain(raised(lambda: guard.call(Flaky(9)))) is None
    assert explain(InvalidPolicy("path", "value", "rule")) is None
    assert explain(KeyboardInterrupt()) is None
    with pytest.raises(TypeError):
        explain("no error")  # type: ignore[arg-type]


def test_the_account_goes_where_the_error_goes(clock: ManualClock) -> None:
    error = raised(lambda: Guard("g", clock=clock, retry=TWICE).call(Flaky(9)))
    again = pickle.loads(pickle.dumps(error))
    assert explain(again) == explain(error)
    timeout = raised(lambda: Guard("g", clock=clock, retry=False).call(clock.advance, "60s"))
    assert explain(pickle.loads(pickle.dumps(timeout))) == explain(timeout)


def test_of_an_error_that_is_raised_again_the_last_call_is_told(clock: ManualClock) -> None:
    error = ConnectionError()

    def fail() -> None:
        raise error

    for attempts, said in ((2, "2 attempts"), (3, "3 attempts")):
        retry: Any = {**TWICE, "max_attempts": attempts}
        guard = Guard("g", clock=clock, retry=retry)
        raised(lambda guard=guard: guard.call(fail))  # type: ignore[misc]
        assert said in str(explain(error))


class Closed(Exception):
    """An error that refuses what is not its own."""

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


def test_an_error_that_refuses_an_account_is_handed_over_without_one(clock: ManualClock) -> None:
    def fail() -> None:
        raise Closed("mine")

    error = raised(lambda: Guard("g", clock=clock, retry=TWICE).call(fail))
    assert type(error) is Closed
    assert explain(error) is None


def test_a_guard_says_what_its_calls_came_to_and_where_its_breaker_stands(clock: ManualClock) -> None:
    guard = Guard(
        "payments", clock=clock, retry=False, breaker={"consecutive_failures": 1, "cooldown_jitter": 0}
    )
    guard.call(int)
    raised(lambda: guard.call(Flaky(9)))
    clock.advance("1s")
    assert guard.breaker is not None
    assert guard.explain().splitlines() == [
        "guard `payments`: 2 calls, of which 0 in flight: 1 success, 1 failure",
        "  1 call not retried: 1 attempts_exhausted",
        *guard.breaker.explain().splitlines(),
    ]
    assert guard.breaker.explain().splitlines() == [
        "breaker `payments`: open for 4 s more: 1 call failed in a row; then a probe decides",
        "  1 s ago: closed to open, consecutive_failures",
    ]
    assert overcurrent.explain is explain
