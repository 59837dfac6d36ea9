"""A run as text, one table, and the same as JSON."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys
import textwrap
from dataclasses import asdict, dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import overcurrent
from subject import OPERATIONS
from subjects.peers import PACKAGES
from targets import Sheet, Target, targets
from way import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from measure import Plan, Row
    from threads import Conduct
    from way import Style, Way

WIDTH = 110
"""The width of the prose; the tables take theirs."""


@dataclass(frozen=True)
class Report:
    """What a run found."""

    plan: Plan
    sheet: Sheet
    frames: dict[tuple[Way, Style], int]
    conducts: list[Conduct]

    @property
    def targets(self) -> list[Target]:
        """The targets, held against the run."""
        return list(targets(self.sheet, {one.way.library for one in self.conducts if one.correct}))

    def method(self) -> str:
        """Say how it was measured."""
        rounds, slice_ms = len(self.sheet.empty.processor), self.plan.slice_ns / 1e6
        versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
        return (
            f"{platform.python_implementation()} {platform.python_version()} on {os.cpu_count()} cores; "
            f"{rounds} interleaved rounds: in each, every row has a slice of {slice_ms:g} ms, "
            "in an order drawn anew. Figures are nanoseconds per call by the time of the thread, median and "
            "minimum of the slices, and by the clock, the median. The empty loop "
            f"({self.sheet.empty.median:.1f} ns) is taken off. The ratio is to the row of the same operation "
            "that says 1.00: a pass-through (a closure by functools.wraps that hands *args and **kwargs "
            "through, inside try/except), for rejections a bare raise, for retries a loop by hand. Every "
            "function takes one argument and returns it. The garbage collector is on; what a slice leaves "
            "behind is collected before the next, untimed. Logging is off. `frames` are those that an error "
            "has more in its traceback. Beside overcurrent "
            f"{overcurrent.__version__}: {versions}."
        )

    def text(self) -> str:
        """Give all of it as text."""
        parts = [textwrap.fill(self.method(), WIDTH), "", *self._rows(), ""]
        parts += ["Under threads; `correct` are those that are so in all three:", "", *self._threads(), ""]
        parts += ["Those with a bound are targets, met or missed by the medians:", "", *self._targets()]
        return "\n".join(parts)

    def json(self) -> dict[str, Any]:
        """Give the same for a program."""
        return {
            "method": self.method(),
            "unit": "ns",
            "python": sys.version,
            "loop": self.sheet.empty.median,
            "rows": [self._record(row) for row in self.sheet.rows],
            "threads": [
                {
                    "library": one.way.library,
                    "kind": one.way.kind,
                    "probes": one.probes,
                    "stays_open": one.stays_open,
                    "parallel": one.parallel,
                    "correct": one.correct,
                }
                for one in self.conducts
            ],
            "targets": [{**asdict(target), "met": target.met} for target in self.targets],
        }

    def _record(self, row: Row) -> dict[str, Any]:
        subject = row.subject
        median, minimum = self.sheet.net(row)
        return {
            "operation": subject.operation,
            "style": subject.style,
            "library": subject.way.library,
            "kind": subject.way.kind,
            "policy": subject.way.policy,
            "median": median,
            "minimum": minimum,
            "clock": row.elapsed - self.sheet.empty.elapsed,
            "ratio": self._ratio(row),
            "frames": self.frames[subject.way, subject.style],
        }

    def _ratio(self, row: Row) -> float | None:
        base = self.sheet.base(row.subject.operation, row.subject.style)
        return None if base is None else self.sheet.net(row)[0] / self.sheet.net(base)[0]

    def _rows(self) -> Iterator[str]:
        lines = [("operation", "", "library", "", "policy", "median", "min", "clock", "ratio", "frames")]
        for operation, style in product(OPERATIONS, BOTH):
            floors_first = sorted(self.sheet.find(operation, style), key=lambda row: row.way.kind != "floor")
            for row in floors_first:
                it = self._record(row)
                ratio = "" if it["ratio"] is None else f"{it['ratio']:.2f}"
                figures = (f"{it[name]:.0f}" for name in ("median", "minimum", "clock"))
                words = (operation, style, it["library"], it["kind"], it["policy"])
                lines.append((*words, *figures, ratio, str(it["frames"])))
        return _aligned(lines, 5)

    def _threads(self) -> Iterator[str]:
        lines = [("library", "", "probes of 20 callers", "an old success", "two calls", "")]
        for one in self.conducts:
            closed = "leaves it open" if one.stays_open else "closes it"
            calls = "run at once" if one.parallel else "one after the other"
            words = (one.way.library, one.way.kind, str(one.probes), closed, calls)
            lines.append((*words, "correct" if one.correct else ""))
        return _aligned(lines, 2)

    def _targets(self) -> Iterator[str]:
        lines = [("ratio", "bound", "medians", "minima", "")]
        for target in self.targets:
            bound = ""
            if target.at_most is not None:
                bound = f"≤ {target.at_most:g}"
            elif target.at_least is not None:
                bound = f"≥ {target.at_least:g}"
            met = {True: "met", False: "MISSED", None: ""}[target.met]
            lines.append((target.name, bound, f"{target.median:.2f}", f"{target.minimum:.2f}", met))
        return _aligned(lines, 1)


def _aligned(lines: Sequence[tuple[str, ...]], left: int) -> Iterator[str]:
    """Lay lines out in columns: the first `left` to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (
            cell.ljust(width) if number < left else cell.rjust(width)
            for number, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()
