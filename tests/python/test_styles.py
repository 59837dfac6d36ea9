"""What holds in every style of calling.

One frame of ours at most, no cycles, no pinned frames; and what is no `Exception` counts nowhere.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import pickle
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from conftest import frames
from overcurrent import AttemptTimeout, Breaker, BreakerOpen, Guard, ManualClock, Retry, constant

WAITING: Any = {"max_attempts": 3, "backoff": constant("1s"), "jitter": "none"}
PROBING: Any = {"consecutive_failures": 1, "cooldown": "1s", "cooldown_jitter": 0, "probe_timeout": "24h"}

Function = Callable[[], Any]
Style = Callable[[Any, Function], Awaitable[Any]]


class Own(Exception): ...


class Local:
    """What a failing function has in its hands."""


def later(fn: Function) -> Callable[[], Awaitable[Any]]:
    async def call() -> Any:
        await asyncio.sleep(0)
        return fn()

    return call


async def by_call(subject: Any, fn: Function) -> Any:
    return subject.call(fn)


async def by_decorator(subject: Any, fn: Function) -> Any:
    return subject(lambda: fn())()


async def by_acall(subject: Any, fn: Function) -> Any:
    return await subject.acall(later(fn))


async def by_async_decorator(subject: Any, fn: Function) -> Any:
    return await subject(later(fn))()


async def by_generator(subject: Any, fn: Function) -> Any:
    def items() -> Iterator[Any]:
        yield fn()

    return next(subject(items)())


async def by_async_generator(subject: Any, fn: Function) -> Any:
    async def items() -> AsyncIterator[Any]:
        await asyncio.sleep(0)
        yield fn()

    return await anext(subject(items)())


async def by_loop(subject: Any, fn: Function) -> Any:
    for attempt in subject:
        with attempt:
            return fn()
    raise AssertionError


async def by_async_loop(subject: Any, fn: Function) -> Any:
    async for attempt in subject:
        async with attempt:
            await asyncio.sleep(0)
            return fn()
    raise AssertionError


async def by_async_loop_with(subject: Any, fn: Function) -> Any:
    async for attempt in subject:
        with attempt:
            await asyncio.sleep(0)
            return fn()
    raise AssertionError


async def by_block(subject: Any, fn: Function) -> Any:
    with subject:
        return fn()


async def by_async_block(subject: Any, fn: Function) -> Any:
    async with subject:
        await asyncio.sleep(0)
        return fn()


CALLS: list[Style] = [
    by_call,
    by_decorator,
    by_acall,
    by_async_decorator,
    by_generator,
    by_async_generator,
]
LOOPS: list[Style] = [by_loop, by_async_loop, by_async_loop_with]
BLOCKS: list[Style] = [by_block, by_async_block]


def subjects(clock: ManualClock) -> dict[str, Any]:
    """A new one of each kind, with nothing counted."""
    return {
        "guard": Guard("g", clock=clock, retry=WAITING),
        "guard without retries": Guard("g", clock=clock, retry=False),
        "guard without limits": Guard(
            "g", clock=clock, retry=WAITING, deadline=False, attempt_timeout=False, breaker=PROBING
        ),
        "classifying guard": Guard("g", clock=clock, retry=WAITING, classify=lambda _: None),
        "retry": Retry(clock=clock, **WAITING),
        "breaker": Breaker(clock=clock),
    }


CASES = [
    pytest.param(style, kind, id=f"{style.__name__}-{kind}")
    for kind in subjects(ManualClock())
    for style in CALLS + (BLOCKS if kind == "breaker" else LOOPS)
]
every_case = pytest.mark.parametrize(("style", "kind"), CASES)


@every_case
def test_an_error_has_one_frame_of_ours_at_most(style: Style, kind: str, clock: ManualClock) -> None:
    def fail() -> Any:
        raise Own

    async def main() -> None:
        with pytest.raises(Own) as caught:
            await style(subjects(clock)[kind], fail)
        assert len(frames(caught.value)) <= 1, frames(caught.value)
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        notes = getattr(caught.value, "__notes__", [])
        assert [" gave up after " in note for note in notes] == ([] if kind == "breaker" else [True])

    asyncio.run(main())


@dataclass(frozen=True)
class Frozen(Exception):
    """Lets no attribute be set: neither a note nor, by assignment, a traceback."""

    code: int


@every_case
def test_an_error_that_cannot_be_changed_comes_back_as_it_is(
    style: Style, kind: str, clock: ManualClock
) -> None:
    def fail() -> Any:
        raise Frozen(7)

    async def main() -> None:
        with pytest.raises(Frozen) as caught:
            await style(subjects(clock)[kind], fail)
        assert caught.value.code == 7
        assert caught.value.__context__ is None
        assert len(frames(caught.value)) <= 1, frames(caught.value)

    asyncio.run(main())


@every_case
def test_the_cause_and_context_of_an_error_are_its_own(style: Style, kind: str, clock: ManualClock) -> None:
    def fail() -> Any:
        try:
            raise KeyError("context")
        except KeyError as error:
            raise Own from error

    async def main() -> None:
        with pytest.raises(Own) as caught:
            await style(subjects(clock)[kind], fail)
        assert isinstance(caught.value.__cause__, KeyError)
        assert caught.value.__context__ is caught.value.__cause__

    asyncio.run(main())


@every_case
def test_an_error_leaves_neither_cycles_nor_pinned_frames(
    style: Style, kind: str, clock: ManualClock
) -> None:
    held: list[weakref.ref[Any]] = []

    def fail() -> Any:
        local = Local()
        held.append(weakref.ref(local))
        raise Own

    async def fails() -> None:
        try:
            await style(subjects(clock)[kind], fail)
        except Own as error:
            held.append(weakref.ref(error))
        else:
            raise AssertionError("it did not fail")

    async def main() -> None:
        await fails()  # what is loaded and made once
        held.clear()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await fails()
            assert len(held) >= 2
            assert [ref() for ref in held] == [None] * len(held)
            assert gc.collect() == 0, gc.garbage
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()

    asyncio.run(main())


@every_case
@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError], ids=lambda e: e.__name__
)
def test_what_is_no_exception_counts_nowhere_and_frees_the_slot(
    style: Style, kind: str, error: type[BaseException], clock: ManualClock
) -> None:
    breaker = Breaker(clock=clock, **PROBING)
    calls = []

    def fail() -> Any:
        calls.append(1)
        raise error

    async def main() -> None:
        subject: Any = {
            "guard": Guard("g", clock=clock, retry=WAITING, breaker=breaker),
            "guard without retries": Guard("g", clock=clock, retry=False, breaker=breaker),
            "guard without limits": Guard(
                "g", clock=clock, retry=WAITING, breaker=breaker, deadline=False, attempt_timeout=False
            ),
            "classifying guard": Guard("g", clock=clock, breaker=breaker, classify=lambda _: "failure"),
            "retry": Retry(clock=clock, **WAITING),
            "breaker": breaker,
        }[kind]
        if kind != "retry":
            breaker.trip("1s")
            clock.advance("1s")
        before = clock.now_ns
        caught: BaseException | None = None
        try:
            await style(subject, fail)
        except error as raised:
            caught = raised
        assert type(caught) is error
        assert not hasattr(caught, "__notes__")
        assert len(frames(caught)) <= 1
        assert (len(calls), clock.now_ns) == (1, before), "it was not retried"
        if kind != "retry":
            assert breaker.state == "half_open"
            breaker.acquire().success()
            assert breaker.state == "closed"

    with asyncio.Runner() as runner:
        loop = runner.get_loop()
        task = loop.create_task(main())
        while not task.done():
            # Raised in a task, some of these leave the event loop at once.
            with suppress(KeyboardInterrupt, SystemExit):
                loop.run_until_complete(task)
        task.result()


def test_a_cancelled_future_of_threads_is_an_exception_and_so_a_failure(clock: ManualClock) -> None:
    """`concurrent.futures.CancelledError` is an `Exception`: somebody else's call was given up, not this."""
    future: concurrent.futures.Future[int] = concurrent.futures.Future()
    future.cancel()
    guard = Guard("g", clock=clock, breaker={"consecutive_failures": 1}, retry=False)
    with pytest.raises(concurrent.futures.CancelledError):
        guard.call(future.result)
    assert guard.breaker is not None
    assert guard.breaker.state == "open"


