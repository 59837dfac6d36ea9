"""Fixtures for pytest, found by it wherever overcurrent is installed.

Stands outside the package and imports it only in a fixture: pytest loads this file in every run, also of
projects that make no guarded call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from overcurrent import Event, ManualClock


@pytest.fixture
def overcurrent_clock() -> ManualClock:
    """A clock that the test moves by hand, to be given to a guard, breaker, retry or budget."""
    from overcurrent import ManualClock

    return ManualClock()


@pytest.fixture
def overcurrent_instant() -> Iterator[None]:
    """No guarded call sleeps during the test."""
    from overcurrent.testing import instant

    with instant():
        yield


@pytest.fixture
def overcurrent_disabled() -> Iterator[None]:
    """Calls go straight through guards, breakers and retries during the test."""
    from overcurrent.testing import disabled

    with disabled():
        yield


@pytest.fixture
def overcurrent_events() -> Iterator[list[Event]]:
    """The events that are told during the test, so far."""
    from overcurrent.testing import capture_events

    with capture_events() as events:
        yield events
