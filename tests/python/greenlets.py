"""A program of greenlets, which share one thread; run by test_gevent.py under `gevent.monkey`."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent import monkey
from gevent.event import Event
from overcurrent import Breaker, BreakerOpen, Guard, Retry, constant, current_attempt

logging.getLogger("overcurrent").setLevel(logging.CRITICAL)


def a_wait_lets_the_others_run() -> None:
    ticks = []

    def tick() -> None:
        while True:
            ticks.append(1)
            gevent.sleep(0)

    calls = []

    def flaky() -> int:
        calls.append(len(ticks))
        if len(calls) == 1:
            raise ConnectionError
        return len(calls)

    ticking = gevent.spawn(tick)
    guard = Guard("g", retry={"backoff": constant("20ms"), "jitter": "none"})
    assert gevent.spawn(guard.call, flaky).get(timeout=10) == 2
    assert calls[1] - calls[0] > 2, calls
    ticking.kill()


def waits_overlap() -> None:
    guard = Guard("g", retry={"backoff": constant("300ms"), "jitter": "none", "budget": False}, breaker=False)

    @guard
    def items() -> Iterator[int]:
        number = current_attempt().number
        if number == 1:
            raise ConnectionError
        yield number

    @guard
    def ask() -> int:
        number = current_attempt().number
        if number == 1:
            raise ConnectionError
        return number

    began = time.monotonic()
    waiting = [gevent.spawn(ask) for _ in range(50)] + [gevent.spawn(lambda: sum(items())) for _ in range(50)]
    assert [greenlet.get(timeout=20) for greenlet in waiting] == [2] * 100
    took = time.monotonic() - began
    assert 0.3 <= took < 10, took  # one after the other, they would take 30 s


def attempts_are_not_mixed_up() -> None:
    guard = Guard("g")

    @guard
    def ask() -> bool:
        one = current_attempt().idempotency_key
        gevent.sleep(0)
        return one == current_attempt().idempotency_key

    asking = [gevent.spawn(ask) for _ in range(20)]
    assert all(greenlet.get(timeout=10) for greenlet in asking)


def blocks_are_not_mixed_up() -> None:
    breaker = Breaker("b", consecutive_failures=1)
    turns = Event(), Event()

    def block(fails: bool) -> None:
        with breaker:
            turns[fails].wait()
            if fails:
                raise ConnectionError

    # The first to enter is the last to leave: blocks of one greenlet could not be like that.
    bad, good = gevent.spawn(block, True), gevent.spawn(block, False)
    gevent.sleep(0)
    turns[False].set()
    good.get(timeout=10)
    assert breaker.state == "closed"
    turns[True].set()
    bad.join(timeout=10)
    assert isinstance(bad.exception, ConnectionError)
    assert breaker.state == "open"


def a_greenlet_that_is_killed_leaves_no_call_in_flight() -> None:
    def flight(guard: Guard) -> list[str]:
        return [
            line for line in str(guard.metrics()).splitlines() if line.startswith("overcurrent_in_flight{")
        ]

    waits = Guard("g", retry={"backoff": constant("1h"), "jitter": "none"}, deadline=False, breaker=False)
    runs = Guard("g", breaker=False)

    def fail() -> None:
        raise ConnectionError

    killed: list[Any] = [gevent.spawn(waits.call, fail), gevent.spawn(runs.call, gevent.sleep, 10)]
    gevent.sleep(0)
    for guard in (waits, runs):
        assert flight(guard) == ['overcurrent_in_flight{guard="g"} 1']
    gevent.killall(killed)
    for guard in (waits, runs):
        assert flight(guard) == ['overcurrent_in_flight{guard="g"} 0']
        assert 'overcurrent_calls_total{guard="g",outcome="cancelled"} 1' in str(guard.metrics())


def a_timeout_of_gevent_is_a_cancellation() -> None:
    policy: Any = {"consecutive_failures": 1, "cooldown": "1ms", "cooldown_max": "1ms"}
    breaker = Breaker("b", probe_timeout="30s", **policy)
    guard = Guard("g", breaker=breaker, retry=False)
    breaker.trip("1ms")
    while breaker.retry_after:
        time.sleep(0.001)
    for _ in range(100):
        try:
            with gevent.Timeout(0.001):
                guard.call(gevent.sleep, 10)
        except BreakerOpen:
            time.sleep(0.001)  # not yet
        except gevent.Timeout:
            break
    assert breaker.state == "half_open", breaker
    hanging = gevent.spawn(guard.call, gevent.sleep, 10)
    gevent.sleep(0)
    with pytest.raises(BreakerOpen, match="half_open"):
        breaker.acquire()
    hanging.kill()
    breaker.acquire().success()
    assert breaker.state == "closed"


def many_at_once() -> None:
    retry = Retry(backoff=constant("1ms"), jitter="full")
    guard = Guard("g", retry={"backoff": constant("1ms"), "budget": False}, breaker={"failure_rate": 1})

    def work(number: int) -> int:
        calls = []

        def flaky() -> int:
            calls.append(1)
            gevent.sleep(0)
            if len(calls) <= number % 3:
                raise ConnectionError
            return len(calls)

        return (guard if number % 2 else retry).call(flaky)

    working = [gevent.spawn(work, number) for number in range(300)]
    assert sum(greenlet.get(timeout=30) for greenlet in working) == 600


if __name__ == "__main__":
    assert monkey.is_module_patched("time")
    signal.alarm(60)
    a_wait_lets_the_others_run()
    waits_overlap()
    attempts_are_not_mixed_up()
    blocks_are_not_mixed_up()
    a_greenlet_that_is_killed_leaves_no_call_in_flight()
    a_timeout_of_gevent_is_a_cancellation()
    many_at_once()
    print("done")
