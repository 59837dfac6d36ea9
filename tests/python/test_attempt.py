"""The attempt as seen from inside, however deep and by whatever way."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from conftest import WAYS, Flaky, ways
from overcurrent import Attempt, Breaker, Guard, ManualClock, Retry, current_attempt


class Asking(Flaky):
    """A function that asks which attempt it is."""

    def __init__(self, failures: int) -> None:
        super().__init__(failures)
        self.attempts: list[Attempt] = []

    def __call__(self) -> int:
        self.attempts.append(current_attempt())
        return super().__call__()


@pytest.mark.parametrize("way", WAYS)
def test_a_function_can_ask_for_its_attempt(way: str, clock: ManualClock) -> None:
    asking = Asking(2)
    ways(asking, Guard("g", clock=clock, attempt_timeout="3s", deadline="60s"))[way]()
    assert [attempt.number for attempt in asking.attempts] == [1, 2, 3]
    assert len({attempt.idempotency_key for attempt in asking.attempts}) == 1
    with pytest.raises(LookupError, match="no attempt"):
        current_attempt()


def test_it_knows_what_time_is_left(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="3s")

    def ask() -> tuple[float | None, float | None]:
        clock.advance("1s")
        return current_attempt().remaining, current_attempt().elapsed

    assert guard.call(ask) == (2.0, 1.0)
    assert Retry(clock=clock).call(ask) == (None, 1.0)
    assert Breaker(clock=clock).call(ask) == (None, None)


def test_every_call_has_its_own_key() -> None:
    guard = Guard("g")
    keys = {guard.call(lambda: current_attempt().idempotency_key) for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {36}


def test_the_innermost_attempt_is_found(clock: ManualClock) -> None:
    retry: Any = {"backoff": "none"}
    outer, inner = Guard("outer", clock=clock, retry=retry), Guard("inner", clock=clock, retry=retry)

    def number() -> int:
        return current_attempt().number

    async def number_later() -> int:
        await asyncio.sleep(0)
        return number()

    def second() -> int:
        if number() == 1:
            raise ConnectionError
        return number()

    async def second_later() -> int:
        await asyncio.sleep(0)
        return second()

    async def all_ways() -> None:
        assert await number_later() == 1
        assert inner.call(second) == 2
        assert await inner.acall(second_later) == 2
        assert inner(second)() == 2
        assert await number_later() == 1

    asyncio.run(outer.acall(all_ways))
    outer.call(lambda: asyncio.run(all_ways()))

    def below() -> None:
        asyncio.run(inner.acall(second_later))
        assert number() == 1

    outer.call(below)


def test_tasks_and_threads_of_an_asynchronous_attempt_know_it(clock: ManualClock) -> None:
    def key() -> str:
        return current_attempt().idempotency_key

    async def ask() -> set[str]:
        async def later() -> str:
            await asyncio.sleep(0)
            return key()

        return {key(), *await asyncio.gather(later(), later()), await asyncio.to_thread(key)}

    assert len(asyncio.run(Guard("g", clock=clock).acall(ask))) == 1

    async def own() -> tuple[str, str]:
        one = key()
        await asyncio.sleep(0)
        return one, key()

    for unbounded in (
        Guard("g", clock=clock, attempt_timeout=False, deadline=False, breaker=False),
        Retry(clock=clock),
        Breaker(clock=clock),
    ):
        assert len({*asyncio.run(unbounded.acall(own)), *asyncio.run(unbounded(own)())}) == 2


def test_calls_of_other_threads_and_tasks_are_not_mistaken_for_it() -> None:
    guard = Guard("g")
    meet = threading.Barrier(2)
    keys: list[tuple[str, str]] = []

    def ask() -> None:
        meet.wait()
        one = current_attempt().idempotency_key
        meet.wait()
        keys.append((one, current_attempt().idempotency_key))

    threads = [threading.Thread(target=guard.call, args=(ask,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(one == two for one, two in keys)
    assert len(set(keys)) == 2

    async def ask_later() -> bool:
        one = current_attempt().idempotency_key
        await asyncio.sleep(0)
        return one == current_attempt().idempotency_key

    async def main() -> list[bool]:
        return await asyncio.gather(*(guard.acall(ask_later) for _ in range(5)))

    assert asyncio.run(main()) == [True] * 5


UNLIMITED: Any = {"deadline": False, "attempt_timeout": False}
HALF: Any = {"window": {"calls": 10}, "minimum_calls": 2, "failure_rate": 0.5, "probe_timeout": "30s"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "kind", ["guard", "guard without limits", "retry", "breaker", "breaker with slow calls"]
)
def test_to_ask_for_an_attempt_changes_nothing_else(kind: str, way: str, clock: ManualClock) -> None:
    """The call that is lent to whoever asks is the one that goes on; an asked success counts once."""
    retry: Any = {"backoff": "none"}
    policy: Any = {**HALF, "slow_call": "1h"} if "slow" in kind else HALF
    breaker = Breaker(clock=clock, **policy)
    subject: Any = {
        "guard": Guard("g", clock=clock, retry=retry, breaker=breaker),
        "guard without limits": Guard("g", clock=clock, retry=retry, breaker=breaker, **UNLIMITED),
        "retry": Retry(clock=clock, **retry),
    }.get(kind, breaker)
    retried = "breaker" not in kind

    class Twice(Asking):
        def __call__(self) -> int:
            self.attempts.append(current_attempt())
            return super().__call__()

    asking = Twice(2 if retried else 0)
    if kind.startswith("guard"):
        breaker.force_closed()
    ways(asking, subject)[way]()
    assert [attempt.number for attempt in asking.attempts] == ([1, 1, 2, 2, 3, 3] if retried else [1, 1])
    assert len({attempt.idempotency_key for attempt in asking.attempts}) == 1

    if kind != "retry":
        breaker.reset()
        ways(Twice(0), subject)[way]()
        assert breaker.state == "closed"
        breaker.acquire().failure()
        assert breaker.state == "open", "one success and one failure"
        assert breaker.late == 0
