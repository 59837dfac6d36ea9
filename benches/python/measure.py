"""Interleaved rounds: in each, every subject has one slice, in an order drawn anew.

What changes in the machine over a run so changes for all of them. A slice is one batch of calls that
takes about as long as planned. It is timed twice: by the time that the thread had a processor, which
other programs do not lengthen, and by the clock, which tells what a caller waits.

INVARIANT: nothing is collected in the slice of another: what a slice leaves behind is collected after
it, outside of its time.
"""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from dataclasses import dataclass, field
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from subject import Subject
    from way import Fn, Way

SEED = 1
"""The order is drawn, but the same in every run."""
WARM_UP = 3
"""Rounds before the first that counts, in which batches find their length."""
LARGEST_BATCH = 100_000


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    """How many rounds."""
    slice_ns: int
    """How long a slice is, in nanoseconds."""
    limit: float
    """No round begins later than so many seconds after the first."""


FULL = Plan(rounds=400, slice_ns=2_000_000, limit=130.0)
"""About two minutes."""
QUICK = Plan(rounds=5, slice_ns=200_000, limit=10.0)
"""Some seconds: enough to see that everything runs, not to compare."""


@dataclass
class Slices:
    """The slices that something had, in nanoseconds per call."""

    processor: list[float] = field(default_factory=list)
    """By the time of the thread."""
    clock: list[float] = field(default_factory=list)
    """By the clock."""
    batch: int = 1

    @property
    def median(self) -> float:
        """The median of the thread's time."""
        return statistics.median(self.processor)

    @property
    def minimum(self) -> float:
        """The minimum of the thread's time."""
        return min(self.processor)

    @property
    def elapsed(self) -> float:
        """The median of the clock's time."""
        return statistics.median(self.clock)


@dataclass
class Row(Slices):
    """A subject and its slices."""

    subject: Subject = field(kw_only=True)

    @property
    def way(self) -> Way:
        """How its function is guarded."""
        return self.subject.way


def measure(subjects: list[Subject], plan: Plan) -> tuple[Slices, list[Row]]:
    """Measure some subjects; give the empty loop, and a row for each subject."""
    empty = Slices()
    rows = [Row(subject=subject) for subject in subjects]
    order = [empty, *rows]
    draws = random.Random(SEED)
    gc.collect()
    gc.freeze()
    with asyncio.Runner() as runner:
        until = time.monotonic() + plan.limit
        for turn in range(WARM_UP + plan.rounds):
            if turn > WARM_UP and time.monotonic() > until:
                break
            draws.shuffle(order)
            for row in order:
                _slice(row, plan, runner, counts=turn >= WARM_UP)
    gc.unfreeze()
    return empty, rows


def _slice(slices: Slices, plan: Plan, runner: asyncio.Runner, *, counts: bool) -> None:
    batch = slices.batch
    if isinstance(slices, Row):
        processor, clock = _work(slices.subject, batch, runner)
    else:
        processor, clock = _nothing(batch)
    gc.collect()
    if counts:
        slices.processor.append(processor / batch)
        slices.clock.append(clock / batch)
    slices.batch = max(1, min(LARGEST_BATCH, int(plan.slice_ns * batch / max(1, clock))))


def _work(subject: Subject, batch: int, runner: asyncio.Runner) -> tuple[int, int]:
    if subject.style == "async":
        if subject.error is None:
            return runner.run(_calls_later(subject.fn, batch))
        return runner.run(_errors_later(subject.fn, batch, subject.error))
    if subject.error is None:
        return _calls(subject.fn, batch)
    return _errors(subject.fn, batch, subject.error)


# The loops differ in what is inside, and in nothing else; the empty one is subtracted.


def _nothing(batch: int) -> tuple[int, int]:
    clock, processor = time.perf_counter_ns(), time.thread_time_ns()
    for _ in repeat(None, batch):
        pass
    return time.thread_time_ns() - processor, time.perf_counter_ns() - clock


def _calls(fn: Fn, batch: int) -> tuple[int, int]:
    clock, processor = time.perf_counter_ns(), time.thread_time_ns()
    for _ in repeat(None, batch):
        fn(7)
    return time.thread_time_ns() - processor, time.perf_counter_ns() - clock


def _errors(fn: Fn, batch: int, error: type[Exception]) -> tuple[int, int]:
    clock, processor = time.perf_counter_ns(), time.thread_time_ns()
    for _ in repeat(None, batch):
        try:  # noqa: SIM105 - `suppress` would be measured, too
            fn(7)
        except error:
            pass
    return time.thread_time_ns() - processor, time.perf_counter_ns() - clock


async def _calls_later(fn: Fn, batch: int) -> tuple[int, int]:
    clock, processor = time.perf_counter_ns(), time.thread_time_ns()
    for _ in repeat(None, batch):
        await fn(7)
    return time.thread_time_ns() - processor, time.perf_counter_ns() - clock


async def _errors_later(fn: Fn, batch: int, error: type[Exception]) -> tuple[int, int]:
    clock, processor = time.perf_counter_ns(), time.thread_time_ns()
    for _ in repeat(None, batch):
        try:  # noqa: SIM105 - `suppress` would be measured, too
            await fn(7)
        except error:
            pass
    return time.thread_time_ns() - processor, time.perf_counter_ns() - clock
