"""What makes guarded code easy to test.

    from overcurrent.testing import instant

    with instant():
        assert charge("order 7") == "receipt"   # retried without a wait

`instant` leaves out the waits, `disabled` leaves out everything, and a `ManualClock` given to a guard as its
`clock` moves time by hand. The first two are switches of the whole process, so they reach guards that are made
elsewhere; a call keeps to what was so when it began. With pytest, the fixtures `overcurrent_instant`,
`overcurrent_disabled` and `overcurrent_clock` are there without an import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from overcurrent._core import ManualClock, turn_disabled, turn_instant

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["ManualClock", "Switched", "disabled", "instant"]


class Switched:
    """A block, `with` or `async with`, in which a switch is on.

    It may be entered again inside itself, in other threads at the same time, and be used again afterwards: the
    switch is off when all have left.
    """

    __slots__ = ("_turn",)

    def __init__(self, turn: Callable[[bool], None]) -> None:
        self._turn = turn

    def __enter__(self) -> None:
        self._turn(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn(False)

    async def __aenter__(self) -> None:
        self._turn(True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn(False)


def instant() -> Switched:
    """Have no call of this process sleep, in the block under it.

    What a call would have slept counts as time that has passed, for that call alone. So it is decided as if it
    had waited: a deadline stops retries, and a call that waits for an open breaker gets to probe it. Attempt
    timeouts run in real time. A guard with a `ManualClock` never sleeps; its clock is moved, here too.

    Returns:
        What to use in `with` or `async with`.

    Example:
        >>> from overcurrent import Retry
        >>> from overcurrent.testing import instant
        >>> answers = iter([None, None, "receipt"])
        >>> retry = Retry(backoff={"constant": {"delay": "1h"}}, classify=lambda value: value or "failure")
    """
    return Switched(turn_instant)


def disabled() -> Switched:
    """Have calls go straight through guards, breakers and retries, in the block under it.

    A call that begins in the block makes one attempt: no breaker is asked, nothing is counted, nothing is cut by
    a timeout, no hook runs, and an error comes out as it was raised. `Breaker.acquire` grants a permit that
    counts nowhere, and a call begun by `Retry.start` is told to stop after its first failure.

    Returns:
        What to use in `with` or `async with`.
    """
    return Switched(turn_disabled)
