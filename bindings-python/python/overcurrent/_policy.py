"""How policies are written in Python: the fields and their types. The core reads and checks them.

For type checkers; loaded when a name is asked for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from overcurrent._breaker import Breaker
    from overcurrent._core import Budget, Failure
    from overcurrent._retry import Retry

Duration: TypeAlias = timedelta | str | int | float
"""A `timedelta`, text such as `"250ms"`, or seconds."""

Verdict: TypeAlias = "Literal['success', 'failure', 'ignored'] | Failure | None"
"""What a result means; None leaves it to the other hooks."""

Classify: TypeAlias = "Callable[[Any], Verdict]"
"""Is given what the function returned, or the exception it raised."""

Which: TypeAlias = "type[BaseException] | tuple[type[BaseException], ...] | Callable[[Exception], bool]"
"""Exception classes, or a predicate."""

RejectReason: TypeAlias = Literal["open", "half_open", "forced_open"]
OpenReason: TypeAlias = Literal[
    "consecutive_failures", "failure_rate", "slow_rate", "probe_failed", "probe_timeout", "manual"
]
StopReason: TypeAlias = Literal[
    "not_retryable", "attempts_exhausted", "hint_too_long", "deadline", "breaker_open", "budget_exhausted"
]


class Constant(TypedDict):
    """`constant(delay)`."""

    constant: Mapping[str, Duration]


class Linear(TypedDict):
    """`linear(initial, step=…, max=…)`."""

    linear: Mapping[str, Duration]


class Exponential(TypedDict):
    """`exponential(initial, multiplier=…, max=…)`."""

    exponential: Mapping[str, Duration]


class Schedule(TypedDict):
    """`schedule(*delays)`."""

    schedule: Mapping[str, Sequence[Duration]]


class Proportional(TypedDict):
    """`proportional(share)`."""

    proportional: float


Backoff: TypeAlias = Literal["none"] | Constant | Linear | Exponential | Schedule
Jitter: TypeAlias = Literal["none", "full", "equal", "decorrelated"] | Proportional


class TimeWindow(TypedDict, total=False):
    """The outcomes of the last so long."""

    time: Duration
    buckets: int


class CallWindow(TypedDict):
    """The last so many outcomes."""

    calls: int


class BudgetPolicy(TypedDict, total=False):
    """The fields of a retry budget."""

    ratio: float
    min_per_second: float
    burst: int


class RetryPolicy(TypedDict, total=False):
    """The fields of a retry."""

    max_attempts: int
    backoff: Backoff
    jitter: Jitter
    max_hint: Duration
    budget: Budget | BudgetPolicy | bool


class BreakerPolicy(TypedDict, total=False):
    """The fields of a breaker."""

    window: TimeWindow | CallWindow
    failure_rate: float
    minimum_calls: int
    slow_call: Duration
    slow_rate: float
    consecutive_failures: int
    abandon_after: Duration
    cooldown: Duration
    cooldown_max: Duration
    cooldown_multiplier: float
    cooldown_jitter: float
    probes: int
    close_after: int
    reopen_after: int
    probe_timeout: Duration


class GuardPolicy(TypedDict, total=False):
    """The fields of a guard; `False` switches a part off."""

    deadline: Duration | Literal[False]
    attempt_timeout: Duration | Literal[False]
    when_open: Literal["fail", "wait"]
    retry: Retry | RetryPolicy | bool
    breaker: Breaker | BreakerPolicy | bool


class Snapshot(TypedDict):
    """A breaker's state in portable form, the same document in every language."""

    version: int
    state: Literal["closed", "open", "half_open"]
    override: Literal["forced_open", "forced_closed"] | None
    remaining_ns: int
    opens: int
    reason: OpenReason | None
