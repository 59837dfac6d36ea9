# pyright: strict
"""What type checkers must refuse: every line marked `# error`, and no other; with those codes of mypy."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator

from overcurrent import (
    Breaker,
    BreakerOpen,
    BreakerPolicy,
    Budget,
    Failure,
    Guard,
    ManualClock,
    Registry,
    Retry,
    RetryPolicy,
    Stop,
    TraceContext,
    Wait,
    constant,
    current_attempt,
    explain,
    exponential,
    linear,
    proportional,
    schedule,
    subscribe,
)
from overcurrent.grpc import GuardInterceptor
from overcurrent.httpx import GuardedTransport
from overcurrent.opentelemetry import instrument, instrument_metrics
from overcurrent.requests import GuardedAdapter
from overcurrent.testing import disabled, instant

guard = Guard("g")


@guard
def charge(order: str, *, amount: int = 1) -> float:
    return 1.0


@guard
async def refund(order: str) -> bytes:
    return b""


@guard
def talk(number: int) -> Generator[int, str, bytes]:
    said = yield number
    return said.encode()


@guard
async def talk_later(number: int) -> AsyncGenerator[int, str]:
    yield number


class Client:
    @guard
    def get(self, key: str) -> int:
        return 1

    @guard
    @classmethod
    def make(cls, size: int) -> Client:
        return cls()

    @staticmethod
    @guard
    def count(size: int) -> int:
        return 1


class Callee:
    extra = 1

    def __call__(self, size: int) -> str:
        return ""


# What is decorated keeps its type.
charge(1)  # error: arg-type
charge("a", 2)  # error: call-arg
charge("a", twice=True)  # error: call-arg
charge()  # error: call-arg
text: str = charge("a")  # error: assignment
refunded: bytes = refund("a")  # error: assignment
talk("a")  # error: arg-type
talk(1).send(2)  # error: arg-type
item: str = next(talk(1))  # error: assignment
talk_later(1, 2)  # error: call-arg
Client().get(1)  # error: arg-type
Client().get()  # error: call-arg
Client.make("s")  # error: arg-type
Client.count("s")  # error: arg-type
guard.wrap(Callee())("s")  # error: arg-type
extra: int = guard.wrap(Callee()).extra  # error: attr-defined
guard.wrap(3)  # error: call-overload
guard("g")  # error: call-overload

# So does what is called.
guard.call(charge, 1)  # error: arg-type
guard.call(charge, "a", amounts=2)  # error: call-arg
guard.call(3)  # error: arg-type
returned: str = guard.call(charge, "a")  # error: assignment
Breaker().call(charge, 1)  # error: arg-type
Retry().call(charge, 1)  # error: arg-type

# Policies.
Guard()  # error: call-arg
Guard(3)  # error: arg-type
Guard("g", "10s")  # error: call-arg, arg-type
Guard("g", deadline=[])  # error: arg-type
Guard("g", deadlin="10s")  # error: call-arg
Guard("g", when_open="never")  # error: arg-type
Guard("g", retry={"max_attempt": 3})  # error: arg-type
Guard("g", breaker={"failure_rate": "half"})  # error: arg-type
Guard("g", breaker=Retry())  # error: arg-type
Guard("g", on=3)  # error: arg-type
Guard("g", on=[OSError])  # error: arg-type
Guard("g", ignore=str)  # error: arg-type
Guard("g", classify=lambda result: "sucess")  # error: arg-type, return-value
Guard("g", clock=3)  # error: arg-type
Guard("g", seed="7")  # error: arg-type
Guard.from_text("", "g", format="yaml")  # error: arg-type
Guard.from_file("overcurrent.toml")  # error: call-arg
Retry("r")  # error: call-arg, arg-type
Retry(jitter="fully")  # error: arg-type
Retry(backoff="exponential")  # error: arg-type
Retry(backoff=exponential("1s"))  # error: call-arg
Retry(max_attempts="3")  # error: arg-type
Retry(budget=Breaker())  # error: arg-type
Breaker(failure_rte=0.5)  # error: call-arg
Breaker(window={"calls": 1, "time": "1s"})  # error: arg-type
Budget(3)  # error: call-arg
Budget(burst="3")  # error: arg-type
constant()  # error: call-arg
linear("1s", max="2s")  # error: call-arg
proportional("half")  # error: arg-type
schedule(None)  # error: arg-type
retried: RetryPolicy = {"max_attempt": 3}  # error: typeddict-unknown-key
broken: BreakerPolicy = {"probes": "2"}  # error: typeddict-item

# What is asked by hand.
Failure(True)  # error: call-arg
Failure(hint=None, retryable=None)  # error: arg-type
ManualClock().advance(None)  # error: arg-type
ManualClock().now_ns = 3  # error: misc
guard.breaker.trip()  # error: union-attr
guard.name = "other"  # error: misc
Breaker().acquire().success(took=[])  # error: arg-type
Breaker().restore({"version": 1})  # error: typeddict-item
Retry().start().failed("2s")  # error: call-arg, arg-type
Wait("1s")  # error: call-arg
Stop("deadline")  # error: call-arg
current_attempt().number = "1"  # error: assignment
current_attempt().remaining = 1.0  # error: misc
BreakerOpen("b", "shut")  # error: arg-type
instant("1s")  # error: call-arg
subscribe(print, retry=Retry())  # error: call-arg
guard.subscribe(len)  # error: arg-type

# Traces.
TraceContext.extract({"traceparent": 3})  # error: arg-type
TraceContext.extract("traceparent")  # error: arg-type
TraceContext.root().inject({1: 2})  # error: dict-item
TraceContext.root().trace_id = "a"  # error: misc
TraceContext.root(False)  # error: call-arg
instrument("a")  # error: arg-type
instrument(propagate="no")  # error: arg-type

# Guards by key, and the adapters.
Registry("hosts", capacity="10")  # error: arg-type
Registry("hosts", deadlin="2s")  # error: call-arg
Registry()[1]  # error: index
found: Guard = Registry().get("a")  # error: assignment
# What is counted.
Guard("g", durations=1)  # error: arg-type
Breaker(durations=True)  # error: call-arg
whole: str = guard.metrics()  # error: assignment
guard.metrics().families[0].samples[0].value + 1  # error: operator
guard.metrics().families.append(1)  # error: attr-defined
instrument_metrics("meter")  # error: arg-type
explain("no error")  # error: arg-type

GuardedTransport(attempt_timeout=[])  # error: arg-type
GuardedTransport(guards=Breaker())  # error: arg-type
GuardedAdapter(max_retries=3)  # error: call-arg
GuardInterceptor("a", idempotent=3)  # error: arg-type


@disabled()  # error: operator
def tested() -> None: ...


async def main() -> None:
    await guard.acall(charge, "a")  # error: arg-type
    await guard.acall(refund, 1)  # error: arg-type
    await Breaker().acall(refund)  # error: call-arg
    for attempt in guard:
        async with attempt:  # error: attr-defined, attr-defined
            pass
    for _ in Breaker():  # error: attr-defined
        pass
