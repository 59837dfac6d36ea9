"""What the migration pages say about other libraries, held against the versions that are installed.

A page that says how another library behaves must be true of it: each statement has its test here.
"""

from __future__ import annotations

import asyncio
import gc
import inspect
import os
import pickle
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import backoff
import circuitbreaker
import pybreaker
import pytest
import stamina
import tenacity
from conftest import Flaky


class Clock:
    """Stands in for the clocks and the sleeping of a library that cannot be given one."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, turn = Clock(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        await turn(0)

    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    return clock


class Patient(Flaky):
    """A function that takes its time, by the clock that stands in."""

    def __init__(self, clock: Clock, takes: float, failures: int = 99) -> None:
        super().__init__(failures)
        self.clock = clock
        self.takes = takes
        self.__name__ = "slow"

    def __call__(self) -> int:
        self.clock.now += self.takes
        return super().__call__()


def frames(call: Callable[[], object]) -> int:
    """The frames of an error's traceback that are neither this function's nor the failing one's."""
    try:
        call()
    except ConnectionError as error:
        trace, number = error.__traceback__, 0
        while trace is not None:
            trace, number = trace.tb_next, number + 1
        return number - 2
    raise AssertionError("it did not fail")


def frames_later(decorate: Callable[..., Any]) -> int:
    """The same for a decorated coroutine function."""

    async def later() -> None:
        fail()

    async def main() -> None:
        await decorate(later)()

    # The loop's three, `main`'s and `fail`'s.
    return frames(lambda: asyncio.run(main())) - frames(lambda: asyncio.run(later())) - 1


def leaves_a_cycle(call: Callable[[], object]) -> bool:
    """Whether an error that was raised and dropped is still there until it is collected."""

    class Local: ...

    def attempt() -> weakref.ref[Local]:
        local = Local()
        ref = weakref.ref(local)
        try:
            call()
        except ConnectionError as error:
            error.local = local  # type: ignore[attr-defined]
        return ref

    gc.collect()
    gc.disable()
    try:
        return attempt()() is not None
    finally:
        gc.enable()


def fail() -> None:
    raise ConnectionError("down")


def flaky(failures: int) -> tuple[Callable[[], None], list[int]]:
    """A function that fails so often, and the list it notes its calls in."""
    calls: list[int] = []

    def attempt() -> None:
        calls.append(1)
        if len(calls) <= failures:
            raise ConnectionError("down")

    return attempt, calls


# --- tenacity ------------------------------------------------------------------------------------


def test_tenacity_by_default_never_stops_never_waits_and_wraps_the_error(fake: Clock) -> None:
    retrying = tenacity.Retrying()
    assert retrying.stop is tenacity.stop_never
    assert isinstance(retrying.wait, tenacity.wait_none)
    with pytest.raises(tenacity.RetryError) as caught:
        tenacity.retry(stop=tenacity.stop_after_attempt(2))(fail)()
    assert isinstance(caught.value.__cause__, ConnectionError)


def test_tenacity_starts_attempts_after_the_delay_it_stops_at(fake: Clock) -> None:
    def attempts(stop: Any) -> tuple[int, list[float]]:
        slow = Patient(fake, takes=4.0)
        fake.slept.clear()
        retry = tenacity.retry(stop=stop, wait=tenacity.wait_fixed(8), reraise=True)
        with pytest.raises(ConnectionError):
            retry(slow)()
        return slow.calls, fake.slept

    # It has 10 s. The second attempt begins at 12 s.
    assert attempts(tenacity.stop_after_delay(10)) == (2, [8.0])
    assert attempts(tenacity.stop_before_delay(10)) == (1, [])


def test_tenacity_retries_what_is_no_exception_where_types_are_excluded(fake: Clock) -> None:
    calls = []

    @tenacity.retry(
        retry=tenacity.retry_if_not_exception_type(ValueError),
        stop=tenacity.stop_after_attempt(3),
        reraise=True,
    )
    def interrupted() -> None:
        calls.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(calls) == 3