@pytest.mark.parametrize("kind", ["guard", "breaker"])
def test_a_rejection_has_one_frame_of_ours_at_most(kind: str, clock: ManualClock) -> None:
    subject = subjects(clock)[kind]
    (subject if kind == "breaker" else subject.breaker).force_open()

    async def main() -> None:
        for style in CALLS + (BLOCKS if kind == "breaker" else LOOPS):
            with pytest.raises(BreakerOpen) as caught:
                await style(subject, lambda: None)
            limit = 1 if style not in {by_async_block} else 2
            assert len(frames(caught.value)) <= limit, (style, frames(caught.value))

    asyncio.run(main())


@pytest.mark.parametrize("style", [by_call, by_decorator, by_generator, by_loop])
def test_a_late_attempt_has_one_frame_of_ours(style: Style, clock: ManualClock) -> None:
    async def main() -> None:
        with pytest.raises(AttemptTimeout) as caught:
            await style(Guard("g", clock=clock, retry=False), lambda: clock.advance("10s"))
        assert len(frames(caught.value)) == 1

    asyncio.run(main())


module_guard = Guard("module")


@module_guard
def module_function(x: int) -> int:
    """Add one."""
    return x + 1


@module_guard
async def module_coroutine(x: int) -> int:
    return x + 1


@module_guard
def module_generator(stop: int) -> Iterator[int]:
    yield from range(stop)


def test_decorated_functions_of_a_module_are_pickled_by_name() -> None:
    for function in (module_function, module_coroutine, module_generator):
        assert pickle.loads(pickle.dumps(function)) is function
        assert function.__wrapped__.__qualname__ == function.__qualname__
    assert pickle.loads(pickle.dumps(module_function))(1) == 2
