"""What type checkers must refuse: every line marked `# error`, with those codes, and no other."""

from __future__ import annotations

from overcurrent import Breaker, Failure, Guard, ManualClock, Retry, exponential

guard = Guard("g")


@guard
def charge(order: str, *, amount: int = 1) -> float:
    return 1.0


@guard
async def refund(order: str) -> bytes:
    return b""


charge(1)  # error: arg-type
charge("a", 2)  # error: call-arg
charge("a", twice=True)  # error: call-arg
text: str = charge("a")  # error: assignment
guard.call(charge, 1)  # error: arg-type
guard.call(charge, "a", amounts=2)  # error: call-arg
refunded: bytes = refund("a")  # error: assignment

Guard()  # error: call-arg
Guard("g", "10s")  # error: call-arg, arg-type
Guard("g", deadline=[])  # error: arg-type
Guard("g", deadlin="10s")  # error: call-arg
Guard("g", when_open="never")  # error: arg-type
Guard("g", retry={"max_attempt": 3})  # error: arg-type
Guard("g", breaker={"failure_rate": "half"})  # error: arg-type
Guard("g", on=3)  # error: arg-type
Guard("g", classify=lambda result: "sucess")  # error: arg-type, return-value
Guard("g", clock=3)  # error: arg-type
Guard.from_text("", "g", format="yaml")  # error: arg-type
Retry(jitter="fully")  # error: arg-type
Retry(backoff=exponential("1s"))  # error: call-arg
Breaker(failure_rte=0.5)  # error: call-arg
Breaker(window={"calls": 1, "time": "1s"})  # error: arg-type
Failure(True)  # error: call-arg
ManualClock().advance(None)  # error: arg-type
guard.breaker.trip()  # error: union-attr
guard.name = "other"  # error: misc


async def main() -> None:
    await guard.acall(charge, "a")  # error: arg-type
    await guard.acall(refund, 1)  # error: arg-type