def test_tenacity_adds_frames_and_leaves_cycles(fake: Clock) -> None:
    retry = tenacity.retry(stop=tenacity.stop_after_attempt(2), reraise=True)
    assert frames(retry(fail)) == 8
    assert frames_later(retry) == 9
    assert leaves_a_cycle(retry(fail))


def test_tenacity_has_one_set_of_statistics_for_all_threads(fake: Clock) -> None:
    inside, other = threading.Event(), threading.Event()

    @tenacity.retry(stop=tenacity.stop_after_attempt(3))
    def flaky(calls: list[int], wait: bool) -> int:
        calls.append(1)
        if wait and len(calls) == 2:
            inside.set()
            other.wait(5)
        if len(calls) < 2:
            raise ConnectionError
        number: int = flaky.statistics["attempt_number"]
        return number

    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(flaky, [], True)
        assert inside.wait(5)
        assert flaky([1], False) == 1
        other.set()
        assert slow.result() == 1  # it was its second attempt


def test_tenacity_does_not_retry_generators() -> None:
    @tenacity.retry(stop=tenacity.stop_after_attempt(3))
    def rows() -> Iterator[int]:
        yield from map(int, ["no number"])

    with pytest.raises(ValueError, match="no number"):
        next(rows())
    assert rows.statistics["attempt_number"] == 1


# --- stamina -------------------------------------------------------------------------------------


def test_stamina_has_ten_attempts_and_45_seconds() -> None:
    defaults = {name: it.default for name, it in inspect.signature(stamina.retry).parameters.items()}
    assert defaults == {
        "on": inspect.Parameter.empty,
        "attempts": 10,
        "timeout": 45.0,
        "wait_initial": 0.1,
        "wait_max": 5.0,
        "wait_jitter": 1.0,
        "wait_exp_base": 2,
    }


def test_stamina_waits_the_same_for_everybody_once_the_cap_is_reached(fake: Clock) -> None:
    for _ in range(2):
        fake.slept.clear()
        with pytest.raises(ConnectionError):
            stamina.retry(on=ConnectionError, timeout=None)(fail)()
        assert fake.slept[-3:] == [5.0, 5.0, 5.0]
        assert len(fake.slept) == 9
        assert 0.1 <= fake.slept[0] <= 1.1


def test_stamina_starts_attempts_after_its_timeout(fake: Clock) -> None:
    slow = Patient(fake, takes=4.0)
    with pytest.raises(ConnectionError):
        stamina.retry(on=ConnectionError, timeout=10.0, wait_initial=5.0, wait_jitter=0)(slow)()
    # It has 10 s. The attempts begin at 0 s, 9 s and, as it was not over at 13 s, no more.
    assert (slow.calls, fake.slept) == (2, [5.0])


def test_stamina_waits_exactly_what_a_hook_says(fake: Clock) -> None:
    attempt, _ = flaky(1)
    stamina.retry(on=lambda error: 3.0)(attempt)()
    assert fake.slept == [3.0]


def test_stamina_logs_arguments(fake: Clock, caplog: pytest.LogCaptureFixture) -> None:
    @stamina.retry(on=ConnectionError, attempts=2)
    def charge(card: str) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        charge("4111 1111 1111 1111")
    assert "4111" in str([vars(record) for record in caplog.records])


def test_stamina_yields_again_what_a_generator_had_yielded(fake: Clock) -> None:
    failures = iter([ConnectionError()])

    @stamina.retry(on=ConnectionError)
    def rows() -> Iterator[int]:
        yield from (1, 2)
        for failure in failures:
            raise failure
        yield 3

    assert list(rows()) == [1, 2, 1, 2, 3]


def test_stamina_adds_frames_and_leaves_cycles(fake: Clock) -> None:
    retry = stamina.retry(on=ConnectionError, attempts=2)
    assert frames(retry(fail)) == 9
    assert frames_later(retry) == 10
    assert leaves_a_cycle(retry(fail))


# --- backoff -------------------------------------------------------------------------------------


