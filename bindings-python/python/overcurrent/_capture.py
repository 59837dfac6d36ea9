"""Events for tests to look at."""

from __future__ import annotations

from contextlib import contextmanager

from overcurrent._core import subscribe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from overcurrent._breaker import Breaker
    from overcurrent._guard import Guard
    from overcurrent.events import Event


@contextmanager
def capture_events(*, guard: Guard | None = None, breaker: Breaker | None = None) -> Iterator[list[Event]]:
    """Collect the events that are told while the block runs.

        with capture_events(guard=payments) as events:
            payments.call(charge, order)
        assert [event.name for event in events] == ["retry"]

    Args:
        guard: only its events and those of its breaker.
        breaker: only its events. Without either, those of the whole process.

    Yields:
        The events so far, in their order. It stays as it is once the block has ended.
    """
    events: list[Event] = []
    with subscribe(events.append, guard=guard, breaker=breaker):
        yield events
