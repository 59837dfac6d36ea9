"""The guard: every way to call through it, what comes back, and what it is asked on the way."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import logging
import threading
import time
import traceback
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import WAYS, Flaky, forever, turns, ways
from overcurrent import (
    AttemptTimeout,
    Breaker,
    BreakerOpen,
    Budget,
    DeadlineExceeded,
    Failure,
    Guard,
    InvalidPolicy,
    ManualClock,
    Retry,
    constant,
)

every_way = pytest.mark.parametrize("way", WAYS)


def frames(error: BaseException) -> list[str]:
    """The functions of this package among the frames of an error."""
    return [
        frame.name
        for frame in traceback.extract_tb(error.__traceback__)
        if "/overcurrent/_" in frame.filename
    ]


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

    def generator() -> Any:
        yield 1

    async def generator_later() -> Any:
        yield 1

    async def coroutine() -> None: ...

    for fn in (generator, generator_later):
        with pytest.raises(TypeError, match="generator"):
            guard(fn)
    with pytest.raises(TypeError, match="acall"):
        guard.call(coroutine)


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
    assert caught.value.__notes__ == ["guard `pay` gave up after 3 attempts in 2.000s: attempts_exhausted"]
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

    async def sleep_later(seconds: float) -> None:
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
    assert str(caught.value) == "call of `pay` exceeded its deadline of 5s in attempt 2"
    assert isinstance(caught.value.__cause__, ConnectionError)
    assert "call 1" in str(caught.value.__cause__)
    assert isinstance(caught.value, TimeoutError)


def test_a_blocking_function_is_judged_when_it_returns(clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, attempt_timeout="1s", retry=False)

    def slow() -> str:
        clock.advance("1s")
        return "too late"

    with pytest.raises(AttemptTimeout) as caught:
        guard.call(slow)
    assert str(caught.value) == "attempt 1 of `pay` timed out after 1s"
    assert (caught.value.guard, caught.value.attempt, caught.value.timeout) == ("pay", 1, 1.0)
    assert caught.value.__notes__ == ["guard `pay` gave up after 1 attempt in 1.000s: attempts_exhausted"]


@every_way
def test_an_open_breaker_rejects_and_the_function_does_not_run(way: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock)
    assert guard.breaker is not None
    guard.breaker.trip("3s")
    flaky = Flaky(0)
    with pytest.raises(BreakerOpen) as caught:
        ways(flaky, guard)[way]()
    assert (caught.value.breaker, caught.value.reason, caught.value.retry_after) == ("pay", "open", 3.0)
    assert str(caught.value) == "breaker `pay` is open, retry after 3s"
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


# --- what a result means -------------------------------------------------------------------------


def counted(guard: Guard) -> int:
    """How many failures the guard's breaker, which opens after two, has had: found by adding more."""
    assert guard.breaker is not None
    more = 0
    while guard.breaker.state == "closed":
        guard.breaker.acquire().failure()
        more += 1
    return 2 - more


TWO: Any = {"consecutive_failures": 2}


def test_other_errors_than_those_named_are_not_retried_nor_counted(clock: ManualClock) -> None:
    for hooks in ({"on": OSError}, {"on": (OSError, KeyError)}, {"ignore": ValueError}):
        guard = Guard("g", clock=clock, retry={"backoff": "none"}, breaker=TWO, **hooks)
        flaky = Flaky(9, ValueError)
        with pytest.raises(ValueError, match="call 1") as caught:
            guard.call(flaky)
        assert not hasattr(caught.value, "__notes__")
        assert counted(guard) == 0


def test_predicates_say_which_errors_count(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, breaker=TWO, retry=False, on=lambda error: "1" in str(error))
    flaky = Flaky(2)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            guard.call(flaky)
    assert counted(guard) == 1


@pytest.mark.parametrize(
    ("answer", "calls", "failures"),
    [
        ("success", 1, 0),
        ("ignored", 1, 0),
        ("failure", 3, 2),
        (Failure(retryable=False), 1, 1),
        (None, 3, 2),
    ],
)
def test_classify_is_asked_about_errors_first(
    answer: Any, calls: int, failures: int, clock: ManualClock
) -> None:
    guard = Guard("g", clock=clock, retry={"backoff": "none"}, breaker=TWO, classify=lambda _: answer)
    if failures == 2:
        guard = Guard("g", clock=clock, retry={"backoff": "none"}, breaker=False, classify=lambda _: answer)
    flaky = Flaky(9)
    with pytest.raises(ConnectionError):
        guard.call(flaky)
    assert flaky.calls == calls
    if guard.breaker is not None:
        assert counted(guard) == failures


