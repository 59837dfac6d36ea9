"""What is counted: each call and each attempt once, on whatever way it begins, goes on and ends."""

from __future__ import annotations

import asyncio
import dis
import gc
import inspect
import sys
import threading
import types
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import suppress
from typing import Any

import overcurrent
import pytest
import trio
import trio.testing
from conftest import WAYS, Flaky, collected, counts, forever, turns, until, ways
from overcurrent import (
    BreakerOpen,
    Failure,
    Guard,
    Histogram,
    ManualClock,
    Registry,
    constant,
    current_attempt,
)
from overcurrent.testing import disabled

TWICE: Any = {"max_attempts": 2, "backoff": constant("1s"), "jitter": "none", "budget": False}
UNBOUNDED: Any = {"attempt_timeout": False, "deadline": False, "breaker": {"probe_timeout": "30s"}}
POLICIES: dict[str, Any] = {"every default": {}, "unbounded": UNBOUNDED, "no breaker": {"breaker": False}}
every_way = pytest.mark.parametrize("way", WAYS)
every_policy = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)


def ended(guard: Guard) -> dict[str, float]:
    """How calls (c) and attempts (a) of a guard have ended, and how many are in flight."""
    found: dict[str, float] = {}
    for family in guard.metrics().families:
        for sample in family.samples:
            word = sample.labels.get("outcome", "in flight")
            if family.name == "overcurrent_calls_total":
                word = f"c {word}"
            elif family.name == "overcurrent_attempts_total":
                word = f"a {word}"
            elif family.name != "overcurrent_in_flight":
                continue
            assert not isinstance(sample.value, Histogram)
            if sample.value:
                found[word] = sample.value
    return found


def in_flight(guard: Guard) -> float:
    return ended(guard).get("in flight", 0)


# --- every way ------------------------------------------------------------------------------------


class Watching(Flaky):
    """Sees how many calls are in flight while it runs."""

    guard: Guard
    seen: list[float]

    def __call__(self) -> int:
        self.seen.append(in_flight(self.guard))
        return super().__call__()


@every_policy
@every_way
def test_a_healthy_call_counts_once(way: str, policy: Any) -> None:
    guard = Guard("g", **policy)
    fn = Watching(0)
    fn.guard, fn.seen = guard, []
    call = ways(fn, guard)[way]
    for _ in range(3):
        call()
    assert ended(guard) == {"c success": 3, "a success": 3}
    assert fn.seen == [1, 1, 1]


@every_policy
@every_way
def test_retries_are_attempts_of_one_call(way: str, policy: Any, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry=TWICE, **policy)
    fn = Watching(1)
    fn.guard, fn.seen = guard, []
    assert ways(fn, guard)[way]() == 2
    assert ended(guard) == {"c success": 1, "a failure": 1, "a success": 1}
    assert fn.seen == [1, 1]
    assert counts(guard.metrics())['retries_total{guard="g",reason="backoff"}'] == 1


@every_policy
@every_way
def test_a_failure_counts_once(way: str, policy: Any, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry=TWICE, **policy)
    with pytest.raises(ConnectionError):
        ways(Flaky(9), guard)[way]()
    assert ended(guard) == {"c failure": 1, "a failure": 2}
    assert counts(guard.metrics())['give_ups_total{guard="g",reason="attempts_exhausted"}'] == 1


@every_policy
@every_way
def test_what_is_ignored_counts_as_such(way: str, policy: Any) -> None:
    guard = Guard("g", ignore=ConnectionError, **policy)
    with pytest.raises(ConnectionError):
        ways(Flaky(9), guard)[way]()
    assert ended(guard) == {"c ignored": 1, "a ignored": 1}


@every_way
def test_a_value_can_be_a_failure(way: str, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry=TWICE, classify=lambda value: Failure() if value == 1 else None)
    assert ways(Flaky(0), guard)[way]() == 2
    assert ended(guard) == {"c success": 1, "a failure": 1, "a success": 1}


@every_way
def test_a_hook_that_ends_a_call_has_cancelled_it(way: str) -> None:
    def leave(result: object) -> Any:
        raise SystemExit

    guard = Guard("g", classify=leave)
    for failures in (0, 9):
        with pytest.raises(SystemExit):
            ways(Flaky(failures), guard)[way]()
    assert ended(guard) == {"c cancelled": 2, "a cancelled": 2}


