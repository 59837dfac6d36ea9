"""What type checkers must accept; checked by test_typing.py, not run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any, assert_type

from overcurrent import (
    Attempt,
    Breaker,
    BreakerOpen,
    Budget,
    Failure,
    Guard,
    ManualClock,
    Permit,
    Retry,
    Stop,
    Wait,
    constant,
    current_attempt,
    exponential,
    linear,
    proportional,
    schedule,
)


def classify(result: object) -> Failure | None:
    return Failure(hint=timedelta(seconds=2)) if result == 503 else None


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
Breaker("db", window={"calls": 100}, on=OSError)
assert_type(Guard.from_file("overcurrent.toml", "payments"), Guard)
assert_type(Guard.from_text("", "payments", format="json"), Guard)


@payments
def charge(order: str, *, amount: int = 1) -> float:
    return 1.0


@payments
async def refund(order: str) -> bytes:
    return b""


class Client:
    @payments
    def get(self, key: str) -> int:
        return 1

    @payments
    @classmethod
    def make(cls) -> Client:
        return cls()

    @staticmethod
    @payments
    def count() -> int:
        return 1


assert_type(charge("a", amount=2), float)
assert_type(Client().get("k"), int)
assert_type(Client.make(), Client)
assert_type(Client.count(), int)
assert_type(payments.call(charge, "a", amount=2), float)
assert_type(payments.wrap(charge)("a"), float)
assert_type(payments.call(lambda: 3), int)
as_callable: Callable[[str], Coroutine[Any, Any, bytes]] = refund


async def main() -> None:
    assert_type(await refund("a"), bytes)
    assert_type(await payments.acall(refund, "a"), bytes)
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    assert_type(await payments.acall(lambda: future), int)
    async with Breaker() as breaker:
        assert_type(breaker, Breaker)
    async for attempt in payments:
        with attempt:
            assert_type(attempt.number, int)
        async with attempt as same:
            assert_type(same.remaining, float | None)


for attempt in payments:
    with attempt:
        key: str = attempt.idempotency_key
        inner: Attempt = attempt

assert_type(current_attempt(), Attempt)
assert_type(payments.breaker, Breaker | None)
assert_type(payments.budget, Budget | None)
permit: Permit = Breaker().acquire()
permit.success("20ms")

match Retry().start("10s").failed(hint=2):
    case Wait(delay):
        assert_type(delay, float)
    case Stop(reason):
        assert_type(reason == "deadline", bool)

try:
    charge("a")
except BreakerOpen as error:
    assert_type(error.retry_after, float | None)
    code: str = error.code