def test_a_hook_that_fails_is_logged_and_changes_nothing(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(result: object) -> Any:
        raise RuntimeError("broken hook")

    guard = Guard("g", clock=clock, classify=broken, retry={"backoff": "none"})
    with caplog.at_level(logging.ERROR, logger="overcurrent"):
        assert guard.call(Flaky(2)) == 3
    assert len(caplog.records) == 3
    assert "`classify`" in caplog.text
    assert "broken hook" in caplog.text

    caplog.clear()
    wrong: Any = lambda _: "sucess"  # noqa: E731
    assert Guard("g", clock=clock, classify=wrong).call(Flaky(0)) == 1
    assert "not `'sucess'`" in caplog.text

    for hooks in ({"on": broken}, {"ignore": broken}):
        caplog.clear()
        assert Guard("g", clock=clock, **hooks).call(Flaky(1)) == 2
        assert len(caplog.records) == 1


def test_what_is_no_exception_leaves_a_hook_at_once(clock: ManualClock) -> None:
    def interrupted(result: object) -> Any:
        raise KeyboardInterrupt

    guard = Guard("g", clock=clock, classify=interrupted, breaker=TWO)
    with pytest.raises(KeyboardInterrupt):
        guard.call(Flaky(0))
    assert counted(guard) == 0


def test_hooks_of_the_wrong_type_are_refused() -> None:
    wrong: Any
    for wrong in (int, "ConnectionError", (ConnectionError, int), None, [ConnectionError]):
        with pytest.raises(TypeError, match="`on` must be"):
            Guard("g", on=wrong)
    wrong = 3
    with pytest.raises(TypeError, match="`classify` must be"):
        Guard("g", classify=wrong)


def test_a_rejection_by_another_guard_is_ignored(clock: ManualClock) -> None:
    inner, outer = Guard("inner", clock=clock), Guard("outer", clock=clock, breaker=TWO)
    assert inner.breaker is not None
    inner.breaker.force_open()
    calls = []

    def direct() -> None:
        calls.append(1)
        inner.call(lambda: None)

    def wrapped() -> None:
        try:
            direct()
        except BreakerOpen as error:
            raise RuntimeError from error

    with pytest.raises(BreakerOpen, match="inner"):
        outer.call(direct)
    with pytest.raises(RuntimeError):
        outer.call(wrapped)
    assert len(calls) == 2
    assert counted(outer) == 0


def test_the_hooks_of_its_parts_hold_where_a_guard_has_none(clock: ManualClock) -> None:
    for parts in (
        {"retry": Retry(on=OSError, backoff="none")},
        {"breaker": Breaker(on=OSError)},
        {"retry": Retry(on=OSError), "breaker": Breaker(on=KeyError)},
    ):
        flaky = Flaky(9, ValueError)
        with pytest.raises(ValueError, match="call 1"):
            Guard("g", clock=clock, **parts).call(flaky)
    flaky = Flaky(1, ValueError)
    guard = Guard("g", clock=clock, retry=Retry(on=OSError, backoff="none"), on=ValueError)
    assert guard.call(flaky) == 2


# --- its parts -----------------------------------------------------------------------------------


def test_parts_are_switched_off_by_false() -> None:
    guard = Guard("g", breaker=False, retry=False)
    assert guard.breaker is None
    assert guard.budget is None
    assert Guard("g", retry={"budget": False}).budget is None
    assert Guard("g").budget is not None


def test_a_breaker_without_name_clock_and_seed_takes_those_of_its_guard(clock: ManualClock) -> None:
    breaker = Breaker(consecutive_failures=1)
    guard = Guard("pay", breaker=breaker, clock=clock, seed=3, retry=False)
    assert guard.breaker is breaker
    assert breaker.name == "pay"
    with pytest.raises(ConnectionError):
        guard.call(Flaky(1))
    opened = breaker.retry_after
    assert opened is not None
    clock.advance("1s")
    assert breaker.retry_after == pytest.approx(opened - 1)
    again = Guard(
        "pay", breaker=Breaker(consecutive_failures=1), clock=(clock := ManualClock()), seed=3, retry=False
    )
    with pytest.raises(ConnectionError):
        again.call(Flaky(1))
    assert again.breaker is not None
    assert again.breaker.retry_after == opened


def test_a_breaker_is_shared_by_guards(clock: ManualClock) -> None:
    breaker = Breaker("db", consecutive_failures=1, clock=clock)
    reads, writes = Guard("reads", breaker=breaker, retry=False), Guard("writes", breaker=breaker)
    with pytest.raises(ConnectionError):
        reads.call(Flaky(1))
    with pytest.raises(BreakerOpen, match="`db`"):
        writes.call(Flaky(0))


def test_a_budget_is_shared_by_guards_and_retries(clock: ManualClock) -> None:
    budget = Budget(ratio=0, min_per_second=0, burst=2)
    one = Guard("one", clock=clock, retry=Retry(backoff="none", budget=budget))
    two = Guard("two", clock=clock, retry={"backoff": "none", "budget": budget})
    three = Retry(backoff="none", budget=budget)
    assert one.budget is two.budget is three.budget is budget
    assert one.call(Flaky(1)) == 2
    assert two.call(Flaky(1)) == 2
    for subject in (one, three):
        with pytest.raises(ConnectionError) as caught:
            subject.call(Flaky(1))
        assert caught.value.__notes__[0].endswith("budget_exhausted")


def test_parts_on_another_clock_are_refused(clock: ManualClock) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Guard("g", breaker=Breaker(clock=clock), clock=ManualClock())
    assert (caught.value.path, caught.value.rule) == ("breaker", "must be the clock of the guard")
    with pytest.raises(InvalidPolicy, match=r"retry\.budget"):
        Guard("g", retry=Retry(budget=Budget(clock=clock)), clock=ManualClock())


def test_a_shared_breaker_must_outlast_the_attempts() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Guard("g", breaker=Breaker(probe_timeout="1s"), attempt_timeout="2s")
    assert (caught.value.path, caught.value.value) == ("breaker.probe_timeout", "1s")


def test_the_breaker_of_a_guard_means_by_a_result_what_the_guard_does(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, breaker=TWO, on=OSError)
    assert guard.breaker is guard.breaker is not None
    with pytest.raises(ValueError, match="mine"), guard.breaker:
        raise ValueError("mine")
    assert counted(guard) == 0


def test_a_policy_is_read_from_a_file(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "overcurrent.toml"
    file.write_text('[policy.pay]\nretry = { max_attempts = 5, backoff = "none" }\n')
    guard = Guard.from_file(file, "pay", clock=clock)
    assert guard.name == "pay"
    assert guard.call(Flaky(4)) == 5
    text = '{"policy": {"pay": {"retry": false}}}'
    with pytest.raises(ConnectionError):
        Guard.from_text(text, "pay", format="json", clock=clock).call(Flaky(1))
    with pytest.raises(FileNotFoundError) as caught:
        Guard.from_file(tmp_path / "none.toml", "pay")
    assert caught.value.filename == str(tmp_path / "none.toml")
    with pytest.raises(InvalidPolicy, match="did you mean `pay`"):
        Guard.from_file(str(file), "pai")


def test_guards_of_one_name_are_independent(clock: ManualClock) -> None:
    one, two = Guard("g", clock=clock), Guard("g", clock=clock)
    assert one.breaker is not None
    one.breaker.force_open()
    assert two.call(Flaky(0)) == 1


def test_a_guard_can_be_referred_to_weakly_and_is_collected() -> None:
    guard = Guard("g")
    guard_too = Guard("g", classify=lambda _: guard_too and None)
    refs = [weakref.ref(guard), weakref.ref(guard_too)]
    del guard, guard_too
    gc.collect()
    assert [ref() for ref in refs] == [None, None]


def test_threads_share_a_guard() -> None:
    guard = Guard(
        "g", retry={"backoff": "none", "max_attempts": 2, "budget": False}, breaker={"failure_rate": 1}
    )
    results: list[int] = []

    def work() -> None:
        results.extend(guard.call(Flaky(index % 2)) for index in range(500))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2000
    assert sum(results) == 3000


# --- attempt by attempt --------------------------------------------------------------------------


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
    assert caught.value.__notes__ == ["guard `pay` gave up after 3 attempts in 2.000s: attempts_exhausted"]
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