@every_way
@pytest.mark.parametrize("when_open", ["fail", "wait"])
def test_a_rejection_is_a_call_without_an_attempt(way: str, when_open: Any) -> None:
    guard = Guard("g", when_open=when_open)
    assert guard.breaker is not None
    guard.breaker.force_open()
    for _ in range(2):
        with pytest.raises(BreakerOpen):
            ways(Flaky(0), guard)[way]()
    assert ended(guard) == {"c rejected": 2}
    assert counts(guard.metrics())['rejections_total{breaker="g",reason="forced_open"}'] == 2


@every_way
def test_a_call_that_is_switched_off_is_not_counted(way: str) -> None:
    guard = Guard("g")
    with disabled():
        ways(Flaky(0), guard)[way]()
        with pytest.raises(ConnectionError):
            ways(Flaky(9), guard)[way]()
    assert ended(guard) == {}


def test_blocks_count_too(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry=TWICE)
    flaky = Flaky(1)
    for attempt in guard:
        with attempt:
            assert in_flight(guard) == 1
            flaky()

    async def main() -> None:
        again = Flaky(1)
        async for attempt in guard:
            async with attempt:
                assert in_flight(guard) == 1
                again()

    asyncio.run(main())
    assert ended(guard) == {"c success": 2, "a failure": 2, "a success": 2}
    for attempt in guard:
        del attempt
        break
    assert ended(guard)["c cancelled"] == 1


@every_policy
def test_the_first_item_is_the_end_of_the_call(policy: Any, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry=TWICE, **policy)
    failures = iter([True, False, False, True, False])

    @guard
    def items() -> Generator[int]:
        assert in_flight(guard) == 1
        if next(failures):
            raise ConnectionError
        yield from (1, 2)

    @guard
    async def later() -> AsyncIterator[int]:
        for item in items.__wrapped__():  # type: ignore[attr-defined]
            yield item

    first = items()
    assert ended(guard) == {}
    assert next(first) == 1
    assert ended(guard) == {"c success": 1, "a failure": 1, "a success": 1}
    first.close()
    assert list(items()) == [1, 2]
    assert asyncio.run(collected(later())) == [1, 2]
    assert ended(guard) == {"c success": 3, "a failure": 2, "a success": 3}


def test_nested_calls_are_each_in_flight() -> None:
    outer, inner = Guard("outer"), Guard("inner")
    assert outer.call(lambda: inner.call(lambda: (in_flight(outer), in_flight(inner)))) == (1, 1)
    with suppress(BreakerOpen):
        assert inner.breaker is not None
        inner.breaker.force_open()
        outer.call(lambda: inner.call(int))
    assert ended(outer) == {"c success": 1, "a success": 1, "c ignored": 1, "a ignored": 1}
    assert ended(inner) == {"c success": 1, "a success": 1, "c rejected": 1}


def test_whoever_looks_at_the_attempt_changes_no_count() -> None:
    guard = Guard("g", retry={"backoff": "none"})
    assert guard.call(lambda: current_attempt().number) == 1

    def fail() -> None:
        if current_attempt().number == 1:
            raise ConnectionError

    guard.call(fail)
    assert ended(guard) == {"c success": 2, "a failure": 1, "a success": 2}


# --- calls that are given up ----------------------------------------------------------------------


