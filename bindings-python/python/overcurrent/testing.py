"""What makes guarded code easy to test.

    from overcurrent.testing import instant

    with instant():
        assert charge("order 7") == "receipt"   # retried without a wait

`instant` leaves out the waits, `disabled` leaves out everything, `capture_events` collects what was
decided, and a `ManualClock` that is given to a guard as its `clock` moves time by hand. The first two are
switches of the whole process, so they reach guards that are made elsewhere. With pytest, the fixtures
`overcurrent_instant`, `overcurrent_disabled`, `overcurrent_events` and `overcurrent_clock` are there
without an import.
"""

from overcurrent._capture import capture_events
from overcurrent._core import ManualClock, turn_disabled, turn_instant
from overcurrent._switched import Switched

__all__ = ["ManualClock", "capture_events", "disabled", "instant"]


def instant() -> Switched:
    """Have no call of this process sleep, in the block under it.

    What a call would have slept counts as time that has passed, for that call alone. So it is decided as
    if it had waited: a deadline stops retries, and a call that waits for an open breaker gets to probe
    it. Attempt timeouts run in real time. A guard with a `ManualClock` never sleeps; its clock is moved,
    here too.

    Returns:
        What to use in `with` or `async with`.

    Example:
        >>> from overcurrent import Retry, constant
        >>> answers = iter([None, None, "receipt"])
        >>> retry = Retry(backoff=constant("1h"), classify=lambda answer: None if answer else "failure")
        >>> with instant():
        ...     retry.call(next, answers)
        'receipt'
    """
    return Switched(turn_instant)


def disabled() -> Switched:
    """Have calls go straight through guards, breakers and retries, in the block under it.

    A call that begins in the block makes one attempt: no breaker is asked, nothing is counted, nothing
    is cut by a timeout, no hook runs, and an error comes out as it was raised. `Breaker.acquire` grants
    a permit that counts nowhere, and a call begun by `Retry.start` is told to stop at its first failure.

    Returns:
        What to use in `with` or `async with`.

    Example:
        >>> from overcurrent import Breaker
        >>> database = Breaker("database")
        >>> database.force_open()
        >>> with disabled():
        ...     database.call(str.upper, "row")
        'ROW'
    """
    return Switched(turn_disabled)
