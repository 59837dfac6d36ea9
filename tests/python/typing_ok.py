# pyright: strict
"""What type checkers must accept; checked by test_typing.py, not run. It uses every public name."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    MutableMapping,
)
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, assert_type, overload

import aiohttp
import grpc
import grpc.aio
import httpx
import requests
from fastapi import Depends, FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from overcurrent import (
    Attempt,
    AttemptTimeout,
    Backoff,
    Breaker,
    BreakerOpen,
    BreakerPolicy,
    Budget,
    BudgetPolicy,
    Classify,
    DeadlineExceeded,
    Duration,
    Event,
    Failure,
    Family,
    Guard,
    GuardPolicy,
    Histogram,
    InvalidPolicy,
    Jitter,
    ManualClock,
    Metrics,
    OvercurrentError,
    Permit,
    Registry,
    RegistryFull,
    Retry,
    RetryCall,
    RetryPolicy,
    Sample,
    Stop,
    Subscription,
    TraceContext,
    Verdict,
    Wait,
    Which,
    __version__,
    constant,
    current_attempt,
    events,
    explain,
    exponential,
    linear,
    metrics,
    proportional,
    schedule,
    subscribe,
)
from overcurrent.aiohttp import GuardMiddleware
from overcurrent.asgi import BreakerOpenMiddleware, TraceContextMiddleware
from overcurrent.fastapi import guarded, install
from overcurrent.grpc import AsyncGuardInterceptor, GuardInterceptor
from overcurrent.httpx import AsyncGuardedTransport, GuardedTransport
from overcurrent.opentelemetry import Instrumentation, Metering, instrument, instrument_metrics
from overcurrent.prometheus import Collector
from overcurrent.requests import GuardedAdapter
from overcurrent.testing import ManualClock as SameClock
from overcurrent.testing import capture_events, disabled, instant
from overcurrent.urllib3 import GuardedPoolManager
from prometheus_client import CollectorRegistry

T = TypeVar("T")


# --- policies ------------------------------------------------------------------------------------


def classify(result: object) -> Failure | None:
    return Failure(hint=timedelta(seconds=2)) if result == 503 else None


def word(result: object) -> Verdict:
    return "ignored" if result is None else "success"


payments = Guard(
    "payments",
    deadline="10s",
    attempt_timeout=timedelta(seconds=2),
    when_open="wait",
    retry=Retry(max_attempts=4, backoff=exponential("100ms", max=5), jitter="full", budget=Budget(ratio=0.2)),
    breaker=Breaker(failure_rate=0.5, window={"time": "10s"}),
    on=(ConnectionError, TimeoutError),
    ignore=lambda error: "404" in str(error),
    classify=classify,
    clock=ManualClock(),
    seed=7,
)
Guard("off", deadline=False, attempt_timeout=False, retry=False, breaker={"probe_timeout": 1.5})
Guard("tables", retry={"backoff": linear(1, step=2, max=3), "jitter": proportional(0.5), "budget": True})
Retry(backoff=schedule("1s", 2, 3.5), budget={"burst": 3})
Retry(backoff="none", jitter="none", max_hint=constant("1s")["constant"]["delay"])
Breaker("db", window={"calls": 100}, on=OSError, classify=word)
assert_type(Guard.from_file("overcurrent.toml", "payments"), Guard)
assert_type(Guard.from_file(Path("overcurrent.toml"), "payments", on=OSError), Guard)
assert_type(Guard.from_text("", "payments", format="json"), Guard)

duration: Duration = timedelta(milliseconds=250)
backoff: Backoff = exponential(duration, multiplier=1.5, max="5s")
jitter: Jitter = "decorrelated"
budgeted: BudgetPolicy = {"ratio": 0.2, "min_per_second": 1.5, "burst": 10}
retried: RetryPolicy = {"max_attempts": 3, "backoff": backoff, "jitter": jitter, "budget": budgeted}
broken: BreakerPolicy = {
    "window": {"time": "10s", "buckets": 10},
    "failure_rate": 0.5,
    "slow_call": "2s",
    "cooldown": 5,
    "probes": 2,
}
whole: GuardPolicy = {"deadline": "10s", "retry": retried, "breaker": broken}
which: Which = (OSError, TimeoutError)
hook: Classify = word
Guard("typed", on=which, classify=hook, **whole)
Retry(**retried)
Breaker(**broken)
Budget(**budgeted)
assert_type(__version__, str)


class Sub(Guard):
    """A class of one's own stays what it is."""


