"""One thing to measure: a guarded function, and what becomes of each of its calls."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import functions
from subjects import floors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from way import Fn, Style, Way, Wrap

Operation: TypeAlias = Literal["success", "success after a turn", "rejection", "failure and retry"]

OPERATIONS: tuple[Operation, ...] = ("success", "success after a turn", "rejection", "failure and retry")

LATER = (floors.BARE, floors.PASS_THROUGH, floors.TIMEOUT, floors.WAIT_FOR)
"""The floors whose functions also wait for a turn of the event loop."""
TRIES = 100
"""No breaker here needs more failures than this to open."""


@dataclass(frozen=True)
class Subject:
    """A function to call again and again."""

    operation: Operation
    style: Style
    way: Way
    fn: Fn
    """Takes one argument."""
    error: type[Exception] | None = None
    """What each call raises, where it does."""

    @property
    def title(self) -> str:
        """Operation, style and way, by which it is chosen."""
        return f"{self.operation} {self.style} {self.way.title}"


def subjects(ways: Iterable[Way]) -> Iterator[Subject]:
    """Make every subject of some ways, each with state of its own."""
    for way in ways:
        for style in way.styles:
            answer = functions.answer if style == "sync" else functions.answer_later
            yield Subject("success", style, way, way.wrap(answer))
        if way.library in LATER or way.kind == "guard, timeouts":
            later = way.wrap(functions.answer_after_a_turn)
            yield Subject("success after a turn", "async", way, later)
        for style in way.styles:
            if way.breaking is not None:
                yield _rejection(way, way.breaking, style)
            elif way.library == floors.BARE:
                refuse = floors.refuse if style == "sync" else floors.refuse_later
                yield Subject("rejection", style, way, refuse, floors.Refused)
            if way.retrying is not None:
                flaky = functions.every_other_time(style)
                yield Subject("failure and retry", style, way, way.retrying(flaky))


def _rejection(way: Way, breaking: Callable[[float], Wrap], style: Style) -> Subject:
    """Open a breaker for longer than the run, and see what it raises then."""
    guarded = breaking(3600.0)(functions.fail if style == "sync" else functions.fail_later)
    for _ in range(TRIES):
        error = _error(guarded, style)
    if error is None or isinstance(error, ConnectionError):
        raise RuntimeError(f"{way.title} did not open")
    return Subject("rejection", style, way, guarded, type(error))


def _error(fn: Fn, style: Style) -> Exception | None:
    async def later() -> Any:
        return await fn(0)

    try:
        asyncio.run(later()) if style == "async" else fn(0)
    except Exception as error:  # noqa: BLE001 - whatever it is
        return error
    return None
