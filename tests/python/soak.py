"""Calls very often, in every way a call can go, and watches the memory.

`python tests/python/soak.py [CALLS]`; 10 million by default. Every answer is checked. The run fails where one
is wrong, or where the memory of the process grows: what it holds after a tenth of the calls is compared with
what it holds at the end.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from overcurrent import AttemptTimeout, Breaker, BreakerOpen, Guard, Retry

GROWTH = 2**20
"""The bytes that may be added: the allocator keeps some. One object lost per call is 100 times that."""
WAVE = 1_000


class Expected(Exception):
    """What a function fails with."""


def expect(came: object, expected: object) -> None:
    """Fail where they differ."""
    if came != expected:
        raise AssertionError(f"expected {expected!r}, came {came!r}")


def failing() -> None:
    """Fail."""
    raise Expected


def ways() -> dict[str, tuple[int, Callable[[int], None]]]:
    """Give the blocking ways a call can go, and how many calls of a wave go them."""
    healthy = Guard(
        "healthy", retry={"backoff": "none", "budget": {"burst": 1_000}}, breaker={"failure_rate": 1.0}
    )
    bounded = Guard("bounded", breaker=False, retry=False)
    counting = Guard("counting", retry=False)
    alone = Breaker("alone")
    retry = Retry(max_attempts=2, backoff="none", budget=False)
    open_ = Guard("open")
    assert counting.breaker is not None
    assert open_.breaker is not None
    counting.breaker.force_closed()
    open_.breaker.force_open()

    @healthy
    def decorated(number: int) -> int:
        return number

    def retried(number: int) -> None:
        tries = []

        def flaky() -> int:
            tries.append(number)
            if len(tries) == 1:
                raise Expected
            return number

        expect(retry.call(flaky), number)

    def failed(_: int) -> None:
        try:
            counting.call(failing)
        except Expected as error:
            expect(len(error.__notes__), 1)
        else:
            raise AssertionError("it did not fail")

    def rejected(_: int) -> None:
        try:
            open_.call(failing)
        except BreakerOpen as error:
            expect(error.reason, "forced_open")
        else:
            raise AssertionError("it was not rejected")

    def block(_: int) -> None:
        with alone:
            pass

    def attempts(number: int) -> None:
        for attempt in healthy:
            with attempt:
                expect(attempt.number, 1)
                expect(len(attempt.idempotency_key) > 10, number >= 0)

    return {
        "answered": (500, lambda number: expect(healthy.call(int, number), number)),
        "decorated": (250, lambda number: expect(decorated(number), number)),
        "bounded": (60, lambda number: expect(bounded.call(int, number), number)),
        "retried": (50, retried),
        "failed": (40, failed),
        "rejected": (40, rejected),
        "block": (10, block),
        "attempts": (10, attempts),
    }


async def asynchronous(guard: Guard, hanging: Guard, wave: int) -> int:
    """Make calls in tasks: some end at once, some later, some are given up, some are cut."""

    async def now(number: int) -> int:
        return number

    async def later(number: int) -> int:
        await asyncio.sleep(0)
        return number

    async def never() -> None:
        await asyncio.get_running_loop().create_future()

    for number in range(20):
        expect(await guard.acall(now, number), number)
    expect(await asyncio.gather(*(guard.acall(later, number) for number in range(10))), list(range(10)))
    given_up = [asyncio.create_task(guard.acall(never)) for _ in range(8)]
    await asyncio.sleep(0)
    for task in given_up:
        task.cancel()
    ends = await asyncio.gather(*given_up, return_exceptions=True)
    expect([type(end) for end in ends], [asyncio.CancelledError] * 8)
    if wave % 100 == 0:
        cut = await asyncio.gather(*(hanging.acall(never) for _ in range(2)), return_exceptions=True)
        expect([type(end) for end in cut], [AttemptTimeout] * 2)
        return 40
    return 38


def resident() -> int:
    """Give the bytes of memory that the process holds."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def main(calls: int) -> None:
    """Run so many calls."""
    # What is told of each failure would be most of what is written.
    logging.getLogger("overcurrent").setLevel(logging.ERROR)
    guard = Guard("tasks", breaker={"failure_rate": 1.0})
    hanging = Guard("hanging", attempt_timeout="1ms", retry=False)
    assert hanging.breaker is not None
    hanging.breaker.force_closed()
    blocking = ways()
    begun, made, wave = 0, 0, 0
    with asyncio.Runner() as runner:
        while made < calls:
            for often, way in blocking.values():
                for number in range(often):
                    way(number)
                made += often
            made += runner.run(asynchronous(guard, hanging, wave))
            wave += 1
            if begun == 0 and made >= calls // 10:
                begun = resident()
    grown = resident() - begun
    first, more = f"{begun / 2**20:.1f} MiB", f"{grown / 1024:,.0f} KiB"
    print(f"{made:,} calls; the memory grew by {more} after the first tenth, from {first}")
    if grown > GROWTH:
        sys.exit(f"that is more than {GROWTH / 1024:,.0f} KiB")


if __name__ == "__main__":
    main(int(sys.argv[1].replace("_", "")) if len(sys.argv) > 1 else 10_000_000)
