"""The asynchronous libraries: asyncio, uvloop and trio, and anyio on asyncio and on trio."""

from __future__ import annotations

import asyncio
import selectors
import subprocess
import sys
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio
import pytest
import trio
import trio.testing
import uvloop
from conftest import TWO, counted, frames
from overcurrent import (
    AttemptTimeout,
    Breaker,
    BreakerOpen,
    DeadlineExceeded,
    Guard,
    ManualClock,
    Retry,
    constant,
    current_attempt,
)
from overcurrent.testing import capture_events


class Leaping(selectors.DefaultSelector):
    """Waits for no time at all, and takes note of how long it should have waited."""

    leapt = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.leapt += timeout
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """An event loop on which time passes only while everybody waits."""

    def __init__(self) -> None:
        self.leaping = Leaping()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.leapt


Main = Callable[[], Awaitable[Any]]


async def as_coroutine(main: Main) -> Any:
    return await main()


def on_asyncio(main: Main, factory: Callable[[], Any] | None = None) -> Any:
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(as_coroutine(main))


# Time leaps on those marked so, wherever a test waits for a real timer.
RUNNERS: dict[str, Callable[[Main], Any]] = {
    "asyncio": partial(on_asyncio, factory=LeapingLoop),
    "uvloop": partial(on_asyncio, factory=uvloop.new_event_loop),
    "trio": lambda main: trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0)),
    "anyio on asyncio": lambda main: anyio.run(main, backend="asyncio"),
    "anyio on trio": lambda main: anyio.run(
        main, backend="trio", backend_options={"clock": trio.testing.MockClock(autojump_threshold=0)}
    ),
}
LEAPING = ["asyncio", "trio", "anyio on trio"]
everywhere = pytest.mark.parametrize("library", RUNNERS)
wherever_time_leaps = pytest.mark.parametrize("library", LEAPING)


async def turns(number: int = 10) -> None:
    for _ in range(number):
        await anyio.lowlevel.checkpoint()


class Failing:
    """A coroutine function that fails so often, and counts its calls."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        await anyio.lowlevel.checkpoint()
        if self.calls <= self.failures:
            raise ConnectionError(f"call {self.calls}")
        return self.calls


@everywhere
def test_calls_are_retried(library: str, clock: ManualClock) -> None:
    def subject() -> Guard:
        return Guard("g", clock=clock, retry={"backoff": constant("1s"), "jitter": "none"})

    async def main() -> None:
        assert await subject().acall(Failing(2)) == 3
        assert await subject()(Failing(2))() == 3
        numbers = []
        async for attempt in subject():
            async with attempt:
                await anyio.lowlevel.checkpoint()
                numbers.append(attempt.number)
                if attempt.number < 3:
                    raise ConnectionError
        assert numbers == [1, 2, 3]
        assert clock.now_ns == 6_000_000_000

        with pytest.raises(ConnectionError, match="call 3") as caught:
            await subject().acall(Failing(9))
        assert len(frames(caught.value)) == 1
        assert caught.value.__notes__[0].startswith("guard `g` gave up after 3 attempts in 2 s")

    RUNNERS[library](main)


@everywhere
def test_an_error_that_cannot_be_changed_comes_back_as_it_is(library: str, clock: ManualClock) -> None:
    @dataclass(frozen=True)
    class Frozen(Exception):
        code: int

    async def fail() -> None:
        raise Frozen(7)

    async def main() -> None:
        with pytest.raises(Frozen) as caught:
            await Guard("g", clock=clock).acall(fail)
        assert len(frames(caught.value)) == 1

    RUNNERS[library](main)


@wherever_time_leaps
def test_waits_are_slept_by_the_library(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()  # nobody sleeps: time leaps
    guard = Guard("g", deadline=False, retry={"backoff": constant("1h"), "jitter": "none"})

    async def main() -> None:
        before = anyio.current_time()
        assert await guard.acall(Failing(2)) == 3
        assert anyio.current_time() - before == pytest.approx(7200, abs=1)

    RUNNERS[library](main)


@everywhere
def test_an_attempt_is_cut_by_a_clock_of_a_test(library: str, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry={"max_attempts": 2, "backoff": "none"})
    attempts = []

    async def hang() -> None:
        attempts.append(current_attempt().number)
        await anyio.sleep_forever()

    async def cutting(call: Callable[[], Awaitable[Any]]) -> None:
        attempts.clear()
        async with anyio.create_task_group() as group:

            async def caller() -> None:
                with pytest.raises(AttemptTimeout) as caught:
                    await call()
                assert caught.value.attempt == 2
                # A block's shows where it hung.
                context = caught.value.__context__
                assert context is None if call is not block else not isinstance(context, Exception)
                assert len(frames(caught.value)) <= 1
                attempts.append(0)

            group.start_soon(caller)
            for expected in ([1], [1, 2], [1, 2, 0]):
                await turns()
                assert attempts == expected
                clock.advance("1s")

    async def block() -> None:
        async for attempt in guard:
            async with attempt:
                attempts.append(attempt.number)
                await anyio.sleep_forever()

    @guard
    async def items() -> AsyncIterator[int]:
        await hang()
        yield 1

    async def first() -> None:
        async for _ in items():
            raise AssertionError

    async def main() -> None:
        for call in (partial(guard.acall, hang), guard(hang), block, first):
            assert guard.breaker is not None
            guard.breaker.reset()
            await cutting(call)

    RUNNERS[library](main)


@wherever_time_leaps
@pytest.mark.parametrize("limit", ["attempt_timeout", "deadline"])
def test_an_attempt_is_cut_by_a_real_timer(library: str, limit: str) -> None:
    other: Any = {"attempt_timeout": "deadline", "deadline": "attempt_timeout"}[limit]
    limits: Any = {limit: "1h", other: False}
    guard = Guard("g", retry={"max_attempts": 2, "backoff": "none"}, breaker=TWO, **limits)
    error = AttemptTimeout if limit == "attempt_timeout" else DeadlineExceeded

    async def block() -> None:
        async for attempt in guard:
            with attempt:
                await anyio.sleep_forever()

    async def main() -> None:
        for call in (partial(guard.acall, anyio.sleep_forever), guard(anyio.sleep_forever), block):
            before = anyio.current_time()
            with pytest.raises(error):
                await call()
            attempts = 2 if limit == "attempt_timeout" else 1
            assert anyio.current_time() - before == pytest.approx(3600 * attempts, abs=1)
            assert guard.breaker is not None
            if limit == "attempt_timeout":
                assert guard.breaker.state == "open"
            guard.breaker.reset()

    RUNNERS[library](main)


@wherever_time_leaps
def test_many_attempts_of_one_limit_end_in_time(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is cut after its own time; those that have ended are not."""
    guard = Guard("g", attempt_timeout="10s", deadline=False, retry=False, breaker=False)
    ended: list[tuple[int, float]] = []

    async def call(number: int) -> None:
        started = anyio.current_time()
        try:
            await guard.acall(anyio.sleep, 0.5 if number % 3 == 0 else 100)
        except AttemptTimeout:
            ended.append((number, anyio.current_time() - started))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(30):
                group.start_soon(call, number)
                await anyio.sleep(0.25)

    monkeypatch.undo()  # nobody sleeps: time leaps
    RUNNERS[library](main)
    assert [number for number, _ in ended] == [number for number in range(30) if number % 3]
    assert all(after == pytest.approx(10, abs=0.1) for _, after in ended), ended


