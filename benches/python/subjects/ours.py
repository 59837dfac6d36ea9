"""overcurrent."""

from __future__ import annotations

from overcurrent import Breaker, Guard, Retry
from way import Way, Wrap

LIBRARY = "overcurrent"


def _breaking(cooldown: float) -> Wrap:
    return Breaker("payments", consecutive_failures=5, cooldown=cooldown, cooldown_max=cooldown)


def _guard_breaking(cooldown: float) -> Wrap:
    return Guard(
        "payments",
        retry={"backoff": "none"},
        breaker={"consecutive_failures": 5, "cooldown": cooldown, "cooldown_max": cooldown},
    )


WAYS = (
    Way(
        LIBRARY,
        "breaker",
        "last 10 s, 10 in a row",
        lambda fn: Breaker("payments")(fn),
        own=True,
        breaking=_breaking,
    ),
    Way(
        LIBRARY,
        "breaker",
        "5 in a row",
        lambda fn: Breaker("payments", consecutive_failures=5)(fn),
        own=True,
    ),
    Way(
        LIBRARY,
        "retry",
        "3 attempts, full jitter",
        lambda fn: Retry()(fn),
        own=True,
        retrying=lambda fn: Retry(on=ConnectionError, backoff="none")(fn),
    ),
    Way(
        LIBRARY,
        "guard",
        "retry, breaker, budget",
        lambda fn: Guard("payments", attempt_timeout=False, deadline=False, breaker={"probe_timeout": "30s"})(
            fn
        ),
        own=True,
        retrying=lambda fn: Guard(
            "payments",
            attempt_timeout=False,
            deadline=False,
            breaker={"probe_timeout": "30s", "failure_rate": 1},
            retry={"backoff": "none", "budget": False},
        )(fn),
    ),
    Way(
        LIBRARY,
        "guard, timeouts",
        "every default",
        lambda fn: Guard("payments")(fn),
        own=True,
        retrying=lambda fn: Guard(
            "payments", breaker={"failure_rate": 1}, retry={"backoff": "none", "budget": False}
        )(fn),
        breaking=_guard_breaking,
    ),
)
