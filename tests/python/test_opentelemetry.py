"""Attempts as spans, seen by an exporter of the SDK that keeps them."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import anyio
import pytest
import trio
from conftest import WAYS, Flaky, forever, turns, ways
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from overcurrent import (
    AttemptTimeout,
    Breaker,
    BreakerOpen,
    DeadlineExceeded,
    Guard,
    InvalidPolicy,
    ManualClock,
    Retry,
    TraceContext,
    constant,
)
from overcurrent.opentelemetry import instrument
from overcurrent.testing import capture_events, disabled

TWICE: Any = {"max_attempts": 2, "backoff": constant("1s"), "jitter": "none", "budget": False}


class Traces:
    """Spans that were ended, by a provider of their own."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")

    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def attempts(self) -> list[ReadableSpan]:
        return [span for span in self.spans() if span.name.endswith(" attempt")]


@pytest.fixture
def traces() -> Iterator[Traces]:
    made = Traces()
    with instrument(made.provider):
        yield made


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def events(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def outcome(span: ReadableSpan) -> tuple[Any, ...]:
    said = attributes(span)
    return said["overcurrent.outcome"], said.get("error.type"), span.status.status_code


def span_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return format(span.context.span_id, "016x")


@pytest.mark.parametrize("way", WAYS)
def test_each_attempt_is_a_span_and_current_while_it_runs(
    traces: Traces, clock: ManualClock, way: str
) -> None:
    guard = Guard("payments", clock=clock, retry=TWICE)
    seen: list[Any] = []

    class Looking(Flaky):
        def __call__(self) -> int:
            seen.append(trace.get_current_span().get_span_context().span_id)
            with traces.tracer.start_as_current_span("inside"):
                return super().__call__()

    with traces.tracer.start_as_current_span("caller") as caller, capture_events(guard=guard) as heard:
        assert ways(Looking(1), guard)[way]() == 2
        assert trace.get_current_span() is caller
    first, second = traces.attempts()
    assert [span.name for span in (first, second)] == ["payments attempt"] * 2
    assert {span.kind for span in (first, second)} == {SpanKind.CLIENT}
    assert [span.parent and span.parent.span_id for span in (first, second)] == [
        caller.get_span_context().span_id
    ] * 2
    assert attributes(first) == {
        "overcurrent.guard": "payments",
        "overcurrent.breaker": "payments",
        "overcurrent.breaker.state": "closed",
        "overcurrent.attempt": 1,
        "overcurrent.outcome": "failure",
        "error.type": "ConnectionError",
    }
    assert first.status.status_code is StatusCode.ERROR
    assert first.status.description is None
    assert attributes(second) == {
        "overcurrent.guard": "payments",
        "overcurrent.breaker": "payments",
        "overcurrent.breaker.state": "closed",
        "overcurrent.attempt": 2,
        "http.request.resend_count": 1,
        "overcurrent.outcome": "success",
    }
    assert second.status.status_code is StatusCode.UNSET
    retry = {"overcurrent.guard": "payments", "overcurrent.attempt": 1, "overcurrent.wait": 1.0}
    assert events(first) == [("overcurrent.retry", {**retry, "overcurrent.origin": "backoff"})]
    assert events(second) == []
    assert [format(number, "016x") for number in seen] == [span_id(first), span_id(second)]
    inside = [span for span in traces.spans() if span.name == "inside"]
    assert [span.parent and span.parent.span_id for span in inside] == seen
    assert [event.fields["span_id"] for event in heard] == [span_id(first)]
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_parts_alone_have_spans_of_their_own_names(traces: Traces, clock: ManualClock) -> None:
    Retry(clock=clock).call(int)
    breaker = Breaker("database", clock=clock)
    breaker.call(int)
    with suppress(ConnectionError), breaker:
        assert trace.get_current_span().is_recording()
        raise ConnectionError
    assert not trace.get_current_span().is_recording()
    retry, alone, block = traces.attempts()
    assert (retry.name, alone.name, block.name) == ("retry attempt", *["database attempt"] * 2)
    assert attributes(retry) == {"overcurrent.attempt": 1, "overcurrent.outcome": "success"}
    assert outcome(block) == ("failure", "ConnectionError", StatusCode.ERROR)


def test_blocks_and_generators_have_spans(traces: Traces, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, retry=TWICE)
    flaky = Flaky(1)
    for attempt in guard:
        with attempt:
            assert trace.get_current_span().is_recording()
            flaky()
    assert not trace.get_current_span().is_recording()

    flaky_items = Flaky(1)

    @guard
    def items() -> Iterator[bool]:
        flaky_items()
        yield trace.get_current_span().is_recording()
        yield trace.get_current_span().is_recording()

    assert list(items()) == [True, False]

    flaky_later = Flaky(1)

    @guard
    async def items_later() -> Any:
        await flaky_later.later()
        yield trace.get_current_span().is_recording()
        yield trace.get_current_span().is_recording()

    async def main() -> None:
        assert [item async for item in items_later()] == [True, False]
        block = Flaky(1)
        async for attempt in guard:
            async with attempt:
                assert trace.get_current_span().is_recording()
                await block.later()
        assert not trace.get_current_span().is_recording()

    asyncio.run(main())
    assert [outcome(span)[0] for span in traces.attempts()] == ["failure", "success"] * 4


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_is_cut_is_told_to_its_span(traces: Traces, clock: ManualClock, backend: str) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry=False, breaker={"consecutive_failures": 1})

    async def main() -> None:
        async with anyio.create_task_group() as group:

            async def call() -> None:
                with pytest.raises(AttemptTimeout):
                    await guard.acall(anyio.sleep_forever)
                assert not trace.get_current_span().is_recording()

            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            clock.advance("1s")

    anyio.run(main, backend=backend)
    (span,) = traces.attempts()
    assert outcome(span) == ("timeout", "ATTEMPT_TIMEOUT", StatusCode.ERROR)
    names = ["overcurrent.timeout", "overcurrent.state_change", "overcurrent.give_up"]
    assert [event.name for event in span.events] == names


