"""The context of a request: how headers are read and written, and whose decisions carry it."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import pickle
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from conftest import WAYS, Flaky, forever, turns, until, ways
from overcurrent import (
    Breaker,
    BreakerOpen,
    Event,
    Guard,
    InvalidPolicy,
    ManualClock,
    Retry,
    TraceContext,
    current_attempt,
)
from overcurrent.testing import capture_events

CASES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "trace-context.json").read_text(encoding="utf-8")
)
NOTHING = {
    "trace_id": None,
    "span_id": None,
    "sampled": False,
    "random": False,
    "tracestate": None,
    "baggage": None,
    "correlation_id": None,
}
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TWICE: Any = {"max_attempts": 2, "backoff": "none", "budget": False}


class Written:
    """Headers as they are set, in their order."""

    def __init__(self) -> None:
        self.pairs: list[list[str]] = []

    def __setitem__(self, name: str, value: str) -> None:
        self.pairs.append([name, value])


def known(number: int) -> TraceContext:
    """Return a context that is known by a number."""
    return TraceContext.extract({"traceparent": f"00-{number:032x}-{number:016x}-01"}).with_correlation_id(
        f"call-{number}"
    )


def ids(event: Event) -> tuple[Any, ...]:
    return tuple(event.fields.get(name) for name in ("trace_id", "span_id", "correlation_id"))


def of(context: TraceContext) -> tuple[Any, ...]:
    return context.trace_id, context.span_id, context.correlation_id


ONE = known(1)


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_headers_say_and_go_on_as_every_language_reads_them(case: dict[str, Any]) -> None:
    for given in (case["in"], [(name.encode(), value.encode()) for name, value in case["in"]]):
        context = TraceContext.extract(given)
        assert bool(context) is (case["expect"] is not None)
        assert {name: getattr(context, name) for name in NOTHING} == (case["expect"] or NOTHING)
        written = Written()
        context.inject(written)
        assert written.pairs == case["out"]


def test_headers_come_in_any_shape() -> None:
    expected = TraceContext.extract([("traceparent", PARENT), ("baggage", "a=1")])
    assert expected.trace_id == PARENT[3:35]
    assert TraceContext.extract({"Traceparent": PARENT, "Baggage": "a=1", "Cookie": "secret"}) == expected
    assert TraceContext.extract({b"traceparent": PARENT.encode(), b"baggage": b"a=1"}) == expected
    assert TraceContext.extract(iter([["TRACEPARENT", PARENT], ["BAGGAGE", "a=1"]])) == expected
    headers: dict[str, str] = {"traceparent": "mine"}
    expected.inject(headers)
    assert headers == {"traceparent": PARENT, "baggage": "a=1"}
    assert TraceContext.extract({"x-correlation-id": "lone \udc80"}) == TraceContext.extract({})
    with pytest.raises(TypeError, match="must be str or bytes, not `int`"):
        TraceContext.extract({"traceparent": 3})  # type: ignore[arg-type]


def test_a_child_is_of_the_same_trace_and_a_root_of_its_own() -> None:
    root, child = TraceContext.root(), ONE.child()
    assert (child.trace_id, child.correlation_id, child.sampled) == (ONE.trace_id, "call-1", True)
    assert child.span_id != ONE.span_id
    assert root.trace_id != TraceContext.root().trace_id
    named = TraceContext.extract({"x-correlation-id": "order-7"})
    rooted = named.or_root()
    roots = (root, rooted, TraceContext.root(sampled=False), named.or_root(sampled=False))
    assert [(one.sampled, one.random) for one in roots] == [(True, True)] * 2 + [(False, True)] * 2
    assert ONE.or_root(sampled=False) == ONE
    assert ONE.sampled
    for begin in (TraceContext.root, named.or_root):
        with pytest.raises(InvalidPolicy, match="`sampled`: `no` must be true or false"):
            begin(sampled="no")  # type: ignore[arg-type]
    assert rooted.trace_id is not None
    assert rooted.correlation_id == "order-7"
    assert repr(ONE) == f"<TraceContext trace_id={ONE.trace_id} span_id={ONE.span_id} correlation_id=call-1>"
    assert repr(TraceContext.extract({})) == "<TraceContext>"
    with pytest.raises(InvalidPolicy, match="`correlation_id`") as refused:
        root.with_correlation_id("two words")
    assert refused.value.rule == "must be 1 to 128 visible ASCII characters"
    with pytest.raises(TypeError):
        pickle.dumps(ONE)


def test_a_scope_holds_in_what_is_called_there_and_no_further() -> None:
    assert TraceContext.current() is None

    async def later() -> TraceContext | None:
        await asyncio.sleep(0)
        return TraceContext.current()

    async def main() -> None:
        with ONE.scope() as entered:
            assert entered is ONE
            task = asyncio.create_task(later())
            assert await later() == await asyncio.to_thread(TraceContext.current) == ONE
            with known(2).scope():
                assert TraceContext.current() == known(2)
            assert TraceContext.current() == ONE
        assert TraceContext.current() is None
        assert await task == ONE
        with ThreadPoolExecutor(1) as pool, ONE.scope():
            assert pool.submit(TraceContext.current).result() is None

    asyncio.run(main())
    scope = ONE.scope()
    with scope, scope:
        assert TraceContext.current() == ONE
    assert TraceContext.current() is None


def test_a_scope_may_be_left_elsewhere() -> None:
    def items() -> Iterator[int]:
        with ONE.scope():
            yield 1

    opened = items()
    contextvars.copy_context().run(next, opened)
    opened.close()  # type: ignore[attr-defined]
    assert TraceContext.current() is None


@pytest.mark.parametrize("way", WAYS)
def test_every_event_of_a_call_says_whose_it_is(clock: ManualClock, way: str) -> None:
    guard = Guard("g", clock=clock, retry=TWICE, breaker={"consecutive_failures": 2})
    with capture_events(guard=guard) as heard, ONE.scope():
        with pytest.raises(ConnectionError):
            ways(Flaky(5), guard)[way]()
        with pytest.raises(BreakerOpen):
            ways(Flaky(5), guard)[way]()
    assert [(event.name, event.fields["attempt"]) for event in heard] == [
        ("retry", 1),
        ("state_change", 2),
        ("give_up", 2),
        ("reject", 1),
    ]
    assert {event.fields["guard"] for event in heard} == {"g"}
    assert {ids(event) for event in heard} == {of(ONE)}
    heard.clear()
    with capture_events(guard=guard) as heard, pytest.raises(BreakerOpen):
        ways(Flaky(5), guard)[way]()
    assert [ids(event) for event in heard] == [(None, None, None)]


def test_blocks_retries_breakers_and_permits_say_so_too(clock: ManualClock) -> None:
    retry = Retry(clock=clock, **TWICE)
    breaker = Breaker("b", clock=clock, consecutive_failures=1)
    with capture_events() as heard, ONE.scope():
        with suppress(ConnectionError):
            for attempt in retry:
                with attempt:
                    raise ConnectionError
        calls = retry.start()
        calls.failed()
        with suppress(ConnectionError), breaker:
            raise ConnectionError
        with suppress(BreakerOpen):
            breaker.acquire()
        snapshot = breaker.snapshot()
        breaker.reset()
        breaker.acquire().failure()
        breaker.trip("1s")
        breaker.force_open()
        breaker.automatic()
        breaker.restore(snapshot)
    names = ["retry", "give_up", "retry", "state_change", "reject", *["state_change"] * 6]
    assert [event.name for event in heard] == names
    assert {ids(event) for event in heard} == {of(ONE)}


def test_a_success_that_comes_late_says_whose_it_was(clock: ManualClock) -> None:
    for subject in (Guard("g", clock=clock), Breaker("b", clock=clock)):
        breaker = subject.breaker if isinstance(subject, Guard) else subject
        assert breaker is not None
        with capture_events(breaker=breaker) as heard, ONE.scope():
            subject.call(breaker.reset)
        assert [event.name for event in heard] == ["state_change", "late_result"]
        assert {ids(event) for event in heard} == {of(ONE)}


def test_a_success_that_is_slow_says_whose_it_was(clock: ManualClock) -> None:
    breaker = Breaker("b", clock=clock, slow_call="1s", minimum_calls=1)
    with capture_events(breaker=breaker) as heard, ONE.scope():
        breaker.call(clock.advance, "1s")
    assert [(event.name, ids(event)) for event in heard] == [("state_change", of(ONE))]


def test_asking_for_the_attempt_elsewhere_does_not_change_whose_it_is(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry=TWICE)

    def ask() -> None:
        with known(2).scope():
            assert current_attempt().number
        raise ConnectionError

    with capture_events(guard=guard) as heard, ONE.scope(), pytest.raises(ConnectionError):
        guard.call(ask)
    assert [ids(event) for event in heard] == [of(ONE)] * 2


def test_what_a_timer_cuts_says_whose_it_was(clock: ManualClock) -> None:
    """Also where attempts share a timer, which another call has set."""
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry=False)

    async def hang(number: int) -> None:
        with known(number).scope(), suppress(TimeoutError):
            await guard.acall(forever)

    async def main() -> None:
        with capture_events(guard=guard) as heard:
            tasks = [asyncio.create_task(hang(number)) for number in range(1, 4)]
            await turns()
            clock.advance("1s")
            await asyncio.gather(*tasks)
        told = defaultdict(list)
        for event in heard:
            told[ids(event)].append(event.name)
        assert dict(told) == {of(known(number)): ["timeout", "give_up"] for number in range(1, 4)}

    asyncio.run(main())


def test_real_timers_say_so_too() -> None:
    guard = Guard("g", attempt_timeout=0.01, retry=False)
    heard: list[Event] = []

    async def hang(number: int) -> None:
        with known(number).scope(), suppress(TimeoutError):
            await guard.acall(forever)

    async def main() -> None:
        await asyncio.gather(*(hang(number) for number in range(1, 4)))

    with guard.subscribe(heard.append):
        asyncio.run(main())
    assert {ids(event) for event in heard} == {of(known(number)) for number in range(1, 4)}
    assert len(heard) == 6


def test_of_many_calls_at_once_each_has_its_own() -> None:
    retry: Any = {**TWICE, "max_attempts": 3}
    guard = Guard("g", retry=retry, breaker=False, deadline=False, attempt_timeout=False)
    number, each = 8, 50
    told: dict[Any, list[Any]] = defaultdict(list)
    start = threading.Barrier(number)

    def hear(event: Event) -> None:
        told[ids(event)].append((event.name, event.fields["attempt"]))

    def fail() -> None:
        raise ConnectionError

    async def fail_later() -> None:
        await asyncio.sleep(0)
        raise ConnectionError

    async def one(number: int) -> None:
        with known(number).scope(), suppress(ConnectionError):
            await guard.acall(fail_later)

    def work(worker: int) -> None:
        start.wait()
        mine = [1 + worker * each + call for call in range(each)]
        for call in mine[: each // 2]:
            with known(call).scope(), suppress(ConnectionError):
                guard.call(fail)

        async def main() -> None:
            await asyncio.gather(*(one(call) for call in mine[each // 2 :]))

        asyncio.run(main())

    with guard.subscribe(hear) as subscription:
        workers = [threading.Thread(target=work, args=(worker,)) for worker in range(number)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
    assert subscription.dropped == 0
    expected = [("retry", 1), ("retry", 2), ("give_up", 3)]
    assert dict(told) == {of(known(call)): expected for call in range(1, number * each + 1)}


def test_a_call_that_is_let_go_of_elsewhere_says_whose_it_was(clock: ManualClock) -> None:
    breaker = Breaker("b", clock=clock, abandon_after="1ms", consecutive_failures=1)
    guard = Guard("g", clock=clock, breaker=breaker, retry=False)

    async def main() -> None:
        with ONE.scope():
            task = asyncio.create_task(guard.acall(forever))
        await turns()
        clock.advance("1s")
        with capture_events(guard=guard) as heard:
            task.cancel()
            await until(task.done)
        assert [(event.name, ids(event)) for event in heard] == [("state_change", of(ONE))]

    asyncio.run(main())


def test_a_log_line_says_so_in_its_attributes(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="overcurrent")
    guard = Guard("g", clock=clock, retry=TWICE)
    with ONE.scope(), pytest.raises(ConnectionError):
        guard.call(Flaky(5))
    names = ("trace_id", "span_id", "correlation_id", "guard", "attempt")
    records = [tuple(vars(record)[name] for name in names) for record in caplog.records]
    assert records == [(*of(ONE), "g", 1), (*of(ONE), "g", 2)]
    assert caplog.records[0].getMessage().endswith("correlation_id=call-1")


def test_nothing_is_loaded_that_is_not_in_use() -> None:
    script = """
import sys
import overcurrent
guard = overcurrent.Guard("g", retry={"backoff": "none"})
guard.call(int)
try:
    guard.call(int, "x")
except ValueError:
    pass
print({"opentelemetry", "overcurrent.opentelemetry", "overcurrent._trace"} & set(sys.modules))
with overcurrent.TraceContext.root().scope():
    guard.call(int)
print({"opentelemetry", "overcurrent.opentelemetry"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["set()", "set()"]
