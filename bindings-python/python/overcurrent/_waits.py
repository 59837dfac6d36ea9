"""The shapes of waits, as policies write them. The core reads and checks them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from overcurrent._policy import Constant, Duration, Exponential, Linear, Proportional, Schedule


def constant(delay: Duration) -> Constant:
    """Wait as long each time."""
    return {"constant": {"delay": delay}}


def linear(initial: Duration, *, step: Duration, max: Duration) -> Linear:
    """Wait `step` longer each time, at most `max`."""
    return {"linear": {"initial": initial, "step": step, "max": max}}


def exponential(initial: Duration, *, multiplier: float | None = None, max: Duration) -> Exponential:
    """Wait `multiplier` (2) times as long each time, at most `max`."""
    fields: dict[str, Duration] = {"initial": initial, "max": max}
    if multiplier is not None:
        fields["multiplier"] = multiplier
    return {"exponential": fields}


def schedule(*delays: Duration) -> Schedule:
    """Wait as listed; the last wait repeats."""
    return {"schedule": {"delays": delays}}


def proportional(share: float) -> Proportional:
    """Draw each wait from its base, give or take this share of it."""
    return {"proportional": share}
