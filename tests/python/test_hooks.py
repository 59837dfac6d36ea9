"""What a result means: `on`, `ignore` and `classify`."""

from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import pytest
from conftest import TWO, Flaky, counted
from overcurrent import (
    Breaker,
    BreakerOpen,
    Failure,
    Guard,
    ManualClock,
    Retry,
)


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

    hooks: Any
    for hooks in ({"on": broken}, {"ignore": broken}):
        caplog.clear()
        assert Guard("g", clock=clock, **hooks).call(Flaky(1)) == 2
        assert len(caplog.records) == 1


def test_a_hook_finds_the_error_that_it_is_asked_about_as_the_one_being_handled(clock: ManualClock) -> None:
    found: list[BaseException | None] = []

    def classify(result: object) -> None:
        found.append(sys.exception())
        assert found[-1] is None or found[-1].__traceback__ is not None

    guard = Guard("g", clock=clock, retry={"backoff": "none"}, classify=classify)
    seen: list[BaseException | None] = []

    def flaky() -> None:
        seen.append(sys.exception())
        if len(seen) < 3:
            raise ConnectionError

    guard.call(flaky)
    assert seen == [None, None, None], "nothing is being handled while an attempt is made"
    assert [type(error) for error in found] == [ConnectionError, ConnectionError, type(None)]
    outer = KeyError()
    seen.clear()
    try:
        raise outer
    except KeyError:
        guard.call(flaky)
        seen.append(sys.exception())
    assert seen == [outer] * 4


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
        with pytest.raises(TypeError, match="`on` must be") as caught:
            Guard("g", on=wrong)
        assert str(caught.value).endswith(f" or a callable, not `{wrong!r}`")
    wrong = 3
    with pytest.raises(TypeError, match="`classify` must be a callable, not `3`"):
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


def test_so_is_a_group_of_nothing_but_rejections(clock: ManualClock) -> None:
    inner = Breaker("inner", clock=clock)
    inner.force_open()

    async def rejected() -> None:
        inner.acquire()

    async def failed() -> None:
        raise ConnectionError

    def together(*tasks: Any) -> Any:
        async def main() -> None:
            async with asyncio.TaskGroup() as group:
                for task in tasks:
                    group.create_task(task())

        return main

    def outer() -> Guard:
        return Guard("outer", clock=clock, breaker=TWO, retry=False)

    for fn in (together(rejected, rejected), together(together(rejected), rejected)):
        guard = outer()
        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(guard.acall(fn))
        assert not hasattr(caught.value, "__notes__")
        assert counted(guard) == 0
    for fn in (together(rejected, failed), together(together(rejected, failed), rejected)):
        guard = outer()
        with pytest.raises(ExceptionGroup):
            asyncio.run(guard.acall(fn))
        assert counted(guard) == 1


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
