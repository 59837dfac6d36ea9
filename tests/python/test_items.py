"""Generators: their opening and first item are guarded, what follows passes through."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from conftest import TWO, counted, forever, frames, turns
from overcurrent import (
    AttemptTimeout,
    Breaker,
    BreakerOpen,
    Failure,
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


async def collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]


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


@each_kind
def test_an_opening_that_fails_counts_and_leaves_an_account(kind: str, clock: ManualClock) -> None:
    guard = Guard("pay", clock=clock, breaker={"consecutive_failures": 3}, retry={"backoff": "none"})
    opening = Opening(9)
    with pytest.raises(ConnectionError, match="opening 3") as caught:
        drains(guard, opening.now, opening.later)[kind]()
    assert caught.value.__notes__ == ["guard `pay` gave up after 3 attempts in 0.000s: attempts_exhausted"]
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
def test_a_first_item_can_be_a_failure(kind: str, clock: ManualClock) -> None:
    closed = []

    def answers() -> Iterator[int]:
        try:
            yield 503 if clock.now_ns < 2_000_000_000 else 200
            yield 1
        finally:
            closed.append(clock.now_ns)

    async def answers_later() -> AsyncIterator[int]:
        items = answers()
        try:
            for item in items:
                yield item
        finally:
            items.close()  # type: ignore[attr-defined]

    guard = Guard(
        "g",
        clock=clock,
        classify=lambda item: Failure(hint="1s") if item == 503 else None,
        retry={"max_attempts": 3, "jitter": "none", "backoff": "none"},
    )
    assert drains(guard, answers, answers_later)[kind]() == [200, 1]
    assert closed == [1_000_000_000, 2_000_000_000, 2_000_000_000]
    assert drains(Guard("g", clock=clock, classify=lambda _: "failure"), answers, answers_later)[kind]() == [
        200,
        1,
    ], "the last failing item is handed over, and what follows it"


def test_a_late_first_item_is_a_timeout_and_closes_the_generator(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry=False)
    closed = []

    def slow() -> Iterator[int]:
        try:
            clock.advance("1s")
            yield 1
        finally:
            closed.append(1)

    with pytest.raises(AttemptTimeout) as caught:
        list(guard(slow)())
    assert closed == [1], "and not only when the error is let go"
    assert len(frames(caught.value)) == 1


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


def echo() -> Any:
    """Give back what is sent, and the names of the errors that are thrown in."""
    got: Any = "ready"
    try:
        while got != "stop":
            try:
                got = yield got
            except ValueError as error:
                got = f"caught {error}"
    finally:
        ends.append("closed")
    return "returned"


async def echo_later() -> Any:
    items = echo()
    got = next(items)
    while True:
        try:
            sent = yield got
        except ValueError as error:
            got = items.throw(error)
        else:
            try:
                got = items.send(sent)
            except StopIteration:
                return


ends: list[str] = []


def test_a_generator_can_be_sent_to_thrown_into_and_closed() -> None:
    ends.clear()
    opened: Any = Guard("g")(echo)
    items = opened()
    assert next(items) == "ready"
    assert items.send(1) == 1
    assert items.throw(ValueError("mine")) == "caught mine"
    with pytest.raises(StopIteration) as caught:
        items.send("stop")
    assert caught.value.value == "returned"

    items = opened()
    next(items)
    items.close()
    assert ends == ["closed", "closed"]

    items = opened()
    next(items)
    with pytest.raises(KeyError) as thrown:
        items.throw(KeyError("key"))
    assert len(frames(thrown.value)) == 1

    def outer() -> Any:
        return (yield from opened())

    items = outer()
    next(items)
    with pytest.raises(StopIteration, match="returned"):
        items.send("stop")


def test_an_asynchronous_generator_can_be_sent_to_thrown_into_and_closed() -> None:
    async def main() -> None:
        opened: Any = Guard("g")(echo_later)
        items = opened()
        assert await anext(items) == "ready"
        assert await items.asend(1) == 1
        assert await items.athrow(ValueError("mine")) == "caught mine"
        with pytest.raises(StopAsyncIteration):
            await items.asend("stop")
        items = opened()
        await anext(items)
        ends.clear()
        await items.aclose()
        assert ends == ["closed"]
        items = opened()
        await anext(items)
        with pytest.raises(KeyError) as thrown:
            await items.athrow(KeyError("key"))
        assert len(frames(thrown.value)) == 1

    asyncio.run(main())


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
