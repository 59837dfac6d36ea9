"""A program that forks while its threads make guarded calls; run by test_fork.py.

Other threads look up guards by key, listen, begin and end meanwhile. Each child must go on by itself: call,
be rejected, probe, and draw waits of its own. A child that is stuck is ended by an alarm, and so seen.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import Any, NoReturn

import pytest
from overcurrent import (
    Breaker,
    BreakerOpen,
    Budget,
    Guard,
    Permit,
    Registry,
    RegistryFull,
    Retry,
    Wait,
    constant,
    current_attempt,
    subscribe,
)

FORKS = 150
SECONDS = 5.0
STUCK = 10

logging.getLogger("overcurrent").setLevel(logging.CRITICAL)

policy: Any = {"window": {"calls": 50}, "failure_rate": 0.9, "cooldown": "1ms", "cooldown_max": "1ms"}
guard = Guard("shared", breaker=policy, retry={"backoff": "none", "budget": Budget(ratio=1)})
probed = Breaker("probed", consecutive_failures=1, cooldown="1ms", cooldown_max="1ms", probe_timeout="24h")
hosts = Registry("hosts", capacity=8, breaker=policy, retry={"backoff": "none", "budget": False})
retry = Retry(backoff=constant("1h"), jitter="full")
calls = [0]
over = threading.Event()


@guard
def work(number: int) -> str:
    calls[0] += 1
    if number % 3 == 0:
        raise ConnectionError(number)
    return current_attempt().idempotency_key


def look(number: int) -> None:
    """Call through guards by key, of which there are more than there is room for."""
    for key in range(number, number + 10):
        with suppress(ConnectionError, BreakerOpen, RegistryFull):
            hosts[str(key % 16)].call(work, key)


def looked_by_threads(number: int) -> None:
    """Look in threads that begin and end, while all of it is heard."""
    with subscribe(lambda event: event.fields):
        threads = [threading.Thread(target=look, args=(number + more,), daemon=True) for more in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def load() -> None:
    number = 0
    while not over.is_set():
        number += 1
        with suppress(ConnectionError, BreakerOpen):
            work(number)
        retry.start().failed()
        if number % 20 == 0:
            looked_by_threads(number)


def wait_drawn() -> int:
    match retry.start().failed():
        case Wait() as wait:
            return wait.delay_ns
    raise AssertionError("it stopped")


def admitted() -> Permit:
    """Wait until the breaker admits a probe."""
    for _ in range(1000):
        try:
            return probed.acquire()
        except BreakerOpen:
            time.sleep(0.001)
    raise AssertionError(f"no probe is admitted: {probed!r}")


def child() -> str:
    """Return what a child has seen."""
    assert probed.state == "open", probed.state
    admitted().success()
    assert probed.state == "closed", probed.state
    keys = set()
    for number in range(200):
        try:
            keys.add(work(number))
        except (ConnectionError, BreakerOpen):
            guard.breaker.reset()  # type: ignore[union-attr]
    assert len(keys) > 100, len(keys)
    assert isinstance(guard.budget, Budget)
    with Breaker("new"):
        pass
    looked_by_threads(len(keys))
    return f"{wait_drawn()} {min(keys)}"


def fork() -> str:
    """Fork, and return what the child has seen."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(STUCK)
        status = 1
        try:
            os.write(writer, child().encode())
            status = 0
        except BaseException as error:  # noqa: BLE001 - told, and the child exits
            os.write(2, repr(error).encode())
        finally:
            os._exit(status)
    os.close(writer)
    with open(reader, encoding="utf-8") as pipe:
        seen = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"a child ended with status {status}"
    return seen


def exit_well() -> NoReturn:
    child()
    os._exit(0)


def main() -> None:
    subscribe(lambda event: None, guard=guard)
    threads = [threading.Thread(target=load, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    probed.trip("1ms")
    probe = admitted()
    assert probed.state == "half_open"

    seen: list[str] = []
    until = time.monotonic() + SECONDS
    while len(seen) < FORKS and time.monotonic() < until:
        seen.append(fork())
    assert len(seen) >= 5, "too few forks to tell"
    waits, keys = zip(*(line.split() for line in seen), strict=True)
    assert len(set(waits)) == len(seen), "children draw the same waits"
    assert len(set(keys)) == len(seen), "children give the same keys"
    assert str(wait_drawn()) not in waits

    process = multiprocessing.get_context("fork").Process(target=exit_well)
    process.start()
    process.join(STUCK)
    assert process.exitcode == 0, process.exitcode

    over.set()
    for thread in threads:
        thread.join()
    # Nothing of this has changed the parent.
    assert probed.state == "half_open"
    with pytest.raises(BreakerOpen, match="half_open"):
        probed.acquire()
    probe.success()
    assert probed.state == "closed"
    assert calls[0] > 100
    print(f"{len(seen)} forks")


if __name__ == "__main__":
    signal.alarm(60)
    main()
    sys.stdout.flush()