def test_backoff_by_default_never_stops() -> None:
    defaults = inspect.signature(backoff.on_exception).parameters
    assert defaults["max_tries"].default is None
    assert defaults["max_time"].default is None


def test_backoff_sleeps_until_its_time_is_up_and_tries_once_more(
    fake: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backoff._sync.datetime.datetime", _wall(fake))
    slow = Patient(fake, takes=1.0)
    retry = backoff.on_exception(backoff.constant, ConnectionError, max_time=10, interval=8, jitter=None)
    with pytest.raises(ConnectionError):
        retry(slow)()
    # The attempts begin at 0 s, 9 s and 11 s.
    assert (slow.calls, fake.slept) == (3, [8.0, 1.0])


def test_backoff_goes_by_the_wall_clock(fake: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backoff._sync.datetime.datetime", _wall(fake))
    attempt, calls = flaky(99)

    def set_the_clock(details: object) -> None:
        fake.now += 3600.0

    retry = backoff.on_exception(
        backoff.constant, ConnectionError, max_time=60, interval=1, jitter=None, on_backoff=set_the_clock
    )
    with pytest.raises(ConnectionError):
        retry(attempt)()
    assert len(calls) == 2


def _wall(clock: Clock) -> type[datetime]:
    class Wall(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.fromtimestamp(clock.now, tz)

    return Wall


def test_backoff_raises_the_error_of_a_handler_instead() -> None:
    def broken(details: object) -> None:
        raise RuntimeError("handler")

    retry = backoff.on_exception(backoff.constant, ConnectionError, interval=0, on_backoff=broken)
    with pytest.raises(RuntimeError, match="handler"):
        retry(fail)()


def test_backoff_asks_asyncio_what_it_decorates(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(asyncio, "iscoroutinefunction", asked.append)
    backoff.on_exception(backoff.constant, ConnectionError)(fail)
    assert asked == [fail]


def test_backoff_adds_one_frame_and_leaves_no_cycle(fake: Clock) -> None:
    retry = backoff.on_exception(backoff.constant, ConnectionError, max_tries=2, interval=0)
    assert frames(retry(fail)) == 1
    assert not leaves_a_cycle(retry(fail))


def test_backoff_gives_up_where_a_list_of_waits_ends(fake: Clock) -> None:
    attempt, calls = flaky(99)
    with pytest.raises(ConnectionError):
        backoff.on_exception(backoff.constant, ConnectionError, interval=[1, 2], jitter=None)(attempt)()
    assert (len(calls), fake.slept) == (3, [1, 2])


# --- pybreaker -----------------------------------------------------------------------------------


def test_pybreaker_holds_a_lock_during_the_call() -> None:
    breaker = pybreaker.CircuitBreaker()

    def lock_is_free() -> bool:
        if free := breaker._lock.acquire(blocking=False):
            breaker._lock.release()
        return free

    def another_thread_can_call() -> bool:
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lock_is_free).result()

    assert another_thread_can_call()
    assert breaker.call(another_thread_can_call) is False


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_that_is_forked_during_a_call_of_pybreaker_is_stuck() -> None:
    breaker = pybreaker.CircuitBreaker()
    inside, release = threading.Event(), threading.Event()

    def slow() -> None:
        inside.set()
        release.wait(5)

    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(breaker.call, slow)
        assert inside.wait(5)
        child = os.fork()
        if child == 0:
            # Every call of the child would wait for this lock, and nobody is there to give it back.
            os._exit(0 if breaker._lock.acquire(blocking=False) else 1)
        release.set()
        call.result()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1


def test_pybreaker_replaces_the_error_that_opens_it() -> None:
    breaker = pybreaker.CircuitBreaker(fail_max=2)
    with pytest.raises(ConnectionError):
        breaker.call(fail)
    with pytest.raises(pybreaker.CircuitBreakerError):
        breaker.call(fail)
    kept = pybreaker.CircuitBreaker(fail_max=1, throw_new_error_on_trip=False)
    with pytest.raises(ConnectionError):
        kept.call(fail)


def test_pybreaker_never_opens_for_a_coroutine_function() -> None:
    breaker = pybreaker.CircuitBreaker(fail_max=1)

    @breaker
    async def later() -> None:
        raise ConnectionError

    for _ in range(3):
        with pytest.raises(ConnectionError):
            asyncio.run(later())
    assert breaker.current_state == "closed"


def test_pybreaker_counts_an_interrupt_as_a_failure() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    breaker = pybreaker.CircuitBreaker(fail_max=1, throw_new_error_on_trip=False)
    with pytest.raises(KeyboardInterrupt):
        breaker.call(interrupted)
    assert breaker.current_state == "open"


def test_pybreaker_goes_by_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(pybreaker, "datetime", _wall(clock))
    breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=60)
    with pytest.raises(pybreaker.CircuitBreakerError, match="threshold reached"):
        breaker.call(fail)
    with pytest.raises(pybreaker.CircuitBreakerError, match="still open"):
        breaker.call(fail)
    clock.now += 60.0
    with pytest.raises(pybreaker.CircuitBreakerError, match="Trial call failed"):
        breaker.call(fail)


def test_pybreaker_adds_frames() -> None:
    assert frames(pybreaker.CircuitBreaker()(fail)) == 5


# --- circuitbreaker ------------------------------------------------------------------------------


def test_circuitbreaker_is_closed_by_a_success_from_before_the_outage() -> None:
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=1)
    began, release = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        release.wait(5)

    with ThreadPoolExecutor(1) as pool:
        old = pool.submit(breaker.call, slow)
        assert began.wait(5)
        with pytest.raises(ConnectionError):
            breaker.call(fail)
        assert breaker.state == "open"
        release.set()
        old.result()
    assert breaker.state == "closed"


def test_circuitbreaker_lets_everybody_through_once_its_timeout_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    monkeypatch.setattr(circuitbreaker, "monotonic", clock.monotonic)
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=1, recovery_timeout=30)
    all_of_them = threading.Barrier(20)

    def hang() -> None:
        if clock.now > 1000:
            all_of_them.wait(5)
        raise ConnectionError

    hanging = breaker(hang)

    with pytest.raises(ConnectionError):
        hanging()
    with pytest.raises(circuitbreaker.CircuitBreakerError):
        hanging()
    clock.now += 31
    with ThreadPoolExecutor(20) as pool:
        errors = [call.exception() for call in [pool.submit(hanging) for _ in range(20)]]
    # Had one of them been rejected, the others would have waited in vain, which is another error.
    assert {type(error) for error in errors} == {ConnectionError}


