"""The guard: every way to call through it, what comes back, and what it is asked on the way."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import time
import weakref
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from conftest import WAYS, Flaky, frames, ways
from overcurrent import (
    AttemptTimeout,
    BreakerOpen,
    DeadlineExceeded,
    Failure,
    Guard,
    ManualClock,
    constant,
)

every_way = pytest.mark.parametrize("way", WAYS)


# --- calling -------------------------------------------------------------------------------------


def test_a_call_hands_arguments_and_result_through(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock)

    def add(a: int, *, b: int) -> int:
        return a + b

    async def later(a: int, *, b: int) -> int:
        return a + b

    assert guard.call(add, 1, b=2) == 3
    assert guard(add)(1, b=2) == 3
    assert asyncio.run(guard.acall(later, 1, b=2)) == 3
    assert asyncio.run(guard.wrap(later)(1, b=2)) == 3


def test_a_decorated_function_looks_like_itself() -> None:
    guard = Guard("g")

    @guard
    def charge(order: str, *, twice: bool = False) -> str:
        """Charge it."""
        return order

    @guard
    async def later(order: str) -> str:
        return order

    assert (charge.__name__, charge.__doc__) == ("charge", "Charge it.")
    assert str(inspect.signature(charge)) == "(order: 'str', *, twice: 'bool' = False) -> 'str'"
    assert not inspect.iscoroutinefunction(charge)
    assert inspect.iscoroutinefunction(later)


def test_methods_are_bound_to_their_object() -> None:
    guard = Guard("g")

    class Client:
        @guard
        def plain(self, x: int) -> tuple[object, int]:
            return self, x

        @guard
        async def later(self) -> object:
            return self

        @guard
        @classmethod
        def above_class(cls) -> object:
            return cls

        @classmethod
        @guard
        def below_class(cls) -> object:
            return cls

        @guard
        @staticmethod
        def static(x: int) -> int:
            return x

    client = Client()
    assert client.plain(1) == (client, 1)
    assert asyncio.run(client.later()) is client
    assert Client.above_class() is Client.below_class() is client.above_class() is Client
    assert Client.static(2) == client.static(2) == 2


def test_partials_and_objects_are_called_as_what_they_are() -> None:
    guard = Guard("g")

    class Later:
        async def __call__(self) -> int:
            return 1

    async def add(a: int, b: int) -> int:
        return a + b

    assert asyncio.run(guard(functools.partial(add, 1))(2)) == 3
    assert asyncio.run(guard(Later())()) == 1
    assert guard(functools.partial(int, "7"))() == 7


def test_an_awaitable_that_is_no_coroutine_can_be_called() -> None:
    async def main() -> int:
        future = asyncio.get_running_loop().create_future()
        future.set_result(5)
        return await Guard("g").acall(lambda: future)

    assert asyncio.run(main()) == 5


def test_what_cannot_be_guarded_is_refused() -> None:
    guard = Guard("g")

    async def coroutine() -> None: ...

    asynchronous: Any = coroutine
    with pytest.raises(TypeError, match="acall"):
        guard.call(asynchronous)


@every_way
def test_it_retries_until_it_succeeds(way: str, clock: ManualClock) -> None:
    guard = Guard(
        "g", clock=clock, seed=1, retry={"max_attempts": 4, "backoff": constant("1s"), "jitter": "none"}
    )
    flaky = Flaky(3)
    assert ways(flaky, guard)[way]() == 4
    assert clock.now_ns == 3_000_000_000


def test_the_same_seed_waits_alike_however_it_is_called() -> None:
    waited = set()
    for way in WAYS:
        clock = ManualClock()
        ways(Flaky(2), Guard("g", clock=clock, seed=7))[way]()
        waited.add(clock.now_ns)
    assert len(waited) == 1
    assert waited != {0}


@every_way
def test_no_wait_is_no_sleep(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from overcurrent import _tasks

    monkeypatch.delattr(_tasks, "sleep")
    guard = Guard("g", retry={"max_attempts": 3, "backoff": "none"})
    assert ways(Flaky(2), guard)[way]() == 3


# --- what comes back -----------------------------------------------------------------------------


@every_way
def test_the_own_last_error_comes_back_with_an_account(way: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, retry={"backoff": constant("1s"), "jitter": "none"})
    flaky = Flaky(9)
    with pytest.raises(ConnectionError, match="call 3") as caught:
        ways(flaky, guard)[way]()
    assert caught.value.__notes__ == ["guard `pay` gave up after 3 attempts in 2 s: attempts_exhausted"]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert len(frames(caught.value)) == 1


@every_way
def test_an_error_from_before_a_wait_is_still_the_own_one(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The breaker is opened by somebody else while the call waits."""
    from overcurrent import _tasks

    guard = Guard("pay", retry={"backoff": constant("1s"), "jitter": "none"})
    assert guard.breaker is not None
    force_open = guard.breaker.force_open
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        force_open()

    async def sleep_later(call: Any, seconds: float) -> None:
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(_tasks, "sleep", sleep_later)
    with pytest.raises(ConnectionError, match="call 1") as caught:
        ways(Flaky(9), guard)[way]()
    assert slept == [1.0]
    assert len(frames(caught.value)) == 1
    assert caught.value.__notes__[0].endswith("breaker_open")