def test_a_cut_is_a_timeout(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", deadline="3s", retry=TWICE)

    async def main() -> None:
        task = asyncio.create_task(guard.acall(forever))
        await turns()
        clock.advance("1s")
        await turns()
        assert in_flight(guard) == 1
        clock.advance("1s")
        with pytest.raises(TimeoutError):
            await task

    asyncio.run(main())
    assert ended(guard) == {"c timeout": 1, "a timeout": 2}
    with pytest.raises(TimeoutError):
        guard.call(clock.advance, "5s")
    assert ended(guard) == {"c timeout": 2, "a timeout": 3}


@every_policy
def test_a_cancelled_attempt_is_over_at_once(policy: Any) -> None:
    guard = Guard("g", **policy)

    async def main() -> None:
        task = asyncio.create_task(guard.acall(forever))
        await turns()
        assert in_flight(guard) == 1
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as held:
            await task
        assert ended(guard) == {"c cancelled": 1, "a cancelled": 1}
        del held
        never = guard.acall(forever)
        never.close()

    asyncio.run(main())
    assert ended(guard) == {"c cancelled": 1, "a cancelled": 1}, "what was never awaited has not begun"


def a_block(guard: Guard, flaky: Flaky) -> Callable[[], Awaitable[Any]]:
    async def block() -> None:
        async for attempt in guard:
            async with attempt:
                flaky()

    return block


def first_item(guard: Guard, flaky: Flaky) -> Callable[[], Awaitable[Any]]:
    @guard
    async def items() -> AsyncIterator[int]:
        yield flaky()

    return lambda: collected(items())


WAITING: dict[str, Callable[[Guard, Flaky], Callable[[], Awaitable[Any]]]] = {
    "acall": lambda guard, flaky: lambda: guard.acall(flaky.later),
    "decorated": lambda guard, flaky: guard(flaky.later),
    "block": a_block,
    "items": first_item,
}
every_wait = pytest.mark.parametrize("wait", WAITING.values(), ids=WAITING)


@every_wait
def test_a_call_that_is_cancelled_while_it_waits_is_over_at_once(
    wait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard("g", retry=TWICE)
    original = asyncio.sleep

    async def sleep(delay: float) -> None:
        await (forever() if delay else original(0))

    monkeypatch.setattr(asyncio, "sleep", sleep)

    async def main() -> None:
        flaky = Flaky(9)
        task = asyncio.create_task(wait(guard, flaky)())
        await until(lambda: flaky.calls == 1)
        await turns()
        assert ended(guard) == {"in flight": 1, "a failure": 1}
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as held:
            await task
        # The frames that had the call are still there.
        assert held.value.__traceback__ is not None
        assert ended(guard) == {"c cancelled": 1, "a failure": 1}

    asyncio.run(main())


@every_wait
def test_the_same_under_trio(wait: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = Guard("g", retry=TWICE)

    async def sleep(delay: float) -> None:
        await trio.sleep_forever()

    async def main() -> None:
        flaky = Flaky(9)

        async def fail() -> None:
            flaky()

        flaky.later = fail  # type: ignore[method-assign,assignment]
        held: list[BaseException] = []

        async def call() -> None:
            try:
                await wait(guard, flaky)()
            except trio.Cancelled as error:
                held.append(error)
                raise

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(trio, "sleep", sleep)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(call)
                await trio.testing.wait_all_tasks_blocked()
                assert ended(guard) == {"in flight": 1, "a failure": 1}
                nursery.cancel_scope.cancel()
        assert len(held) == 1
        assert ended(guard) == {"c cancelled": 1, "a failure": 1}

    trio.run(main)


def test_a_wait_that_is_interrupted_ends_the_call_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    guard = Guard("g", retry=TWICE)

    @guard
    def items() -> Iterator[int]:
        yield Flaky(9)()

    calls: list[Callable[[], object]] = [lambda: guard.call(Flaky(9)), lambda: next(items())]
    for call in calls:
        with pytest.raises(KeyboardInterrupt) as held:
            call()
        assert held.value.__traceback__ is not None
    assert ended(guard) == {"c cancelled": 2, "a failure": 2}


def test_a_subscriber_that_ends_the_process_ends_the_call(clock: ManualClock) -> None:
    def leave(event: overcurrent.Event) -> None:
        raise SystemExit

    guard = Guard("g", clock=clock, retry=TWICE)
    with guard.subscribe(leave), pytest.raises(SystemExit) as held:
        guard.call(Flaky(9))
    assert held.value.__traceback__ is not None
    assert ended(guard) == {"c cancelled": 1, "a failure": 1}


def test_a_coroutine_that_is_refused_is_a_cancelled_call() -> None:
    guard = Guard("g")
    for _ in range(2):
        with pytest.raises(TypeError):
            _ = guard.call(forever)
    assert ended(guard) == {"c cancelled": 2, "a cancelled": 2}


class Interrupted(BaseException):
    """What the handler of a signal raises."""


def interrupted(code: types.CodeType, place: int, call: Callable[[], Any]) -> bool:
    """Make a call that is interrupted at the nth place where that can be; return whether there is such.

    A signal is handled when a function is entered, after a call, and where a loop begins again.
    """
    left, last = [place], [""]

    def trace(frame: types.FrameType, event: str, argument: object) -> Any:
        if frame.f_code is not code:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if event == "opcode":
            previous, last[0] = last[0], dis.opname[code.co_code[frame.f_lasti]]
            if previous.startswith(("RESUME", "CALL", "JUMP_BACKWARD")) and last[0] != "PUSH_EXC_INFO":
                left[0] -= 1
                if left[0] < 0:
                    sys.settrace(None)
                    raise Interrupted
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except Interrupted:
        return True
    except ConnectionError:
        return False
    finally:
        sys.settrace(before)
    return False


def alone(coroutine: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine that never waits."""
    with suppress(StopIteration):
        coroutine.send(None)


def frames_of(guard: Guard, flaky: Flaky) -> dict[str, tuple[Any, Callable[[], Any]]]:
    """What of ours is interpreted in a call, and how to make one without an event loop."""

    async def later() -> int:
        return flaky()

    # Of functions whose frame is a closure of its own.
    blocking, asynchronous = guard(lambda: flaky()), guard(later)
    return {
        "call": (Guard.call, lambda: guard.call(flaky)),
        "decorated": (blocking, blocking),
        "acall": (Guard.acall, lambda: alone(guard.acall(later))),
        "decorated coroutine": (asynchronous, lambda: alone(asynchronous())),
    }


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@every_way
@pytest.mark.parametrize("failures", [0, 1, 9])
def test_an_exception_between_any_two_steps_leaves_nothing_in_flight(way: str, failures: int) -> None:
    guard = Guard("g", retry={"max_attempts": 2, "backoff": "none", "budget": False}, **UNBOUNDED)
    place = 0
    while True:
        # Some versions of Python trace the instructions of what was traced before, and only once again.
        frame, call = frames_of(guard, Flaky(failures))[way]
        interrupted(frame.__code__, sys.maxsize, call)
        frame, call = frames_of(guard, Flaky(failures))[way]
        if not interrupted(frame.__code__, place, call):
            break
        if in_flight(guard):
            gc.collect()  # the error that a handler had was not let go of
        assert in_flight(guard) == 0, f"after place {place}"
        place += 1
        if guard.breaker is not None:
            guard.breaker.reset()
    if inspect.iscoroutinefunction(frame):
        assert place > 2
        assert ended(guard)["c cancelled"] >= 2
    else:
        # After the extension was left with a result.
        assert place >= (failures < 2)


def test_all_that_threads_do_is_counted() -> None:
    threads, each = 4, 3000
    guard = Guard("g", breaker={"failure_rate": 1}, retry={"backoff": "none", "budget": False})
    registry = Registry("many", breaker=False, retry=False)

    @guard
    def work(number: int) -> int:
        if number % 10 == 0 and current_attempt().number == 1:
            raise ConnectionError
        return number

    def run() -> None:
        for number in range(each):
            work(number)
            registry[str(number % 7)].call(int)

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        assert 0 <= in_flight(guard) <= threads
    for thread in running:
        thread.join()
    calls = threads * each
    assert ended(guard) == {"c success": calls, "a success": calls, "a failure": calls / 10}
    keyed = counts(registry.metrics())
    assert sum(n for name, n in keyed.items() if name.startswith("calls_total")) == calls
    assert not [name for name in keyed if name.startswith("in_flight")]


def test_all_that_tasks_do_is_counted() -> None:
    guard = Guard("g", retry=False, breaker={"consecutive_failures": 1000})
    release = asyncio.Event()

    async def work(number: int) -> None:
        await release.wait()
        if number % 4 == 0:
            raise ConnectionError

    async def main() -> None:
        tasks = [asyncio.create_task(guard.acall(work, number)) for number in range(400)]
        await turns()
        assert ended(guard) == {"in flight": 400}
        for task in tasks[:40]:
            task.cancel()
        release.set()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(main())
    assert ended(guard) == {
        "c success": 270,
        "a success": 270,
        "c failure": 90,
        "a failure": 90,
        "c cancelled": 40,
        "a cancelled": 40,
    }