assert_type(Sub("own"), Sub)
assert_type(Sub.from_text("", "own"), Sub)


# --- what is decorated keeps its type ------------------------------------------------------------


@payments
def charge(order: str, *, amount: int = 1) -> float:
    return 1.0


@payments
async def refund(order: str) -> bytes:
    return b""


@payments
def pages(number: int) -> Iterator[str]:
    yield ""


@payments
def talk(number: int, *, loud: bool = False) -> Generator[int, str, bytes]:
    said = yield number
    return said.encode()


@payments
async def talk_later(number: int) -> AsyncGenerator[int, str]:
    said = yield number
    assert_type(said, str)


@payments
async def messages(number: int) -> AsyncIterator[str]:
    yield ""


@payments
def first(items: list[T]) -> T:
    return items[0]


@overload
def twice(value: int) -> int: ...
@overload
def twice(value: str) -> str: ...
def twice(value: int | str) -> int | str:
    return value * 2


def untouched(order: str, /, count: int = 1, *rest: bytes, flag: bool, **more: float) -> None: ...


class Client:
    @payments
    def get(self, key: str) -> int:
        return 1

    @payments
    async def later(self, key: str) -> int:
        return 1

    @payments
    @classmethod
    def make(cls, size: int) -> Client:
        return cls()

    @classmethod
    @payments
    def other(cls, size: int) -> Client:
        return cls()

    @staticmethod
    @payments
    def count(size: int) -> int:
        return 1

    @payments
    @staticmethod
    def counted(size: int) -> int:
        return 1

    @property
    @payments
    def size(self) -> int:
        return 1


class Callee:
    def __call__(self, size: int) -> str:
        return ""


client = Client()
assert_type(charge("a", amount=2), float)
assert_type(charge.__name__, str)
assert_type(pages(1), Iterator[str])
assert_type(messages(1), AsyncIterator[str])
assert_type(talk(1, loud=True), Generator[int, str, bytes])
assert_type(talk(1).send("a"), int)
assert_type(talk_later(1), AsyncGenerator[int, str])
assert_type(first([1]), int)
assert_type(payments.wrap(twice)(1), int)
assert_type(payments.wrap(twice)(""), str)
assert_type(payments.wrap(untouched)("a", 2, b"", flag=True, more=1.5), None)
assert_type(client.get("k"), int)
assert_type(Client.get(client, "k"), int)
assert_type(Client.make(1), Client)
assert_type(client.make(1), Client)
assert_type(Client.other(1), Client)
assert_type(Client.count(1), int)
assert_type(client.counted(1), int)
assert_type(client.size, int)
assert_type(payments.wrap(charge)("a"), float)
assert_type(payments.wrap(client.get)("k"), int)
assert_type(payments.wrap(Callee())(1), str)
assert_type(payments.wrap(Client)(), Client)
assert_type(payments.wrap(functools.partial(charge, amount=2))("a"), float)
assert_type(payments.wrap(len)([]), int)
as_callable: Callable[[str], Coroutine[Any, Any, bytes]] = refund
as_value: Callable[[str], float] = payments.wrap(charge)
plain_breaker: Callable[[str], float] = Breaker("b").wrap(charge)
plain_retry: Callable[[str], float] = Retry()(charge)


# --- what is called ------------------------------------------------------------------------------

assert_type(payments.call(charge, "a", amount=2), float)
assert_type(payments.call(client.get, key="k"), int)
assert_type(payments.call(lambda: 3), int)
assert_type(payments.call(Client), Client)
assert_type(Breaker("b").call(first, [1]), int)
assert_type(Retry().call(Callee(), 1), str)


def answers(seconds: float) -> Awaitable[int]:
    return asyncio.get_running_loop().create_future()


async def main() -> None:
    assert_type(await refund("a"), bytes)
    assert_type(await client.later("k"), int)
    assert_type(await payments.acall(refund, "a"), bytes)
    assert_type(await payments.acall(answers, seconds=1.5), int)
    assert_type(await Breaker("b").acall(refund, order="a"), bytes)
    assert_type(await Retry().acall(client.later, "k"), int)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    assert_type(await payments.acall(lambda: future), int)
    assert_type(await talk_later(1).asend("a"), int)
    async for event in messages(1):
        assert_type(event, str)


