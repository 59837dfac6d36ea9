"""`overcurrent.testing`: calls that do not sleep, and calls that go straight through."""

from __future__ import annotations

import asyncio
import doctest
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import TWO, WAYS, Flaky, counted, turns, ways
from overcurrent import (
    Breaker,
    BreakerOpen,
    Budget,
    Guard,
    ManualClock,
    Retry,
    Stop,
    constant,
    current_attempt,
    testing,
)
from overcurrent.testing import capture_events, disabled, instant

PAGE = Path(__file__).parents[2] / "docs/python/testing.md"
HOURLY: Any = {"backoff": constant("1h"), "jitter": "none"}


def sleeps(retry: Retry) -> bool:
    """Whether a call of it sleeps; no test does, so it raises."""
    with suppress(AssertionError):
        retry.call(Flaky(1))
        return False
    return True


def passes(breaker: Breaker) -> bool:
    """Whether a call goes through a breaker that is open."""
    breaker.force_open()
    try:
        breaker.call(int)
    except BreakerOpen:
        return False
    return True


def test_the_examples_run() -> None:
    done = doctest.testmod(testing)
    assert done.attempted >= 8
    assert done.failed == 0


def test_the_page_runs(pytester: pytest.Pytester) -> None:
    """Its blocks, in their order, are one file of tests."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    pytester.makepyfile("\n".join(blocks))
    pytester.runpytest_subprocess("-Werror").assert_outcomes(passed=8)


class TestInstant:
    @pytest.mark.parametrize("way", WAYS)
    def test_waits_take_no_time_and_count_as_passed(self, way: str) -> None:
        retry = Retry(max_attempts=3, **HOURLY)
        with instant(), pytest.raises(ConnectionError, match="call 3") as caught:
            ways(Flaky(3), retry)[way]()
        note = re.fullmatch(r"retry gave up after 3 attempts in (.+) h: (.+)", caught.value.__notes__[0])
        assert note is not None
        assert 2 <= float(note[1]) <= 2.5
        assert note[2] == "attempts_exhausted"

    @pytest.mark.parametrize("way", WAYS)
    def test_a_deadline_is_not_slept_past(self, way: str) -> None:
        guard = Guard("pay", deadline="4.5h", retry=Retry(max_attempts=10, **HOURLY))
        with instant(), pytest.raises(ConnectionError, match="call 5") as caught:
            ways(Flaky(10), guard)[way]()
        assert caught.value.__notes__[0].endswith(": deadline")

    @pytest.mark.parametrize("way", WAYS)
    def test_a_call_that_waits_for_an_open_breaker_probes_it(self, way: str) -> None:
        guard = Guard("pay", deadline="5h", when_open="wait")
        assert guard.breaker is not None
        guard.breaker.trip("1h")
        with instant():
            assert ways(Flaky(0), guard)[way]() == 1
        assert guard.breaker.state == "closed"

    def test_blocks_do_not_sleep_either(self) -> None:
        retry = Retry(**HOURLY)
        made = []

        async def main() -> None:
            async for attempt in retry:
                async with attempt:
                    made.append(attempt.number)
                    if attempt.number < 2:
                        raise ConnectionError

        with instant():
            for attempt in retry:
                with attempt:
                    made.append(attempt.number)
                    if attempt.number < 2:
                        raise ConnectionError
            asyncio.run(main())
        assert made == [1, 2, 1, 2]

    def test_a_wait_ages_nobody_else(self) -> None:
        """A call inside an attempt waits for hours; the attempt had minutes, and is in time."""
        outer = Guard("outer", attempt_timeout="10m", deadline="30m", breaker=TWO, retry=False)
        inner = Retry(**HOURLY)
        with instant():
            assert outer.call(inner.call, Flaky(2)) == 3
        assert counted(outer) == 0

    def test_other_tasks_get_their_turn(self) -> None:
        retry = Retry(max_attempts=1000, **HOURLY)
        calls = 0

        async def fail() -> None:
            nonlocal calls
            calls += 1
            raise ConnectionError

        async def main() -> None:
            task = asyncio.create_task(retry.acall(fail))
            await turns(10)
            assert 1 < calls < 1000
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        with instant():
            asyncio.run(main())

    def test_a_manual_clock_is_moved_as_ever(self, clock: ManualClock) -> None:
        retry = Retry(clock=clock, **HOURLY)
        with instant():
            assert retry.call(Flaky(2)) == 3
        assert clock.now_ns == 7200 * 10**9

    def test_it_ends_with_its_block(self) -> None:
        retry = Retry(**HOURLY)
        assert sleeps(retry)
        with instant():
            assert not sleeps(retry)
        assert sleeps(retry)


class TestDisabled:
    @pytest.mark.parametrize("way", WAYS)
    @pytest.mark.parametrize("subject", [Guard("g"), Breaker("b", consecutive_failures=1), Retry(**HOURLY)])
    def test_there_is_one_attempt_and_the_error_is_untouched(
        self, way: str, subject: Guard | Breaker | Retry
    ) -> None:
        flaky = Flaky(9)
        with disabled():
            for calls in (1, 2):
                with pytest.raises(ConnectionError, match=f"call {calls}") as caught:
                    ways(flaky, subject)[way]()
                assert not hasattr(caught.value, "__notes__")
                assert caught.value.__cause__ is None
                assert caught.value.__context__ is None

    @pytest.mark.parametrize("way", WAYS)
    def test_an_open_breaker_lets_through(self, way: str) -> None:
        guard = Guard("pay")
        assert guard.breaker is not None
        guard.breaker.force_open()
        with disabled():
            assert ways(Flaky(0), guard)[way]() == 1
        assert guard.breaker.state == "forced_open"

    @pytest.mark.parametrize("way", WAYS)
    def test_nothing_is_counted(self, way: str, clock: ManualClock) -> None:
        budget = Budget(min_per_second=0, clock=clock)
        assert budget.withdraw()
        guard = Guard("pay", clock=clock, breaker=TWO, retry=Retry(budget=budget, **HOURLY))
        with disabled(), pytest.raises(ConnectionError):
            ways(Flaky(9), guard)[way]()
        assert counted(guard) == 0
        assert budget.tokens_micro == 9_000_000
        assert clock.now_ns == 0

    @pytest.mark.parametrize("way", WAYS)
    def test_no_hook_runs(self, way: str) -> None:
        asked: list[Any] = []

        def classify(result: object) -> None:
            asked.append(result)

        guard = Guard("pay", on=asked.append, ignore=asked.append, classify=classify)  # type: ignore[arg-type]
        with disabled():
            assert ways(Flaky(0), guard)[way]() == 1
            with suppress(ConnectionError):
                ways(Flaky(1), guard)[way]()
        assert asked == []

    def test_nothing_is_cut(self, clock: ManualClock) -> None:
        guard = Guard("pay", clock=clock, attempt_timeout="1s", deadline="1s")
        seen = []

        async def slow() -> str:
            attempt = current_attempt()
            seen.append((attempt.number, attempt.remaining, attempt.elapsed, attempt.stop))
            clock.advance("1h")
            await turns()
            return "late"

        with disabled():
            assert asyncio.run(guard.acall(slow)) == "late"
        assert seen == [(1, None, None, None)]

    @pytest.mark.parametrize("way", WAYS)
    def test_nothing_is_told(self, way: str) -> None:
        guard = Guard("pay", breaker={"consecutive_failures": 1})
        with disabled(), capture_events() as events, pytest.raises(ConnectionError):
            ways(Flaky(1), guard)[way]()
        assert events == []

    def test_an_attempt_has_its_key(self) -> None:
        guard = Guard("pay")
        with disabled():
            first, second = (guard.call(lambda: current_attempt().idempotency_key) for _ in range(2))
        assert first != second

    def test_blocks_go_straight_through(self, clock: ManualClock) -> None:
        guard = Guard("pay", clock=clock, breaker=TWO, retry=HOURLY)
        breaker = guard.breaker
        assert breaker is not None
        numbers = []

        async def main() -> None:
            async for attempt in guard:
                async with attempt:
                    numbers.append(attempt.number)
                    raise ConnectionError

        with disabled():
            with pytest.raises(ConnectionError):
                for attempt in guard:
                    with attempt:
                        numbers.append(attempt.number)
                        raise ConnectionError
            with pytest.raises(ConnectionError):
                asyncio.run(main())
            with pytest.raises(ConnectionError), breaker:
                raise ConnectionError
        assert numbers == [1, 1]
        assert counted(guard) == 0

    def test_what_is_asked_by_hand(self) -> None:
        breaker = Breaker(consecutive_failures=1)
        budget = Budget(min_per_second=0, ratio=1)
        budget.withdraw()
        with disabled():
            breaker.acquire().failure()
            call = Retry(budget=budget).start("1s")
            assert call.remaining is None
            decision = call.failed()
            assert isinstance(decision, Stop)
            assert decision.reason == "attempts_exhausted"
        assert breaker.state == "closed"
        assert budget.tokens_micro == 9_000_000

    def test_a_call_keeps_to_what_was_so_when_it_began(self) -> None:
        breaker = Breaker(consecutive_failures=1)

        def fail_in(block: Any) -> None:
            with block:
                pass
            raise ConnectionError

        with disabled(), breaker:
            straight = breaker.acquire()
        straight.failure()
        assert breaker.state == "closed"
        with pytest.raises(ConnectionError):
            breaker.call(fail_in, disabled())
        assert breaker.state == "open"

    def test_it_ends_with_its_block(self) -> None:
        breaker = Breaker()
        assert not passes(breaker)
        with disabled():
            assert passes(breaker)
        assert not passes(breaker)


class TestSwitches:
    """What both have in common, shown by `disabled`."""

    def test_they_nest(self) -> None:
        breaker = Breaker()
        with disabled():
            with disabled():
                assert passes(breaker)
            assert passes(breaker)
        assert not passes(breaker)

    def test_they_may_overlap_and_be_used_again(self) -> None:
        breaker = Breaker()
        one, other = disabled(), disabled()
        for _ in range(2):
            one.__enter__()
            other.__enter__()
            one.__exit__(None, None, None)
            assert passes(breaker)
            other.__exit__(None, None, None)
            assert not passes(breaker)

    def test_an_error_leaves_them(self) -> None:
        with pytest.raises(ConnectionError), disabled():
            raise ConnectionError
        assert not passes(Breaker())

    def test_they_are_asynchronous_too(self) -> None:
        breaker = Breaker()

        async def main() -> None:
            async with disabled():
                assert passes(breaker)

        asyncio.run(main())
        assert not passes(breaker)

    def test_left_too_often_one_stays_off(self) -> None:
        block = disabled()
        block.__exit__(None, None, None)
        assert not passes(Breaker())
        with block:
            assert passes(Breaker())
        assert not passes(Breaker())


class TestPlugin:
    def test_the_fixtures(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile("""
            from overcurrent import Breaker, ManualClock, Retry, constant

            def test_clock(overcurrent_clock):
                assert isinstance(overcurrent_clock, ManualClock)
                assert overcurrent_clock.now_ns == 0

            def test_instant(overcurrent_instant):
                answers = iter([None, "receipt"])
                retry = Retry(backoff=constant("1h"), classify=lambda answer: None if answer else "failure")
                assert retry.call(next, answers) == "receipt"

            def test_disabled(overcurrent_disabled):
                breaker = Breaker()
                breaker.force_open()
                assert breaker.call(int) == 0

            def test_none_outlasts_its_test():
                import pytest
                from overcurrent import BreakerOpen
                breaker = Breaker()
                breaker.force_open()
                with pytest.raises(BreakerOpen):
                    breaker.call(int)
        """)
        pytester.runpytest_subprocess().assert_outcomes(passed=4)

    def test_it_imports_nothing_until_a_fixture_is_used(self, pytester: pytest.Pytester) -> None:
        pytester.makepyfile("""
            import sys

            def test_before():
                assert "_overcurrent_pytest" in sys.modules
                assert not [name for name in sys.modules if name.partition(".")[0] == "overcurrent"]

            def test_after(overcurrent_clock):
                assert "overcurrent" in sys.modules
        """)
        pytester.runpytest_subprocess().assert_outcomes(passed=2)
