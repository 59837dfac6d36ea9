"""What is no function, or of the wrong kind, is refused at once: no other attempt would cure it."""

from __future__ import annotations

import asyncio
import types
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio
from overcurrent import Guard, RetryPolicy

RETRY: RetryPolicy = {"backoff": "none", "budget": False}

GUARDS = {
    "bounded": lambda: Guard("g", retry=RETRY),
    "unbounded": lambda: Guard("g", deadline=False, attempt_timeout=False, retry=RETRY, breaker=False),
}

RUNS = {"asyncio": asyncio.run, "trio": trio.run}


def counted(guard: Guard) -> str:
    """Return the outcome that the only call of a guard is counted with."""
    lines = [line for line in guard.metrics().prometheus().splitlines() if "_calls_total{" in line]
    (outcome,) = [line.split('outcome="')[1].split('"')[0] for line in lines if not line.endswith(" 0")]
    return outcome


@pytest.mark.parametrize("fn", [3, None, "charge", property(lambda self: 3)])
def test_what_cannot_be_called_is_not_wrapped(fn: Any) -> None:
    guard = Guard("g")
    assert guard.breaker is not None
    for wrap in (guard, guard.wrap, guard.breaker):
        with pytest.raises(TypeError) as caught:
            wrap(fn)
        assert str(caught.value) == f"`fn` must be callable, not `{fn!r}`"


@pytest.mark.parametrize("make", GUARDS.values(), ids=GUARDS)
def test_a_call_of_what_is_no_function_is_not_tried_again(make: Callable[[], Guard]) -> None:
    guard = make()
    not_callable: Any = "receipt"
    with pytest.raises(TypeError, match="'str' object is not callable") as caught:
        guard.call(not_callable, "order 7")
    assert not hasattr(caught.value, "__notes__")
    assert counted(guard) == "cancelled"


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("make", GUARDS.values(), ids=GUARDS)
def test_an_awaited_call_of_what_is_no_function_is_not_tried_again(
    make: Callable[[], Guard], run: Callable[[Any], Any]
) -> None:
    guard = make()
    not_callable: Any = "receipt"

    async def main() -> None:
        await guard.acall(not_callable, "order 7")

    with pytest.raises(TypeError, match="'str' object is not callable") as caught:
        run(main) if run is trio.run else run(main())
    assert not hasattr(caught.value, "__notes__")
    assert counted(guard) == "cancelled"


@pytest.mark.parametrize("run", RUNS.values(), ids=RUNS)
@pytest.mark.parametrize("make", GUARDS.values(), ids=GUARDS)
def test_acall_refuses_a_blocking_function_after_one_attempt(
    make: Callable[[], Guard], run: Callable[[Any], Any]
) -> None:
    guard, calls = make(), 0

    def charge() -> Any:
        nonlocal calls
        calls += 1
        return "receipt"

    async def main() -> None:
        await guard.acall(charge)

    with pytest.raises(TypeError) as caught:
        run(main) if run is trio.run else run(main())
    assert str(caught.value) == "`acall` is for coroutine functions; use `call` for a blocking function"
    assert (calls, counted(guard)) == (1, "cancelled")


class Later:
    """Awaitable, and no coroutine."""

    def __await__(self) -> Any:
        return asyncio.sleep(0, "receipt").__await__()


@types.coroutine
def of_a_generator() -> Any:
    yield
    return "receipt"


@pytest.mark.parametrize("make", GUARDS.values(), ids=GUARDS)
@pytest.mark.parametrize(
    "fn", [Later, of_a_generator, lambda: asyncio.ensure_future(asyncio.sleep(0, "receipt"))]
)
def test_acall_takes_whatever_can_be_awaited(
    make: Callable[[], Guard], fn: Callable[[], Awaitable[str]]
) -> None:
    guard = make()

    async def main() -> str:
        return await guard.acall(fn)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert asyncio.run(main()) == "receipt"
    assert counted(guard) == "success"