# --- blocks --------------------------------------------------------------------------------------


def blocks() -> None:
    for attempt in payments:
        with attempt:
            assert_type(attempt.idempotency_key, str)
            inner: Attempt = attempt
            assert_type(inner.elapsed, float | None)
    for attempt in Retry():
        with attempt as same:
            assert_type(same.number, int)
    with Breaker() as breaker:
        assert_type(breaker, Breaker)
    with instant(), disabled():
        pass


async def async_blocks() -> None:
    async with Breaker() as breaker:
        assert_type(breaker, Breaker)
    async for attempt in payments:
        with attempt:
            assert_type(attempt.number, int)
        async with attempt as same:
            assert_type(same.remaining, float | None)
    async with instant(), disabled():
        pass


# --- what is asked by hand -----------------------------------------------------------------------

assert_type(current_attempt(), Attempt)
assert_type(payments.name, str)
assert_type(payments.breaker, Breaker | None)
assert_type(payments.budget, Budget | None)

breaker = Breaker("db")
permit: Permit = breaker.acquire()
permit.success("20ms")
with breaker.acquire() as admitted:
    admitted.failure(took=timedelta(seconds=1))
breaker.trip(for_="10s")
breaker.restore(breaker.snapshot())
assert_type(breaker.snapshot()["opens"], int)
assert_type(breaker.state, str)
assert_type(breaker.reason, str | None)
assert_type(breaker.retry_after, float | None)
assert_type(breaker.late, int)

budget = Budget(burst=3)
budget.deposit()
assert_type(budget.withdraw(), bool)
assert_type(budget.tokens_micro, int)

clock: SameClock = ManualClock()
clock.advance(1.5)
clock.set("1h")
assert_type(clock.now_ns, int)

failure = Failure(retryable=False, hint="2s")
assert_type(failure.retryable, bool)
assert_type(failure.hint, float | None)

begun: RetryCall = Retry().start("10s")
assert_type(begun.remaining, float | None)
match begun.failed(hint=2):
    case Wait(delay):
        assert_type(delay, float)
    case Stop(reason):
        stopped: Literal[
            "not_retryable",
            "attempts_exhausted",
            "hint_too_long",
            "deadline",
            "breaker_open",
            "budget_exhausted",
        ] = reason


# --- events --------------------------------------------------------------------------------------


def hear(event: Event) -> str:
    assert_type(event.fields, dict[str, str | int | float | None])
    if isinstance(event, events.StateChange):
        assert_type(event.breaker, str)
        new: Literal["closed", "open", "half_open", "forced_open", "forced_closed"] = event.new
        assert_type(event.open_for, float | None)
        return new
    if event.name == "retry":
        assert_type(event, events.Retry)
        return event.origin
    match event:
        case events.Reject(breaker=rejecting):
            return rejecting
        case events.GiveUp(reason=reason):
            assert_type(event.elapsed, float | None)
            return reason
        case events.Timeout():
            return event.which
        case events.LateResult():
            return event.outcome
        case events.BudgetExhausted():
            return event.guard or ""
        case events.Eviction(key=key):
            return key


subscription: Subscription = subscribe(hear)
with subscribe(print, guard=payments), breaker.subscribe(hear) as heard:
    assert_type(heard.dropped, int)
payments.subscribe(lambda event: event.name).close()
with capture_events(breaker=breaker) as told:
    assert_type(told, list[Event])


# --- traces --------------------------------------------------------------------------------------

context = TraceContext.extract({"traceparent": "00-"})
assert_type(TraceContext.extract([(b"baggage", b"a=1")]), TraceContext)
assert_type(
    TraceContext.extract(httpx.Headers()).or_root(sampled=False).child().with_correlation_id("a"),
    TraceContext,
)
assert_type(
    (context.trace_id, context.span_id, context.correlation_id), tuple[str | None, str | None, str | None]
)
assert_type((context.tracestate, context.baggage), tuple[str | None, str | None])
assert_type((context.sampled, context.random, bool(context)), tuple[bool, bool, bool])
sent: dict[str, str] = {}
context.inject(sent)
context.inject(httpx.Headers())
with TraceContext.root().scope() as entered:
    assert_type(entered, TraceContext)
    assert_type(TraceContext.current(), TraceContext | None)