def test_attempts_that_have_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither is one kept until its time would have been up, nor anything of a limit without attempts."""
    from overcurrent import _tasks

    monkeypatch.undo()  # nobody sleeps: time leaps
    guard = Guard("g", attempt_timeout="1h", deadline=False)

    class Answer: ...

    async def answer() -> Answer:
        await asyncio.sleep(0)
        return Answer()

    async def main() -> None:
        hanging = asyncio.ensure_future(guard.acall(asyncio.sleep, 1800))
        ref = weakref.ref(await guard.acall(answer))
        assert ref() is None
        await hanging
        for hours in range(2, 5):
            await Guard("g", attempt_timeout=f"{hours}h", deadline=False).acall(answer)
        lines = _tasks._lines[asyncio.get_running_loop()]
        assert len(lines) == 4
        await asyncio.sleep(5 * 3600)
        assert not lines

    on_asyncio(main, LeapingLoop)


@everywhere
def test_a_cancellation_from_outside_gives_the_probe_back(library: str, clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1, cooldown="1s", probe_timeout="30s")
    guards = [
        Guard("g", clock=clock, breaker=breaker, retry=False),
        Guard("g", clock=clock, breaker=breaker, retry=False, attempt_timeout=False, deadline=False),
    ]

    async def block(guard: Guard) -> None:
        async for attempt in guard:
            async with attempt:
                await anyio.sleep_forever()

    async def held() -> None:
        async with breaker:
            await anyio.sleep_forever()

    async def main() -> None:
        calls: list[Callable[[], Awaitable[Any]]] = [held, partial(breaker.acall, anyio.sleep_forever)]
        for guard in guards:
            calls += [partial(guard.acall, anyio.sleep_forever), partial(block, guard)]
        for call in calls:
            breaker.trip("1s")
            clock.advance("1s")
            with pytest.raises(TimeoutError) as caught, anyio.fail_after(0):
                await call()
            assert not isinstance(caught.value, AttemptTimeout)
            assert breaker.state == "half_open"
            async with anyio.create_task_group() as group:
                group.start_soon(as_coroutine, call)
                await turns()
                with pytest.raises(BreakerOpen, match="half_open"):
                    breaker.acquire()
                group.cancel_scope.cancel()
            assert breaker.state == "half_open"
            breaker.acquire().success()
            assert breaker.state == "closed"

    RUNNERS[library](main)


@everywhere
def test_a_timeout_of_the_function_is_an_ordinary_failure(library: str, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, breaker=TWO, retry={"max_attempts": 2, "backoff": "none"})
    calls = []

    async def fetch() -> None:
        calls.append(1)
        with anyio.fail_after(0):
            await anyio.sleep_forever()

    async def main() -> None:
        with pytest.raises(TimeoutError) as caught:
            await guard.acall(fetch)
        assert type(caught.value) is TimeoutError
        assert caught.value.__notes__

    RUNNERS[library](main)
    assert len(calls) == 2
    assert guard.breaker is not None
    assert guard.breaker.state == "open"


@everywhere
def test_a_function_may_use_what_its_library_has(library: str, clock: ManualClock) -> None:
    """Task groups and scopes that a function opens are its own, though it may run in another task."""
    guard = Guard("g", clock=clock, retry={"backoff": "none"}, breaker={"consecutive_failures": 3})

    async def gather() -> list[str]:
        keys = []

        async def ask() -> None:
            await turns(2)
            keys.append(current_attempt().idempotency_key)

        with anyio.fail_after(60), anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as group:
                group.start_soon(ask)
                group.start_soon(ask)
                await turns(1)
        keys.append(current_attempt().idempotency_key)
        return keys

    async def main() -> None:
        keys: list[str] = await guard.acall(gather)
        assert len(keys) == 3
        assert len(set(keys)) == 1
        with pytest.raises(LookupError):
            current_attempt()

    RUNNERS[library](main)
    assert counted_of_three(guard) == 0


def counted_of_three(guard: Guard) -> int:
    assert guard.breaker is not None
    more = 0
    while guard.breaker.state == "closed":
        guard.breaker.acquire().failure()
        more += 1
    return 3 - more


@everywhere
def test_retries_and_breakers_alone(library: str, clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1)

    async def main() -> None:
        assert await Retry(clock=clock).acall(Failing(2)) == 3
        with pytest.raises(ConnectionError):
            await breaker(Failing(1))()
        with pytest.raises(BreakerOpen):
            async with breaker:
                raise AssertionError

    RUNNERS[library](main)


def test_a_trio_function_is_waited_for_when_it_is_cut(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry=False, breaker=TWO)
    release = trio.Event()
    cleaned = []

    async def tidy() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await release.wait()
                cleaned.append(1)

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            async def caller() -> None:
                with pytest.raises(AttemptTimeout):
                    await guard.acall(tidy)
                assert cleaned == [1]

            nursery.start_soon(caller)
            await turns()
            clock.advance("1s")
            await turns()
            try:
                assert counted(guard) == 1, "recorded at the cut"
                assert cleaned == []
            finally:
                release.set()

    trio.run(main)


def test_an_error_beside_the_cut_of_a_trio_function_is_discarded(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry=False)

    async def fail(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        try:
            await trio.sleep_forever()
        finally:
            raise ValueError("while it was cut")

    async def two() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail)
            await trio.sleep_forever()

    async def main() -> None:
        async with trio.open_nursery() as nursery:

            async def caller() -> None:
                with pytest.raises(AttemptTimeout):
                    await guard.acall(two)

            nursery.start_soon(caller)
            await turns()
            clock.advance("1s")

    trio.run(main)


def test_a_trio_call_that_is_closed_elsewhere_counts_as_cancelled() -> None:
    """As a garbage collector closes it: outside its task and its context."""
    guard = Guard("g", breaker=TWO)
    calls = []

    async def main() -> None:
        call = guard.acall(trio.sleep_forever)
        call.send(None)
        calls.append(call)

    trio.run(main)
    with capture_events(guard=guard) as heard:
        calls[0].close()
    assert heard == []
    assert counted(guard) == 0


def test_nothing_is_imported_that_is_not_in_use() -> None:
    """Neither library by the package, nor trio by a call under asyncio, nor asyncio by one under trio."""
    script = """
import sys
import overcurrent
guard = overcurrent.Guard("g")
assert not {"asyncio", "trio", "sniffio", "anyio"} & set(sys.modules)
guard.call(int)
assert not {"asyncio", "trio"} & set(sys.modules)
async def one(): return 1
import asyncio
assert asyncio.run(guard.acall(one)) == 1
assert not {"trio", "anyio", "sniffio"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_trio_as_the_guest_of_asyncio_is_recognised(clock: ManualClock) -> None:
    """Both run in one thread; what counts is whose task the call is made in."""
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry={"backoff": "none"})

    async def guest() -> int:
        return await guard.acall(Failing(1))

    async def host() -> tuple[Any, int]:
        done = asyncio.get_running_loop().create_future()
        trio.lowlevel.start_guest_run(
            guest,
            run_sync_soon_threadsafe=asyncio.get_running_loop().call_soon_threadsafe,
            done_callback=done.set_result,
        )

        async def own() -> int:
            await asyncio.sleep(0)
            return 7

        seven = await guard.acall(own)
        return (await done).unwrap(), seven

    assert asyncio.run(host()) == (2, 7)
