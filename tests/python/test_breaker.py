"""The breaker alone: blocks, permits, calls, and the hands of an operator."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack
from contextvars import copy_context
from datetime import timedelta
from typing import Any

import pytest
from conftest import WAYS, Flaky, turns, ways
from overcurrent import Breaker, BreakerOpen, InvalidPolicy, ManualClock
from overcurrent._breaker import _under_way

ONE: Any = {"consecutive_failures": 1, "cooldown": "1s", "cooldown_jitter": 0}


@pytest.mark.parametrize("way", WAYS)
def test_it_opens_on_failures_and_closes_by_a_probe(way: str, clock: ManualClock) -> None:
    breaker = Breaker("db", clock=clock, **ONE)
    call = ways(flaky := Flaky(1), breaker)[way]
    with pytest.raises(ConnectionError) as caught:
        call()
    assert not hasattr(caught.value, "__notes__")
    assert (breaker.state, breaker.reason, breaker.retry_after) == ("open", "consecutive_failures", 1.0)
    with pytest.raises(BreakerOpen, match="breaker `db` is open, retry after 1 s"):
        call()
    assert flaky.calls == 1
    clock.advance(1)
    assert call() == 2
    assert (breaker.state, breaker.reason, breaker.retry_after) == ("closed", None, None)


def test_a_block_is_a_call(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, on=OSError, **ONE)
    with breaker as entered:
        assert entered is breaker
    with pytest.raises(KeyError), breaker:
        raise KeyError
    assert breaker.state == "closed"
    with pytest.raises(OSError, match="mine"), breaker:
        raise OSError("mine")
    assert breaker.state == "open"
    with pytest.raises(BreakerOpen), breaker:
        raise AssertionError

    async def main() -> None:
        clock.advance("1s")
        async with breaker:
            assert breaker.state == "half_open"
        assert breaker.state == "closed"

    asyncio.run(main())


def test_blocks_can_be_nested_and_interleaved(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, probes=2, close_after=2, **ONE)
    other = Breaker("other", clock=clock, **ONE)
    breaker.trip("1s")
    clock.advance("1s")
    with breaker, other, breaker, pytest.raises(BreakerOpen):
        breaker.acquire()
    assert (breaker.state, other.state) == ("closed", "closed")

    def steps() -> Iterator[None]:
        with breaker:
            yield

    one, two = steps(), steps()
    next(one), next(two)
    assert (list(one), list(two)) == ([], [])

    breaker.trip("1s")
    clock.advance("1s")

    async def main() -> None:
        async def use(fails: bool) -> None:
            async with breaker:
                await turns(3 if fails else 1)
                if fails:
                    raise ConnectionError

        results = await asyncio.gather(use(True), use(False), return_exceptions=True)
        assert isinstance(results[0], ConnectionError)
        assert results[1] is None

    asyncio.run(main())
    assert (breaker.state, breaker.reason) == ("open", "probe_failed")


def test_a_block_can_be_on_an_exit_stack(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, **ONE)

    def fail() -> None:
        with ExitStack() as stack:
            stack.enter_context(breaker)
            raise ConnectionError

    async def fail_later() -> None:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(breaker)
            raise ConnectionError

    with pytest.raises(ConnectionError):
        fail()
    assert breaker.state == "open"
    breaker.reset()
    with pytest.raises(ConnectionError):
        asyncio.run(fail_later())
    assert breaker.state == "open"


def test_a_block_can_be_left_in_another_context_than_it_was_entered_in(clock: ManualClock) -> None:
    """As in a generator that different tasks or threads ask for its items: a fixture, say."""
    breaker = Breaker(clock=clock, **ONE)
    other = Breaker("other", clock=clock, **ONE)

    def block() -> Iterator[None]:
        with other, breaker:
            yield

    def begin() -> Iterator[None]:
        items = block()
        copy_context().run(next, items)
        return items

    with pytest.raises(ConnectionError):
        copy_context().run(begin().throw, ConnectionError())  # type: ignore[attr-defined]
    assert (breaker.state, other.state) == ("open", "open")
    clock.advance("1s")
    probe = begin()
    assert breaker.state == "half_open"
    assert list(probe) == []
    assert (breaker.state, other.state) == ("closed", "closed")

    async def main() -> None:
        async def later() -> AsyncIterator[None]:
            async with breaker:
                yield

        items: Any = later()
        await asyncio.create_task(anext(items))
        with pytest.raises(ConnectionError):
            await asyncio.create_task(items.athrow(ConnectionError()))

    asyncio.run(main())
    assert breaker.state == "open"


def test_of_blocks_that_are_left_elsewhere_each_counts_once(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, window={"calls": 4}, minimum_calls=4, failure_rate=0.75)

    def block() -> Iterator[None]:
        with breaker:
            yield

    begun: list[Any] = [block() for _ in range(3)]
    for items in begun:
        copy_context().run(next, items)
    with breaker:
        for items in begun[:2]:
            with pytest.raises(ConnectionError):
                items.throw(ConnectionError())
        # The first of those was taken for this one, so another one is taken for this one.
    assert breaker.state == "closed"
    with pytest.raises(ConnectionError):
        begun[2].throw(ConnectionError())
    assert breaker.state == "open"
    breaker.__exit__(None, None, None)  # of a block that was not entered; it is left alone
    assert not [block for block in _under_way if block.breaker is breaker]


def test_a_permit_is_used_up_by_one_outcome(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=2)
    permit = breaker.acquire()
    for _ in range(5):
        permit.failure()
    assert breaker.state == "closed"
    breaker.acquire().failure()
    assert breaker.state == "open"


def test_letting_go_of_a_permit_is_a_cancellation(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, **ONE)
    breaker.trip(timedelta(seconds=1))
    clock.advance(timedelta(seconds=1))
    permit = breaker.acquire()
    with pytest.raises(BreakerOpen):
        breaker.acquire()
    del permit
    with breaker.acquire():
        pass
    with breaker.acquire() as permit:
        permit.success()
    assert breaker.state == "closed"


def test_the_duration_of_a_permit_is_measured_or_given(clock: ManualClock) -> None:
    def breaker() -> Breaker:
        return Breaker(clock=clock, window={"calls": 1}, slow_call="1s", minimum_calls=1)

    measured = breaker()
    permit = measured.acquire()
    clock.advance("1s")
    permit.success()
    assert (measured.state, measured.reason) == ("open", "slow_rate")
    given = breaker()
    given.acquire().success(0.999)
    assert given.state == "closed"
    given.acquire().success(took="1s")
    assert given.state == "open"
    with pytest.raises(InvalidPolicy, match="`took`: `-1` must not be negative"):
        breaker().acquire().success(-1)


def test_late_outcomes_change_nothing_but_their_count(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, **ONE)
    early = breaker.acquire()
    breaker.reset()
    early.failure()
    assert (breaker.state, breaker.late) == ("closed", 1)


def test_an_operator_has_the_last_word(clock: ManualClock) -> None:
    breaker = Breaker("db", clock=clock, **ONE)
    breaker.force_open()
    assert breaker.state == "forced_open"
    with pytest.raises(BreakerOpen) as caught:
        breaker.acquire()
    assert (caught.value.reason, caught.value.retry_after) == ("forced_open", None)
    assert str(caught.value) == "breaker `db` is forced_open"
    breaker.force_closed()
    assert breaker.state == "forced_closed"
    breaker.acquire().failure()
    assert breaker.state == "forced_closed"
    breaker.automatic()
    assert breaker.state == "closed"
    breaker.trip()
    assert (breaker.retry_after, breaker.reason) == (1.0, "manual")
    breaker.reset()
    assert breaker.state == "closed"
    with pytest.raises(InvalidPolicy, match="invalid policy at `for`: `25h` must be at most 24h"):
        breaker.trip("25h")


def test_a_snapshot_moves_the_state_to_another_breaker(clock: ManualClock) -> None:
    one, two = Breaker(clock=clock, **ONE), Breaker(clock=ManualClock(), **ONE)
    one.trip("3s")
    clock.advance("1s")
    snapshot = json.loads(json.dumps(one.snapshot()))
    assert snapshot == {
        "version": 1,
        "state": "open",
        "override": None,
        "remaining_ns": 2_000_000_000,
        "opens": 0,
        "reason": "manual",
    }
    two.restore(snapshot)
    assert (two.state, two.retry_after) == ("open", 2.0)
    for change in (
        {"version": 2},
        {"state": "ajar"},
        {"more": 1},
        {"remaining_ns": 10**18},
        {"reason": "no"},
    ):
        with pytest.raises(InvalidPolicy, match="snapshot"):
            two.restore(snapshot | change)
    assert two.state == "open"


def test_its_name_is_its_own_or_a_plain_one() -> None:
    assert Breaker("db").name == "db"
    assert Breaker().name == "breaker"
    assert repr(Breaker("db")) == "<Breaker `db`: closed>"


def test_without_a_seed_cooldowns_differ() -> None:
    def cooldown() -> float | None:
        breaker = Breaker(clock=ManualClock(), consecutive_failures=1, cooldown="60s", cooldown_jitter=1)
        breaker.acquire().failure()
        return breaker.retry_after

    assert len({cooldown() for _ in range(10)}) > 1


def test_a_breaker_is_collected_with_its_hooks() -> None:
    class Client:
        def __init__(self) -> None:
            self.breaker = Breaker(classify=self.classify)

        def classify(self, result: object) -> None: ...

    client = Client()
    assert client.breaker.call(int) == 0
    ref = weakref.ref(client.breaker)
    del client
    gc.collect()
    assert ref() is None
