"""What a guarded call is meant to cost, as ratios of figures of one run.

| target | sync | async |
| --- | --- | --- |
| breaker, retry / pass-through | ≤ 1.6 | ≤ 1.5 |
| guard, with and without timeouts / pass-through | ≤ 2.2 | ≤ 2.2 |
| fastest breaker (guard) of a peer that is correct under threads / breaker (guard) | ≥ 3 | ≥ 3 |
| stamina, tenacity / retry | ≥ 30 | ≥ 30 |
| rejection / bare raise | ≤ 2 | ≤ 2 |

A retry of a peer keeps no state between calls, so that threads cannot spoil it, and the fastest one takes
less than three pass-throughs: nothing written in Python could be three times as fast. It is set beside ours
without a bound, and so is what asyncio itself takes to bound a call.

A target is met where the ratio of the medians meets it; that of the minima stands beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from subjects import floors
from way import BOTH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from measure import Row, Slices
    from subject import Operation
    from way import Kind, Style

OVERHEAD: dict[Kind, dict[Style, float]] = {
    "breaker": {"sync": 1.6, "async": 1.5},
    "retry": {"sync": 1.6, "async": 1.5},
    "guard": {"sync": 2.2, "async": 2.2},
    "guard, timeouts": {"sync": 2.2, "async": 2.2},
}
"""The most that a healthy call may cost, in pass-throughs."""
REJECTION = 2.0
"""The most that a rejection may cost, in bare raises."""
PEER = 3.0
"""How many times as much the fastest correct peer takes, at least."""
HEAVY = 30.0
"""How many times as much those take that build objects for each call."""
HEAVY_ONES = ("stamina", "tenacity")


@dataclass(frozen=True)
class Target:
    """A ratio, and what it should be."""

    name: str
    median: float
    """The ratio of the medians."""
    minimum: float
    """The ratio of the minima."""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether it is as it should be; None where nothing is asked."""
        if self.at_most is not None:
            return self.median <= self.at_most
        if self.at_least is not None:
            return self.median >= self.at_least
        return None


@dataclass(frozen=True)
class Sheet:
    """The rows of a run, to look up in, and the empty loop that is taken off them."""

    empty: Slices
    rows: list[Row]

    def net(self, row: Slices) -> tuple[float, float]:
        """Give median and minimum of a row, without the loop."""
        return row.median - self.empty.median, row.minimum - self.empty.minimum

    def base(self, operation: Operation, style: Style) -> Row | None:
        """Give the row that others of the kind are compared with."""
        base = {"rejection": floors.BARE, "failure and retry": floors.BY_HAND}.get(operation)
        return next(self.find(operation, style, library=base or floors.PASS_THROUGH), None)

    def find(
        self,
        operation: Operation,
        style: Style,
        *,
        kind: Kind | None = None,
        library: str | None = None,
        own: bool | None = None,
    ) -> Iterator[Row]:
        """Give the rows that are all of what is said."""
        for row in self.rows:
            if (row.subject.operation, row.subject.style) != (operation, style):
                continue
            way = row.way
            if kind in (None, way.kind) and library in (None, way.library) and own in (None, way.own):
                yield row

    def ratio(
        self,
        name: str,
        over: Row,
        under: Row,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> Target:
        """Compare two rows."""
        (median, minimum), (base, least) = self.net(over), self.net(under)
        return Target(name, median / base, minimum / least, at_most, at_least)


def targets(sheet: Sheet, correct: set[str]) -> Iterator[Target]:
    """Hold the targets against a run; `correct` are the libraries that are so under threads."""
    for style in BOTH:
        yield from _overhead(sheet, style)
    for style in BOTH:
        yield from _peers(sheet, style, correct)
    for style in BOTH:
        yield from _trouble(sheet, style)


def _overhead(sheet: Sheet, style: Style) -> Iterator[Target]:
    operations: tuple[Operation, ...] = ("success", "success after a turn")
    for operation in operations:
        base = sheet.base(operation, style)
        for kind, bounds in OVERHEAD.items():
            for row in sheet.find(operation, style, kind=kind, own=True):
                if base is not None:
                    name = f"{operation}, {style}: {kind} ({row.way.policy}) / pass-through"
                    yield sheet.ratio(name, row, base, at_most=bounds[style])
        for library in (floors.TIMEOUT, floors.WAIT_FOR):
            bound = next(sheet.find(operation, style, library=library), None)
            for row in sheet.find(operation, style, kind="guard, timeouts", own=True):
                if bound is not None:
                    yield sheet.ratio(f"{operation}, {style}: guard, timeouts / {library}", row, bound)


def _peers(sheet: Sheet, style: Style, correct: set[str]) -> Iterator[Target]:
    for kind in OVERHEAD:
        own = next(sheet.find("success", style, kind=kind, own=True), None)
        if own is None:
            continue
        peers = list(sheet.find("success", style, kind=kind, own=False))
        for row in peers:
            if row.way.library in HEAVY_ONES:
                name = f"success, {style}: {row.way.library} / {kind}"
                yield sheet.ratio(name, row, own, at_least=HEAVY)
        rivals = [row for row in peers if kind == "retry" or row.way.library in correct]
        if rivals:
            fastest = min(rivals, key=lambda row: row.median)
            name = f"success, {style}: {fastest.way.library} / {kind}"
            yield sheet.ratio(name, fastest, own, at_least=None if kind == "retry" else PEER)


def _trouble(sheet: Sheet, style: Style) -> Iterator[Target]:
    bounds: tuple[tuple[Operation, str, float | None], ...] = (
        ("rejection", "bare raise", REJECTION),
        ("failure and retry", "loop by hand", None),
    )
    for operation, words, bound in bounds:
        base = sheet.base(operation, style)
        for row in sheet.find(operation, style, own=True):
            if base is not None:
                name = f"{operation}, {style}: {row.way.kind} / {words}"
                yield sheet.ratio(name, row, base, at_most=bound)