def test_a_blocking_attempt_that_took_too_long_has_timed_out(traces: Traces, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, attempt_timeout=False, deadline="1s", breaker=False)
    with pytest.raises(DeadlineExceeded):
        guard.call(clock.advance, "1s")
    (span,) = traces.attempts()
    assert outcome(span) == ("timeout", "DEADLINE_EXCEEDED", StatusCode.ERROR)
    assert [event.name for event in span.events] == ["overcurrent.timeout"]


def test_what_is_no_failure_is_no_error(traces: Traces, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, on=OSError, retry=False, classify=lambda value: None)
    inner = Breaker("inner", clock=clock)
    inner.force_open()
    with pytest.raises(ValueError, match="mine"):
        guard.call(lambda: (_ for _ in ()).throw(ValueError("mine")))
    with pytest.raises(BreakerOpen):
        guard.call(inner.call, int)
    first, second = traces.attempts()
    assert outcome(first) == ("ignored", "ValueError", StatusCode.UNSET)
    assert outcome(second) == ("ignored", "BREAKER_OPEN", StatusCode.UNSET)
    assert [event.name for event in second.events] == ["overcurrent.reject"]


def test_what_is_decided_beside_attempts_is_told_to_the_callers_span(
    traces: Traces, clock: ManualClock
) -> None:
    guard = Guard("g", clock=clock, retry=False)
    assert guard.breaker is not None
    with traces.tracer.start_as_current_span("caller"):
        guard.breaker.trip("5s")
        with pytest.raises(BreakerOpen):
            guard.call(int)

        async def main() -> None:
            with pytest.raises(BreakerOpen):
                await guard.acall(asyncio.sleep, 0)

        asyncio.run(main())
    (caller,) = traces.spans()
    names = ["overcurrent.state_change", "overcurrent.reject", "overcurrent.reject"]
    assert [event.name for event in caller.events] == names
    assert events(caller)[1][1] == {
        "overcurrent.breaker": "g",
        "overcurrent.guard": "g",
        "overcurrent.attempt": 1,
        "overcurrent.reason": "open",
        "overcurrent.retry_after": 5.0,
        "overcurrent.nth": 1,
    }


