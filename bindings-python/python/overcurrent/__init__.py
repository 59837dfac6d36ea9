"""Circuit breaker, retry, backoff and retry budget around any call, decided jointly.

    from overcurrent import Guard, exponential

    payments = Guard("payments", attempt_timeout="2s", retry={"backoff": exponential("100ms", max="5s")})

    @payments
    async def charge(order): ...

A `Guard` surrounds a call with a deadline, retries, a breaker and a timeout for each attempt;
`Breaker` and `Retry` are parts of it that can be used alone. A duration is a `timedelta`, seconds, or
text such as `"250ms"`. What was decided and why is told to `subscribe`, and to the logger `overcurrent`;
`metrics` is what was counted, and `explain` says why a call failed.
"""

from overcurrent import _fork as _fork
from overcurrent._attempt import Attempt, current_attempt
from overcurrent._breaker import Breaker
from overcurrent._core import (
    Budget,
    Failure,
    Family,
    Histogram,
    ManualClock,
    Metrics,
    Permit,
    RetryCall,
    Sample,
    Stop,
    Subscription,
    TraceContext,
    Wait,
    __version__,
    explain,
    metrics,
    subscribe,
)
from overcurrent._errors import (
    AttemptTimeout,
    BreakerOpen,
    DeadlineExceeded,
    InvalidPolicy,
    OvercurrentError,
    RegistryFull,
)
from overcurrent._guard import Guard
from overcurrent._registry import Registry
from overcurrent._retry import Retry
from overcurrent._waits import constant, exponential, linear, proportional, schedule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from overcurrent import events
    from overcurrent._policy import (
        Backoff,
        BreakerPolicy,
        BudgetPolicy,
        Classify,
        Duration,
        GuardPolicy,
        Jitter,
        RetryPolicy,
        Verdict,
        Which,
    )
    from overcurrent.events import Event
else:

    def __getattr__(name: str) -> object:
        """Load types of policies, and events, when asked for: `typing` takes longer than all else here."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in {"Event", "events"}:
            import overcurrent.events as events

            return events if name == "events" else events.Event
        from overcurrent import _policy

        return getattr(_policy, name)


__all__ = [
    "Attempt",
    "AttemptTimeout",
    "Backoff",
    "Breaker",
    "BreakerOpen",
    "BreakerPolicy",
    "Budget",
    "BudgetPolicy",
    "Classify",
    "DeadlineExceeded",
    "Duration",
    "Event",
    "Failure",
    "Family",
    "Guard",
    "GuardPolicy",
    "Histogram",
    "InvalidPolicy",
    "Jitter",
    "ManualClock",
    "Metrics",
    "OvercurrentError",
    "Permit",
    "Registry",
    "RegistryFull",
    "Retry",
    "RetryCall",
    "RetryPolicy",
    "Sample",
    "Stop",
    "Subscription",
    "TraceContext",
    "Verdict",
    "Wait",
    "Which",
    "__version__",
    "constant",
    "current_attempt",
    "events",
    "explain",
    "exponential",
    "linear",
    "metrics",
    "proportional",
    "schedule",
    "subscribe",
]