@pytest.mark.parametrize("other", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_circuitbreaker_takes_any_other_error_for_a_success(other: type[BaseException]) -> None:
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=2, expected_exception=ConnectionError)

    def another() -> None:
        raise other

    for _ in range(3):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
        with pytest.raises(other):
            breaker.call(another)
    assert breaker.state == "closed"


def test_a_block_of_circuitbreaker_is_always_admitted() -> None:
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=1)
    with pytest.raises(ConnectionError):
        breaker.call(fail)
    assert breaker.state == "open"
    with breaker:
        pass
    assert breaker.state == "closed"


def test_circuitbreaker_keeps_the_last_failure_and_its_error_does_not_pickle() -> None:
    breaker = circuitbreaker.CircuitBreaker(failure_threshold=1)
    with pytest.raises(ConnectionError) as caught:
        breaker.call(fail)
    assert breaker.last_failure is caught.value
    assert breaker.last_failure.__traceback__ is not None
    error = circuitbreaker.CircuitBreakerError(breaker)
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.loads(pickle.dumps(error))


def test_circuitbreaker_takes_a_timeout_of_zero_for_the_default() -> None:
    breaker = circuitbreaker.CircuitBreaker(recovery_timeout=0, failure_threshold=0)
    assert (breaker._recovery_timeout, breaker._failure_threshold) == (30, 5)


def test_circuitbreaker_adds_frames() -> None:
    assert frames(circuitbreaker.CircuitBreaker()(fail)) == 2