instrument().close()
with instrument(TracerProvider(), propagate=False) as instrumentation:
    assert_type(instrumentation, Instrumentation)


# --- guards by key, and the adapters --------------------------------------------------------------


hosts = Registry("hosts", capacity=10, on=OSError, attempt_timeout="2s", retry=Retry(), breaker=True)
tenants = Registry.from_file(Path("overcurrent.toml"), "tenants", classify=classify)
assert_type(hosts["a"], Guard)
assert_type(hosts.guard("a").call(len, "a"), int)
assert_type(hosts.get("a"), Guard | None)
assert_type(hosts.get("a", 7), Guard | int)
assert_type(list(hosts), list[str])
assert_type(list(hosts.values()), list[Guard])
assert_type((len(hosts), hosts.capacity, hosts.evictions, "a" in hosts), tuple[int, int, int, bool])

web = httpx.Client(transport=GuardedTransport(httpx.HTTPTransport(), guards=hosts, idempotency_key=True))
async_web = httpx.AsyncClient(transport=AsyncGuardedTransport(deadline="9s", breaker={"probes": 2}))
requests.Session().mount("https://", GuardedAdapter(guards=payments, pool_maxsize=3))
assert_type(GuardedPoolManager(guards=hosts).request("GET", "https://a").status, int)
middlewares: tuple[aiohttp.ClientMiddlewareType, ...] = (GuardMiddleware(idempotency_key="X-Key"),)
grpc.intercept_channel(grpc.insecure_channel("a"), GuardInterceptor("a", idempotent={"/a.B/C"}))
grpc.aio.insecure_channel("a", interceptors=[AsyncGuardInterceptor("a", idempotent=str.islower)])

app = FastAPI()
install(app)


@app.get("/")
def route(guard: Annotated[Guard, Depends(guarded(hosts, key="host"))]) -> str:
    return guard.name


async def application(
    scope: MutableMapping[str, Any],
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
) -> None: ...


surrounded = TraceContextMiddleware(BreakerOpenMiddleware(BreakerOpenMiddleware(application)))


# --- metrics -------------------------------------------------------------------------------------

measured = Guard("measured", durations=True)
Registry("measured", durations=True)
counted: Metrics = metrics()
everything: tuple[Metrics, ...] = (measured.metrics(), breaker.metrics(), hosts.metrics())
assert_type((str(counted), counted.prometheus(), counted.openmetrics()), tuple[str, str, str])
assert_type((Metrics.PROMETHEUS, counted.OPENMETRICS), tuple[str, str])
for family in counted.families:
    assert_type(family, Family)
    assert_type((family.name, family.help, family.labels), tuple[str, str, tuple[str, ...]])
    assert_type(family.kind, Literal["counter", "gauge", "histogram"])
    for sample in family.samples:
        assert_type(sample, Sample)
        assert_type(sample.labels, dict[str, str])
        if isinstance(sample.value, Histogram):
            assert_type(sample.value.buckets, tuple[tuple[float, int], ...])
            assert_type((sample.value.sum, sample.value.count), tuple[float, int])
        else:
            number: float = sample.value
CollectorRegistry().register(Collector())
with instrument_metrics(MeterProvider()) as metering:
    assert_type(metering, Metering)
    metering.close()
assert_type((measured.explain(), breaker.explain(), explain(ValueError())), tuple[str, str, str | None])


# --- errors --------------------------------------------------------------------------------------


def failing() -> None:
    try:
        charge("a")
    except BreakerOpen as error:
        assert_type(error.breaker, str)
        rejected: Literal["open", "half_open", "forced_open"] = error.reason
        assert_type(rejected, Literal["open", "half_open", "forced_open"])
        assert_type(error.retry_after, float | None)
    except AttemptTimeout as error:
        timed_out: TimeoutError = error
        assert_type((error.guard, error.attempt, error.timeout), tuple[str, int, float])
        assert timed_out
    except DeadlineExceeded as error:
        assert_type((error.guard, error.attempts, error.deadline), tuple[str, int, float])
    except InvalidPolicy as error:
        refused: ValueError = error
        assert_type((error.path, error.value, error.rule), tuple[str, str, str])
        assert refused
    except RegistryFull as error:
        assert_type((error.name, error.capacity), tuple[str, int])
    except OvercurrentError as error:
        assert_type(error.code, str)