def test_a_probe_is_known_by_the_state(traces: Traces, clock: ManualClock) -> None:
    guard = Guard("g", clock=clock)
    assert guard.breaker is not None
    guard.breaker.trip("1s")
    clock.advance("1s")
    guard.call(int)
    (probe,) = traces.attempts()
    assert attributes(probe)["overcurrent.breaker.state"] == "half_open"
    assert [event.name for event in probe.events] == ["overcurrent.state_change"]


def test_a_trace_that_begins_here_is_recorded_unless_it_says_otherwise(
    traces: Traces, clock: ManualClock
) -> None:
    guard = Guard("g", clock=clock)
    for root, is_recorded in ((TraceContext.root(), True), (TraceContext.root(sampled=False), False)):
        with root.scope():
            inside = guard.call(TraceContext.current)
        assert inside is not None
        assert (inside.trace_id, inside.sampled) == (root.trace_id, is_recorded)
        if is_recorded:
            (span,) = traces.attempts()
            assert span.parent is not None
            assert (f"{span.parent.trace_id:032x}", span.parent.trace_flags) == (root.trace_id, 3)
    assert len(traces.attempts()) == 1


def test_a_scope_is_the_parent_where_no_span_is_current_and_its_correlation_id_stays(
    traces: Traces, clock: ManualClock
) -> None:
    guard = Guard("g", clock=clock, retry=False)
    came = {"traceparent": f"00-{7:032x}-{7:016x}-01", "tracestate": "vendor=1"}
    scope = TraceContext.extract(came).with_correlation_id("order-7")
    with scope.scope(), capture_events(guard=guard) as heard, pytest.raises(ConnectionError):
        assert TraceContext.current() == scope, "no span is current"
        guard.call(Flaky(1))
    (span,) = traces.attempts()
    assert (heard[0].fields["span_id"], heard[0].fields["correlation_id"]) == (span_id(span), "order-7")
    assert span.parent is not None
    assert span.context is not None
    assert (span.parent.trace_id, span.parent.span_id, span.parent.is_remote) == (7, 7, True)
    assert (span.context.trace_id, span.context.trace_state.to_header()) == (7, "vendor=1")
    with scope.scope(), traces.tracer.start_as_current_span("caller") as caller:
        current = TraceContext.current()
        assert current is not None
        assert current.span_id == format(caller.get_span_context().span_id, "016x")
        assert (current.correlation_id, current.sampled) == ("order-7", True)


def test_a_cancelled_attempt_is_ended(traces: Traces) -> None:
    async def main() -> None:
        for guard in (Guard("g"), Guard("g", attempt_timeout=False, deadline=False, breaker=False)):
            task = asyncio.create_task(guard.acall(forever))
            await turns()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(main())
    assert [outcome(span) for span in traces.attempts()] == [("cancelled", None, StatusCode.UNSET)] * 2


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_an_attempt_that_is_closed_elsewhere_is_ended_quietly(
    traces: Traces, caplog: pytest.LogCaptureFixture, library: str
) -> None:
    calls: list[Any] = []

    async def main() -> None:
        for guard in (Guard("g"), Guard("g", attempt_timeout=False, deadline=False, breaker=False)):
            call = guard.acall(forever if library == "asyncio" else trio.sleep_forever)
            contextvars.copy_context().run(call.send, None)
            calls.append(call)

    anyio.run(main, backend=library)
    for call in calls:
        call.close()
    assert [outcome(span)[0] for span in traces.attempts()] == ["cancelled"] * 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_an_attempt_that_is_let_go_of_is_ended(traces: Traces) -> None:
    for attempt in Guard("g"):
        del attempt
        break
    assert [outcome(span)[0] for span in traces.attempts()] == ["cancelled"]
    assert not trace.get_current_span().is_recording()