def test_an_error_object_raised_again_and_again_does_not_collect_notes(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock)
    error = ConnectionError()

    def fail() -> None:
        raise error

    for _ in range(3):
        with pytest.raises(ConnectionError):
            guard.call(fail)
    assert len(error.__notes__) == 1


class Own(Exception): ...


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("way", WAYS[:2])
def test_an_error_leaves_no_reference_cycle(way: str, clock: ManualClock) -> None:
    call = ways(Flaky(9, Own), Guard("g", clock=clock, retry={"backoff": constant("1s")}))[way]

    def fail() -> weakref.ref[Own] | None:
        try:
            call()
        except Own as error:
            return weakref.ref(error)
        return None

    error = fail()
    assert error is not None
    assert error() is None


@pytest.mark.usefixtures("no_collection")
def test_an_asynchronous_error_leaves_no_reference_cycle(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry={"backoff": constant("1s")})

    async def fail(call: Callable[[], Awaitable[int]]) -> weakref.ref[Own] | None:
        try:
            await call()
        except Own as error:
            return weakref.ref(error)
        return None

    async def loop() -> int:
        async for attempt in guard:
            with attempt:
                await asyncio.sleep(0)
                raise Own
        return 0

    async def main() -> None:
        for call in (lambda: guard.acall(Flaky(9, Own).later), guard(Flaky(9, Own).later), loop):
            error = await fail(call)
            assert error is not None
            assert error() is None

    asyncio.run(main())


def test_a_failing_value_is_returned_when_retries_end(clock: ManualClock) -> None:
    def classify(result: object) -> Failure | None:
        return Failure(hint="2s") if result == 503 else None

    guard = Guard("g", clock=clock, seed=1, classify=classify, retry={"max_attempts": 3, "jitter": "none"})
    calls = []

    def fetch() -> int:
        calls.append(clock.now_ns)
        return 503

    async def later() -> int:
        return fetch()

    assert guard.call(fetch) == 503
    assert calls == [0, 2_000_000_000, 4_000_000_000]
    calls.clear()
    assert asyncio.run(guard.acall(later)) == 503
    assert len(calls) == 3


@every_way
def test_a_deadline_has_the_last_error_as_its_cause(way: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, deadline="5s", attempt_timeout=False, retry={"backoff": "none"})

    class Slow(Flaky):
        def __call__(self) -> int:
            if self.calls == 1:
                clock.advance("10s")
            return super().__call__()

    with pytest.raises(DeadlineExceeded) as caught:
        ways(Slow(2), guard)[way]()
    assert str(caught.value) == "call of `pay` exceeded its deadline of 5 s in attempt 2"
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert "call 1" in str(caught.value.__cause__)
    assert isinstance(caught.value, TimeoutError)


def test_a_deadline_names_the_attempt_that_timed_out_before_it(clock: ManualClock) -> None:
    retry: Any = {"max_attempts": 9, "backoff": "none"}
    guard = Guard("pay", clock=clock, deadline="5s", attempt_timeout="2s", retry=retry)
    with pytest.raises(DeadlineExceeded) as caught:
        guard.call(lambda: clock.advance("2s"))
    assert str(caught.value) == "call of `pay` exceeded its deadline of 5 s in attempt 3"
    assert str(caught.value.__cause__) == "attempt 2 of `pay` timed out after 2 s"


def test_a_blocking_function_is_judged_when_it_returns(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, attempt_timeout="1s", retry=False)

    def slow() -> str:
        clock.advance("1s")
        return "too late"

    with pytest.raises(AttemptTimeout) as caught:
        guard.call(slow)
    assert str(caught.value) == "attempt 1 of `pay` timed out after 1 s"
    assert (caught.value.guard, caught.value.attempt, caught.value.timeout) == ("pay", 1, 1.0)
    assert caught.value.__notes__ == ["guard `pay` gave up after 1 attempt in 1 s: attempts_exhausted"]


@every_way
def test_an_open_breaker_rejects_and_the_function_does_not_run(way: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock)
    assert guard.breaker is not None
    guard.breaker.trip("3s")
    flaky = Flaky(0)
    with pytest.raises(BreakerOpen) as caught:
        ways(flaky, guard)[way]()
    assert (caught.value.breaker, caught.value.reason, caught.value.retry_after) == ("pay", "open", 3.0)
    assert str(caught.value) == "breaker `pay` is open, retry after 3 s"
    assert flaky.calls == 0
    assert len(frames(caught.value)) == 1


@every_way
def test_it_can_wait_for_an_open_breaker(way: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, when_open="wait", retry={"jitter": "none"})
    assert guard.breaker is not None
    guard.breaker.trip("3s")
    assert ways(Flaky(0), guard)[way]() == 1
    assert clock.now_ns == 3_000_000_000
    assert guard.breaker.state == "closed"
