"""Which breakers are correct under threads, found out by using them from threads.

| scenario | correct |
| --- | --- |
| after the cooldown, many callers at once while the dependency hangs | one probe gets through |
| a call from before the outage succeeds while the breaker is open | it stays open |
| two calls at once while closed | neither waits for the other |
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import functions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from way import Fn, Way, Wrap

CALLERS = 20
COOLDOWN = 0.2
"""Seconds."""
PATIENCE = 5.0
"""Seconds after which something will not happen any more."""
PAUSE = 0.2
"""Seconds in which something that should not happen would have."""


@dataclass(frozen=True)
class Conduct:
    """What one breaker did."""

    way: Way
    probes: int
    """How many of the callers got through after the cooldown."""
    stays_open: bool
    """Whether it stayed open when an old call succeeded."""
    parallel: bool
    """Whether two calls ran at once."""

    @property
    def correct(self) -> bool:
        """Whether it counts as correct under threads."""
        return self.probes == 1 and self.stays_open and self.parallel


def conduct(ways: Iterable[Way]) -> list[Conduct]:
    """Try every breaker that has a blocking form."""
    return [
        Conduct(way, _probes(way.breaking), _stays_open(way.breaking), _parallel(way.breaking))
        for way in ways
        if way.breaking is not None and "sync" in way.styles
    ]


def _probes(breaking: Callable[[float], Wrap]) -> int:
    guarded = breaking(COOLDOWN)(functions.perform)
    _open(guarded)
    until = time.monotonic() + PATIENCE
    release, through = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        through.release()
        release.wait(PATIENCE)
        raise ConnectionError

    with ThreadPoolExecutor(CALLERS) as pool:
        time.sleep(COOLDOWN)
        while not through.acquire(timeout=0.01) and time.monotonic() < until:
            calls = [pool.submit(_attempt, guarded, hang) for _ in range(CALLERS)]
        time.sleep(PAUSE)
        probes = 1
        while through.acquire(blocking=False):
            probes += 1
        release.set()
        for call in calls:
            call.result()
    return probes


def _stays_open(breaking: Callable[[float], Wrap]) -> bool:
    guarded = breaking(3600.0)(functions.perform)
    began, release = threading.Event(), threading.Event()

    def slow() -> None:
        began.set()
        release.wait(PATIENCE)

    with ThreadPoolExecutor(2) as pool:
        old = pool.submit(_attempt, guarded, slow)
        began.wait(PATIENCE)
        # Where calls are serialised, the failures only happen once the old call is over.
        opening = pool.submit(_open, guarded)
        time.sleep(PAUSE)
        release.set()
        old.result()
        opening.result()
    return _attempt(guarded, lambda: None) is not None


def _parallel(breaking: Callable[[float], Wrap]) -> bool:
    guarded = breaking(COOLDOWN)(functions.perform)
    both = threading.Barrier(2)

    def meet() -> None:
        both.wait(1.0)

    with ThreadPoolExecutor(2) as pool:
        calls = [pool.submit(_attempt, guarded, meet) for _ in range(2)]
        return all(call.result() is None for call in calls)


def _open(guarded: Fn) -> None:
    def fail() -> None:
        raise ConnectionError

    for _ in range(100):
        _attempt(guarded, fail)


def _attempt(guarded: Fn, action: Callable[[], Any]) -> Exception | None:
    try:
        guarded(action)
    except Exception as error:  # noqa: BLE001 - a rejection, whatever its class
        return error
    return None