def test_a_span_is_told_nothing_of_another_call(clock: ManualClock) -> None:
    """A timer runs in the context of whoever moves the clock."""
    traces, guard = Traces(), Guard("g", clock=clock, attempt_timeout="1s", retry=False)
    scope = TraceContext.root()

    async def main() -> None:
        with scope.scope(), capture_events(guard=guard) as heard:
            call = asyncio.create_task(guard.acall(forever))
            await turns()
            with instrument(traces.provider):
                with traces.tracer.start_as_current_span("other"):
                    clock.advance("1s")
                    await turns()
                with pytest.raises(AttemptTimeout):
                    await call
        assert {event.fields["span_id"] for event in heard} == {scope.span_id}

    asyncio.run(main())
    assert [(span.name, events(span)) for span in traces.spans()] == [("other", [])]


def test_a_span_that_has_ended_is_told_nothing(
    traces: Traces, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    guard = Guard("g", clock=clock, attempt_timeout="1s", retry=False)
    assert guard.breaker is not None
    trip = guard.breaker.trip

    async def linger() -> None:
        try:
            await forever()
        finally:
            await turns()
            trip()

    async def main() -> None:
        call = asyncio.create_task(guard.acall(linger))
        await turns()
        clock.advance("1s")
        with pytest.raises(AttemptTimeout):
            await call
        await turns(20)

    asyncio.run(main())
    assert guard.breaker.state == "open"
    assert [record.getMessage() for record in caplog.records if record.name.startswith("opentelemetry")] == []


def test_of_many_at_once_each_has_its_own_spans(traces: Traces) -> None:
    retry: Any = {"max_attempts": 3, "backoff": "none", "budget": False}
    guard = Guard("g", retry=retry, breaker=False)
    number, each = 6, 20
    start = threading.Barrier(number)

    async def one(call: int) -> None:
        with traces.tracer.start_as_current_span(f"call {call}"), suppress(ConnectionError):
            await guard.acall(Flaky(5).later)

    def work(worker: int) -> None:
        start.wait()
        mine = range(worker * each, (worker + 1) * each)
        for call in mine[: each // 2]:
            with traces.tracer.start_as_current_span(f"call {call}"), suppress(ConnectionError):
                guard.call(Flaky(5))

        async def main() -> None:
            await asyncio.gather(*(one(call) for call in mine[each // 2 :]))

        asyncio.run(main())

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(number)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    callers = {
        span.context.span_id: span.name
        for span in traces.spans()
        if span.name != "g attempt" and span.context
    }
    told: dict[str, list[Any]] = {name: [] for name in callers.values()}
    for span in traces.attempts():
        assert span.parent is not None
        decided = [(name, said["overcurrent.attempt"]) for name, said in events(span)]
        told[callers[span.parent.span_id]].append((attributes(span)["overcurrent.attempt"], decided))
    expected = [
        (1, [("overcurrent.retry", 1)]),
        (2, [("overcurrent.retry", 2)]),
        (3, [("overcurrent.give_up", 3)]),
    ]
    assert told == {f"call {call}": expected for call in range(number * each)}


class Broken(Exception):
    """What a tracer raises."""


class BrokenTracer:
    """Raises where it is told to."""

    def __init__(self, traces: Traces, where: str) -> None:
        self.traces, self.where = traces, where

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        return self

    def start_span(self, *args: Any, **kwargs: Any) -> Any:
        if self.where == "start_span":
            raise Broken
        span = self.traces.tracer.start_span(*args, **kwargs)

        def fail(*args: Any, **kwargs: Any) -> None:
            raise Broken

        setattr(span, self.where, fail)
        return span


@pytest.mark.parametrize("where", ["start_span", "get_span_context", "set_attribute", "add_event", "end"])
def test_a_tracer_that_raises_changes_nothing(
    clock: ManualClock, caplog: pytest.LogCaptureFixture, where: str
) -> None:
    provider: Any = BrokenTracer(Traces(), where)
    with instrument(provider):
        for way in WAYS:
            guard = Guard("g", clock=clock, retry=TWICE)
            with capture_events(guard=guard) as heard:
                assert ways(Flaky(1), guard)[way]() == 2
            assert [event.name for event in heard] == ["retry"]
            with pytest.raises(ConnectionError) as raised:
                ways(Flaky(9), guard)[way]()
            assert raised.value.__context__ is None
            assert trace.get_current_span() is trace.INVALID_SPAN
    failed = [record for record in caplog.records if record.exc_info]
    assert failed
    assert all(type(record.exc_info[1]) is Broken for record in failed if record.exc_info)
    assert {record.getMessage() for record in failed} == {"the hook `tracer` failed and was passed over"}


def test_an_exporter_that_raises_changes_nothing(clock: ManualClock) -> None:
    class Failing(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            raise Broken

    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Failing()))
    with instrument(provider):
        assert Guard("g", clock=clock, retry=TWICE).call(Flaky(1)) == 2


def test_a_tracer_may_interrupt_the_program(clock: ManualClock) -> None:
    class Interrupting(BrokenTracer):
        def start_span(self, *args: Any, **kwargs: Any) -> Any:
            raise KeyboardInterrupt

    breaker = Breaker("b", clock=clock, consecutive_failures=1, cooldown="1s", cooldown_jitter=0.0)
    breaker.trip("1s")
    clock.advance("1s")
    provider: Any = Interrupting(Traces(), "")
    with instrument(provider), pytest.raises(KeyboardInterrupt):
        breaker.call(pytest.fail, "the function must not run")
    assert breaker.call(int) == 0, "the probe was given back"


def test_it_is_turned_on_once_and_off_again(traces: Traces, clock: ManualClock) -> None:
    with pytest.raises(RuntimeError, match="calls are traced already"):
        instrument(traces.provider)
    wrong: Any = "yes"
    with pytest.raises(InvalidPolicy, match=r"`propagate`: `yes` must be true or false"):
        instrument(propagate=wrong)
    Guard("g", clock=clock).call(int)
    assert len(traces.attempts()) == 1


def test_what_is_under_way_is_traced_to_its_end(clock: ManualClock) -> None:
    traces, guard = Traces(), Guard("g", clock=clock, retry=TWICE)
    instrumentation = instrument(traces.provider)

    def close() -> None:
        instrumentation.close()
        instrumentation.close()

    guard.call(close)
    guard.call(int)
    assert [outcome(span)[0] for span in traces.attempts()] == ["success"]

    again: list[Any] = []

    def begin() -> None:
        if not again:
            again.append(instrument(traces.provider))
            raise ConnectionError

    guard.call(begin)
    again[0].close()
    assert [attributes(span)["overcurrent.attempt"] for span in traces.attempts()] == [1, 2]


def test_what_is_disabled_has_no_spans(traces: Traces, clock: ManualClock) -> None:
    with disabled():
        Guard("g", clock=clock).call(int)
    assert traces.spans() == ()


def test_nothing_is_kept_of_a_call(traces: Traces, clock: ManualClock) -> None:
    class Result:
        pass

    guard = Guard("g", clock=clock, retry=TWICE)
    gone = weakref.ref(guard.call(Result))

    def fail() -> None:
        raise ConnectionError(Result())

    with pytest.raises(ConnectionError) as raised:
        guard.call(fail)
    errors = weakref.ref(raised.value.args[0])
    del raised
    gc.collect()
    assert (gone(), errors()) == (None, None)
