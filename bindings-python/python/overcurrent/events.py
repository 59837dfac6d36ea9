"""What can be heard of decisions: one class per event, the same names and fields in every language.

    import overcurrent
    from overcurrent import events

    def hear(event: overcurrent.Event) -> None:
        if isinstance(event, events.StateChange):
            print(event.breaker, event.old, event.new, event.reason)

    overcurrent.subscribe(hear)

An event holds names, words, numbers and durations in seconds, and nothing of a call's arguments, results
or errors. What is absent is None.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, final

if TYPE_CHECKING:
    from overcurrent._policy import RejectReason, StopReason

Position: TypeAlias = Literal["closed", "open", "half_open", "forced_open", "forced_closed"]
"""Where a breaker stands."""

ChangeReason: TypeAlias = Literal[
    "consecutive_failures",
    "failure_rate",
    "slow_rate",
    "probe_failed",
    "probe_timeout",
    "cooldown_over",
    "probes_succeeded",
    "manual",
    "reset",
    "forced",
    "automatic",
    "restored",
]
"""Why a breaker went from one state to another."""


class _Fields:
    """Gives the fields of an event by name."""

    __slots__ = ()

    @property
    def fields(self) -> dict[str, str | int | float | None]:
        """The fields by their names, in one order."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


@final
@dataclass(frozen=True, slots=True)
class StateChange(_Fields):
    """A breaker went from one state to another, or began the same one afresh."""

    name: ClassVar[Literal["state_change"]] = "state_change"
    breaker: str
    """The breaker."""
    guard: str | None
    """The guard; None where the breaker was asked or commanded itself."""
    attempt: int | None
    """The attempt that was recorded or asked for, from 1."""
    old: Position
    """Where it stood."""
    new: Position
    """Where it stands now."""
    reason: ChangeReason
    """Why."""
    epoch: int
    """The epoch that began with it: 2 with the first change, one more with each."""
    consecutive: int | None
    """The failures in a row, where a test of them or of the window opened it."""
    total: int | None
    """The outcomes in the window, where a test opened it and it has a window."""
    failures: int | None
    """The failures among them; of a window of calls at least so many."""
    slow: int | None
    """The slow ones among them; of a window of calls at least so many."""
    lasted: float
    """How many seconds it had been in the old state, to a millisecond."""
    open_for: float | None
    """How many seconds it will stay open, where it opened."""
    rejected: int
    """How many calls it rejected in the old state."""
    trace_id: str | None = None
    """The trace in which the call was made: 32 hexadecimal digits."""
    span_id: str | None = None
    """The span in which it was made: 16 hexadecimal digits."""
    correlation_id: str | None = None
    """What the request is known by on whose behalf it was made."""


@final
@dataclass(frozen=True, slots=True)
class Retry(_Fields):
    """A failed attempt is tried again after a wait."""

    name: ClassVar[Literal["retry"]] = "retry"
    guard: str | None
    """The guard; None of a retry alone."""
    attempt: int
    """The attempt that failed, from 1."""
    wait: float
    """How many seconds until the next one."""
    origin: Literal["backoff", "hint"]
    """What this wait came from."""
    trace_id: str | None = None
    """The trace in which the call was made: 32 hexadecimal digits."""
    span_id: str | None = None
    """The span in which it was made: 16 hexadecimal digits."""
    correlation_id: str | None = None
    """What the request is known by on whose behalf it was made."""


@final
@dataclass(frozen=True, slots=True)
class Reject(_Fields):
    """A breaker rejected a call."""

    name: ClassVar[Literal["reject"]] = "reject"
    breaker: str
    """The breaker."""
    guard: str | None
    """The guard; None where the breaker was asked itself."""
    attempt: int | None
    """The attempt that was asked for, from 1."""
    reason: RejectReason
    """Why."""
    retry_after: float | None
    """How many seconds until a probe is admitted, where that is known."""
    nth: int
    """Which rejection it is since the last change of state, from 1."""
    trace_id: str | None = None
    """The trace in which the call was made: 32 hexadecimal digits."""
    span_id: str | None = None
    """The span in which it was made: 16 hexadecimal digits."""
    correlation_id: str | None = None
    """What the request is known by on whose behalf it was made."""


@final
@dataclass(frozen=True, slots=True)
class GiveUp(_Fields):
    """A call's last failure is handed over; it is not retried."""

    name: ClassVar[Literal["give_up"]] = "give_up"
    guard: str | None
    """The guard; None of a retry alone."""
    attempt: int
    """The last attempt, which is how many were made."""
    elapsed: float | None
    """The seconds since the call began; None of a retry alone, which does not measure it."""
    reason: StopReason
    """Why it is not retried."""
    trace_id: str | None = None
    """The trace in which the call was made: 32 hexadecimal digits."""
    span_id: str | None = None
    """The span in which it was made: 16 hexadecimal digits."""
    correlation_id: str | None = None
    """What the request is known by on whose behalf it was made."""


@final
@dataclass(frozen=True, slots=True)
class Timeout(_Fields):
    """An attempt or a call took longer than it may."""

    name: ClassVar[Literal["timeout"]] = "timeout"
    guard: str | None
    """The guard; always there, as a retry alone knows no limits."""
    attempt: int
    """The attempt, from 1; 0 where none had begun."""
    timeout: float
    """The limit that it broke, in seconds."""
    which: Literal["attempt", "deadline"]
    """Which limit that is."""
    trace_id: str | None = None
    """The trace in which the call was made: 32 hexadecimal digits."""
    span_id: str | None = None
    """The span in which it was made: 16 hexadecimal digits."""
    correlation_id: str | None = None
    """What the request is known by on whose behalf it was made."""


@final
@dataclass(frozen=True, slots=True)
class LateResult(_Fields):
    """An outcome came after its epoch was over, and changed nothing."""

    name: ClassVar[Literal["late_result"]] = "late_result"
    breaker: str
    """The breaker."""
    guard: str | None
    """The guard; None where the breaker was asked itself."""
    attempt: int | None
    """The attempt whose outcome it is, from 1."""
    outcome: Literal["success", "failure", "ignored", "cancelled"]
    """The outcome."""
    trace_id: str | None = None
    """The trace in which the call was made: 32 hexadecimal digits."""
    span_id: str | None = None
    """The span in which it was made: 16 hexadecimal digits."""
    correlation_id: str | None = None
    """What the request is known by on whose behalf it was made."""


@final
@dataclass(frozen=True, slots=True)
class BudgetExhausted(_Fields):
    """A retry was denied, as the budget held no whole token."""

    name: ClassVar[Literal["budget_exhausted"]] = "budget_exhausted"
    guard: str | None
    """The guard; None of a retry alone."""
    attempt: int
    """The attempt that failed, from 1."""
    trace_id: str | None = None
    """The trace in which the call was made: 32 hexadecimal digits."""
    span_id: str | None = None
    """The span in which it was made: 16 hexadecimal digits."""
    correlation_id: str | None = None
    """What the request is known by on whose behalf it was made."""


@final
@dataclass(frozen=True, slots=True)
class Eviction(_Fields):
    """A registry forgot an idle entry to make room."""

    name: ClassVar[Literal["eviction"]] = "eviction"
    key: str
    """The key of the entry."""


Event: TypeAlias = StateChange | Retry | Reject | GiveUp | Timeout | LateResult | BudgetExhausted | Eviction
"""A decision that was made."""

CLASSES = {
    cls.name: cls
    for cls in (StateChange, Retry, Reject, GiveUp, Timeout, LateResult, BudgetExhausted, Eviction)
}
"""The classes by the names of their events."""
