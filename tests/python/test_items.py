"""Generators: their opening and first item are guarded, what follows passes through."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from conftest import TWO, collected, counted, forever, frames, turns
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


def numbers(stop: int, fail_at: int = -1) -> Iterator[int]:
    """Count up."""
    for number in range(stop):
        if number == fail_at:
            raise ConnectionError(f"at {number}")
        yield number


async def numbers_later(stop: int, fail_at: int = -1) -> AsyncIterator[int]:
    """Count up."""
    for number in range(stop):
        await asyncio.sleep(0)
        if number == fail_at:
            raise ConnectionError(f"at {number}")
        yield number


Drain = Callable[..., list[Any]]


def drains(subject: Any, fn: Any, fn_later: Any) -> dict[str, Drain]:
    """What a generator function gives through a subject, blocking and asynchronous."""
    return {
        "blocking": lambda *args: list(subject(fn)(*args)),
        "asynchronous": lambda *args: asyncio.run(collected(subject(fn_later)(*args))),
    }


KINDS = ("blocking", "asynchronous")
each_kind = pytest.mark.parametrize("kind", KINDS)


class Opening:
    """Generator functions that fail so often before their first item."""

    def __init__(self, failures: int, error: type[BaseException] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.opened = 0

    def now(self) -> Iterator[str]:
        self.opened += 1
        if self.opened <= self.failures:
            raise self.error(f"opening {self.opened}")
        yield "a"
        yield "b"

    async def later(self) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        for item in self.now():
            await asyncio.sleep(0)
            yield item


def test_they_stay_what_they_are() -> None:
    guard = Guard("g")
    one, two = guard(numbers), guard(numbers_later)
    assert inspect.isgeneratorfunction(one)
    assert inspect.isasyncgenfunction(two)
    assert (one.__name__, one.__doc__) == ("numbers", "Count up.")
    assert inspect.signature(one) == inspect.signature(numbers)

    class Client:
        @guard
        def items(self) -> Iterator[object]:
            yield self

        @guard
        @classmethod
        def classy(cls) -> Iterator[object]:
            yield cls

    class Callable:
        def __call__(self) -> Iterator[int]:
            yield 1

    client = Client()
    assert list(client.items()) == [client]
    assert list(client.classy()) == [Client]
    opened = guard(Callable())
    assert inspect.isgeneratorfunction(opened)
    assert list(opened()) == [1]


@each_kind
def test_the_opening_is_retried(kind: str, clock: ManualClock) -> None:
    for subject in (
        Guard("g", clock=clock, retry={"backoff": constant("1s"), "jitter": "none"}),
        Retry(clock=clock, backoff=constant("1s"), jitter="none"),
        Guard("g", clock=clock, deadline=False, attempt_timeout=False, breaker=False),
    ):
        opening = Opening(2)
        assert drains(subject, opening.now, opening.later)[kind]() == ["a", "b"]
        assert opening.opened == 3


@each_kind
def test_nothing_happens_before_the_first_item_is_asked_for(kind: str) -> None:
    guard = Guard("g")
    assert guard.breaker is not None
    guard.breaker.force_open()
    items: Any = guard(numbers if kind == "blocking" else numbers_later)(3)
    with pytest.raises(BreakerOpen):
        if kind == "blocking":
            next(items)
        else:
            asyncio.run(collected(items))


@each_kind
def test_a_later_error_passes_through_and_counts_nowhere(kind: str, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, breaker=TWO, retry={"backoff": "none"})
    with pytest.raises(ConnectionError, match="at 2") as caught:
        drains(guard, numbers, numbers_later)[kind](5, 2)
    assert not hasattr(caught.value, "__notes__")
    assert len(frames(caught.value)) == 1
    assert counted(guard) == 0


@dataclass(frozen=True)
class Frozen(Exception):
    """Lets no attribute be set, by assignment not even its traceback."""

    code: int


def test_an_error_that_cannot_be_changed_can_be_thrown_in(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock)

    def endless() -> Iterator[int]:
        while True:
            yield 1

    async def endless_later() -> AsyncIterator[int]:
        while True:
            yield 1

    items: Any = guard(endless)()
    next(items)
    with pytest.raises(Frozen):
        items.throw(Frozen(7))

    async def main() -> None:
        later: Any = guard(endless_later)()
        await anext(later)
        with pytest.raises(Frozen):
            await later.athrow(Frozen(7))

    asyncio.run(main())


@each_kind
def test_an_opening_that_fails_counts_and_leaves_an_account(kind: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, breaker={"consecutive_failures": 3}, retry={"backoff": "none"})
    opening = Opening(9)
    with pytest.raises(ConnectionError, match="opening 3") as caught:
        drains(guard, opening.now, opening.later)[kind]()
    assert caught.value.__notes__ == ["guard `pay` gave up after 3 attempts in 0 ms: attempts_exhausted"]
    assert len(frames(caught.value)) == 1
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert guard.breaker is not None
    assert guard.breaker.state == "open"


@each_kind
def test_no_item_at_all_is_a_success(kind: str, clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1, cooldown="1s")
    breaker.trip("1s")
    clock.advance("1s")
    assert drains(breaker, numbers, numbers_later)[kind](0) == []
    assert breaker.state == "closed"


@each_kind
def test_the_first_item_settles_a_probe_though_the_rest_is_never_asked_for(
    kind: str, clock: ManualClock
) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1, cooldown="1s")
    breaker.trip("1s")
    clock.advance("1s")
    if kind == "blocking":
        items = breaker(numbers)(3)
        assert next(items) == 0
        assert breaker.state == "closed"
        items.close()  # type: ignore[attr-defined]
    else:

        async def main() -> None:
            items = breaker(numbers_later)(3)
            assert await anext(items) == 0
            assert breaker.state == "closed"
            await items.aclose()  # type: ignore[attr-defined]

        asyncio.run(main())
    assert breaker.state == "closed"


@each_kind
def test_items_are_not_results(kind: str, clock: ManualClock) -> None:
    asked: list[object] = []

    def meaning(result: object) -> None:
        asked.append(result)

    guard = Guard("g", clock=clock, classify=meaning, retry={"backoff": "none"})
    assert drains(guard, numbers, numbers_later)[kind](2) == [0, 1]
    assert drains(guard, numbers, numbers_later)[kind](0) == []
    assert asked == []
    opening = Opening(1)
    drains(guard, opening.now, opening.later)[kind]()
    assert [type(error) for error in asked] == [ConnectionError]


@each_kind
@pytest.mark.parametrize("bounded", ["attempt_timeout", "deadline"])
def test_what_was_opened_too_late_is_closed_before_the_wait(
    kind: str, bounded: str, clock: ManualClock
) -> None:
    limits: Any = {bounded: "1s"}
    retry: Any = {"max_attempts": 2, "jitter": "none", "backoff": constant("5s")}
    guard = Guard("g", clock=clock, retry=retry, **limits)
    times: list[int] = []

    def slow() -> Iterator[int]:
        try:
            clock.advance("1s")
            yield 1
        finally:
            times.append(clock.now_ns // 1_000_000_000)

    async def slow_later() -> AsyncIterator[int]:
        items = slow()
        try:
            for item in items:
                yield item
        finally:
            items.close()  # type: ignore[attr-defined]

    error = AttemptTimeout if bounded == "attempt_timeout" else DeadlineExceeded
    with pytest.raises(error) as caught:
        drains(guard, slow, slow_later)[kind]()
    assert times == ([1, 7] if bounded == "attempt_timeout" else [1])
    assert len(frames(caught.value)) == 1


def test_one_that_goes_on_though_it_is_cut_is_closed(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry=False, breaker=TWO)
    events: list[str] = []

    @guard
    async def stubborn() -> AsyncIterator[int]:
        try:
            await forever()
        except asyncio.CancelledError:
            events.append("cut")
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            events.append("closed")

    async def main() -> None:
        task = asyncio.ensure_future(collected(stubborn()))
        await turns()
        clock.advance("1s")
        with pytest.raises(AttemptTimeout) as caught:
            await task
        assert events == ["cut", "closed"], "and not only when the error is let go"
        assert len(frames(caught.value)) == 1

    asyncio.run(main())
    assert counted(guard) == 1


def test_an_asynchronous_first_item_is_cut(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry={"max_attempts": 2, "backoff": "none"})
    ended: list[int] = []

    @guard
    async def hanging() -> AsyncIterator[int]:
        try:
            if len(ended) == 1:
                yield 7
            await forever()
        finally:
            ended.append(clock.now_ns)

    async def main() -> None:
        items = hanging()
        task = asyncio.ensure_future(anext(items))
        await turns()
        clock.advance("1s")
        assert await task == 7
        assert ended == [1_000_000_000]
        # The cut was for the first item alone.
        rest = asyncio.ensure_future(anext(items))
        await turns()
        clock.advance("1h")
        await turns()
        assert not rest.done()
        rest.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rest

    asyncio.run(main())
    assert guard.breaker is not None
    assert guard.breaker.state == "closed"


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_opening_gives_its_probe_back(kind: str, clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1, cooldown="1s")
    breaker.trip("1s")
    clock.advance("1s")
    opening = Opening(1, KeyboardInterrupt if kind == "blocking" else asyncio.CancelledError)
    with pytest.raises(opening.error):
        drains(breaker, opening.now, opening.later)[kind]()
    assert breaker.state == "half_open"
    breaker.acquire().success()
    assert breaker.state == "closed"


@each_kind
def test_a_generator_knows_its_attempt(kind: str, clock: ManualClock) -> None:
    seen = []

    def ask() -> Iterator[int]:
        attempt = current_attempt()
        seen.append((attempt.number, attempt.idempotency_key))
        if attempt.number < 3:
            raise ConnectionError
        yield attempt.number

    async def ask_later() -> AsyncIterator[int]:
        await asyncio.sleep(0)
        for item in ask():
            yield item

    for subject in (Guard("g", clock=clock), Retry(clock=clock), Guard("g", clock=clock, deadline=False)):
        seen.clear()
        assert drains(subject, ask, ask_later)[kind]() == [3]
        assert [number for number, _ in seen] == [1, 2, 3]
        assert len({key for _, key in seen}) == 1


@each_kind
def test_its_later_part_is_no_part_of_the_attempt(kind: str, clock: ManualClock) -> None:
    outer = Guard("outer", clock=clock)
    seen = []

    def ask() -> Iterator[str]:
        for _ in range(2):
            yield current_attempt().idempotency_key

    async def ask_later() -> AsyncIterator[str]:
        for _ in range(2):
            await asyncio.sleep(0)
            yield current_attempt().idempotency_key

    for subject in (Guard("g", clock=clock), Retry(clock=clock), Guard("g", clock=clock, deadline=False)):
        drain = drains(subject, ask, ask_later)[kind]
        with pytest.raises(LookupError):
            drain()

        def around(drain: Drain = drain) -> list[str]:
            return [current_attempt().idempotency_key, *drain()]

        if kind == "blocking":
            seen = outer.call(around)
            assert seen[0] == seen[2] != seen[1]


def test_the_tasks_that_it_starts_know_its_attempt(clock: ManualClock) -> None:
    async def ask() -> int:
        await asyncio.sleep(0)
        return current_attempt().number

    @Guard("g", clock=clock, retry={"backoff": "none"})
    async def numbers_of_tasks() -> AsyncIterator[int]:
        number = await asyncio.create_task(ask())
        if number == 1:
            raise ConnectionError
        yield number
        with pytest.raises(LookupError):
            await asyncio.create_task(ask())

    assert asyncio.run(collected(numbers_of_tasks())) == [2]


def test_an_opening_that_nobody_awaits_any_more_gives_its_probe_back(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1, cooldown="1s", probe_timeout="1h")
    guard = Guard("g", clock=clock, breaker=breaker)
    breaker.trip("1s")
    clock.advance("1s")

    @guard
    async def hanging() -> AsyncIterator[int]:
        await forever()
        yield 1

    async def main() -> None:
        opening = anext(hanging())
        opening.send(None)  # type: ignore[attr-defined]
        assert breaker.state == "half_open"
        with pytest.raises(BreakerOpen):
            breaker.acquire()
        with pytest.raises(GeneratorExit):
            contextvars.Context().run(opening.throw, GeneratorExit)  # type: ignore[attr-defined]
        assert breaker.state == "half_open"
        breaker.acquire().success()

    asyncio.run(main())
    assert breaker.state == "closed"


@each_kind
def test_wrong_arguments_are_an_error_of_the_attempt(kind: str, clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1, cooldown="1s")
    drain = drains(breaker, numbers, numbers_later)[kind]
    with pytest.raises(TypeError) as caught:
        drain(1, 2, 3)
    assert len(frames(caught.value)) == 1
    assert breaker.state == "open"


def test_a_class_is_not_what_its_instances_are() -> None:
    class Client:
        def __init__(self, number: int) -> None:
            self.number = number

        async def __call__(self) -> int:
            return self.number

    class Items(Client):
        def __call__(self) -> Any:
            yield self.number

    class LaterItems(Client):
        async def __call__(self) -> Any:
            yield self.number

    guard = Guard("g")
    assert asyncio.run(guard(Client(1))()) == 1
    assert list(guard(Items(2))()) == [2]
    assert asyncio.run(collected(guard(LaterItems(3))())) == [3]
    for number, kind in enumerate((Client, Items, LaterItems)):
        made = guard.wrap(kind)(number)
        assert type(made) is kind
        assert made.number == number
