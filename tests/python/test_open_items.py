"""Generators that are open: sent to, thrown into, closed and held as they would be without a guard."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from conftest import TWO, counted, frames
from hypothesis import given, settings
from hypothesis import strategies as st
from overcurrent import Guard, ManualClock, current_attempt


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


def test_a_context_manager_can_be_made_of_one(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, breaker=TWO, retry={"backoff": "none"})
    events: list[str] = []

    @contextmanager
    @guard
    def session(kind: str) -> Iterator[int]:
        attempt = current_attempt().number
        if attempt == 1:
            raise ConnectionError
        try:
            yield attempt
        except KeyError:
            events.append("swallowed")
        finally:
            events.append(f"closed {kind}")

    with session("a") as number:
        assert number == 2

    def fail(error: BaseException) -> None:
        raise error

    with session("b"):
        fail(KeyError())
    with pytest.raises(StopIteration), session("c"):
        fail(StopIteration())
    with pytest.raises(ConnectionError, match="mine") as caught, session("d"):
        fail(ConnectionError("mine"))
    assert len(frames(caught.value)) <= 1
    assert events == ["closed a", "swallowed", "closed b", "closed c", "closed d"]
    assert counted(guard) == 0


def moody() -> Any:
    """Does with what it is given what that says."""
    got: Any = "ready"
    while True:
        try:
            got = yield got
        except ValueError as error:
            got = ("caught", *error.args)
        except GeneratorExit:
            if got == "stay":
                yield "stayed"
            if got == "return":
                return "in the end"
            raise
        if got == "end":
            return "ended"
        if got == "raise":
            raise ArithmeticError("raised")


async def moody_later() -> Any:
    got: Any = "ready"
    while True:
        try:
            got = yield got
        except ValueError as error:
            got = ("caught", *error.args)
        except GeneratorExit:
            await asyncio.sleep(0)
            if got == "stay":
                yield "stayed"
            if got == "return":
                return
            raise
        await asyncio.sleep(0)
        if got == "end":
            return
        if got == "raise":
            raise ArithmeticError("raised")


def outcome(error: BaseException) -> tuple[object, ...]:
    """What is the same of two errors."""
    context = error.__context__ and type(error.__context__)
    return type(error), str(error), getattr(error, "value", None), context, error.__suppress_context__


THROWN = st.sampled_from([ValueError, KeyError, GeneratorExit, StopIteration, StopAsyncIteration])
quickly = settings(deadline=None)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.sampled_from([None, 1, "stay", "return", "end", "raise"])),
        st.tuples(st.just("throw"), THROWN),
        st.tuples(st.just("close"), st.none()),
    ),
    max_size=6,
)


def played(items: Any, operations: list[tuple[str, Any]]) -> list[object]:
    results: list[object] = [next(items)]
    for name, argument in [*operations, ("send", "end")]:
        try:
            match name:
                case "send":
                    results.append(items.send(argument))
                case "throw":
                    results.append(items.throw(argument("thrown")))
                case _:
                    results.append(items.close())
        except BaseException as error:  # noqa: BLE001 - compared
            results.append(outcome(error))
    return results


async def played_later(items: Any, operations: list[tuple[str, Any]]) -> list[object]:
    results: list[object] = [await anext(items)]
    for name, argument in [*operations, ("send", "end")]:
        try:
            match name:
                case "send":
                    results.append(await items.asend(argument))
                case "throw":
                    results.append(await items.athrow(argument("thrown")))
                case _:
                    results.append(await items.aclose())
        except BaseException as error:  # noqa: BLE001 - compared
            results.append(outcome(error))
    return results


class Mine(Exception):
    """Can be referred to weakly."""


def test_an_error_that_is_thrown_in_is_not_kept() -> None:
    async def main() -> None:
        items, items_later = Guard("g")(moody)(), Guard("g")(moody_later)()
        next(items)
        await anext(items_later)
        for throw in (items.throw, items_later.athrow):
            error = Mine()
            reference = weakref.ref(error)
            with suppress(Mine):
                await throw(error)
            del error
            assert reference() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


@quickly
@given(OPERATIONS)
def test_an_open_generator_does_as_it_would_without_a_guard(operations: list[tuple[str, Any]]) -> None:
    assert played(Guard("g")(moody)(), operations) == played(moody(), operations)


@quickly
@given(OPERATIONS)
def test_an_open_asynchronous_generator_does_as_it_would_without_a_guard(
    operations: list[tuple[str, Any]],
) -> None:
    async def main() -> None:
        guarded = await played_later(Guard("g")(moody_later)(), operations)
        assert guarded == await played_later(moody_later(), operations)

    asyncio.run(main())


@pytest.mark.parametrize(("backend", "bounded"), [("asyncio", True), ("asyncio", False), ("trio", False)])
def test_it_may_hold_what_belongs_to_its_task(backend: str, bounded: bool, clock: ManualClock) -> None:
    """What it opens before its first item, it may leave after it; under trio, where no time limit is set."""
    variable = contextvars.ContextVar("variable", default=0)
    limits: Any = {} if bounded else {"attempt_timeout": False, "deadline": False, "breaker": False}

    @Guard("g", clock=clock, retry={"backoff": "none"}, **limits)
    async def holding() -> AsyncIterator[int]:
        with anyio.fail_after(60):
            async with anyio.create_task_group():
                token = variable.set(1)
                await anyio.lowlevel.checkpoint()
                number = current_attempt().number
                if number < 3:
                    raise ConnectionError
                yield number
                variable.reset(token)
                await anyio.lowlevel.checkpoint()
                yield 0

    async def main() -> list[int]:
        return [number async for number in holding()]

    assert anyio.run(main, backend=backend) == [3, 0]
