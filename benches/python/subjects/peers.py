"""The libraries beside which overcurrent is measured, each as its own documentation uses it."""

from __future__ import annotations

from typing import Any

import backoff
import circuitbreaker
import hyx.circuitbreaker
import hyx.retry
import interlock
import nopanic
import pybreaker
import stamina
import tenacity
from way import Way, Wrap

PACKAGES = (
    "circuitbreaker",
    "pybreaker",
    "nopanic",
    "interlock-cb",
    "tenacity",
    "stamina",
    "backoff",
    "hyx",
)
"""The distributions, for their versions."""

LONG = 3600.0
"""A cooldown that does not end while something is measured."""


def _circuitbreaker(cooldown: float) -> Wrap:
    wrap: Wrap = circuitbreaker.CircuitBreaker(failure_threshold=5, recovery_timeout=cooldown)
    return wrap


def _pybreaker(cooldown: float) -> Wrap:
    wrap: Wrap = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=cooldown)
    return wrap


def _nopanic(cooldown: float) -> Wrap:
    wrap: Wrap = nopanic.circuit_breaker(min_calls=5, reset_timeout=cooldown)
    return wrap


def _interlock(cooldown: float) -> Wrap:
    config = interlock.Config(
        minimum_number_of_calls=5, permitted_calls_in_half_open=1, wait_duration_in_open=cooldown
    )
    wrap: Wrap = interlock.CircuitBreaker(name="payments", config=config)
    return wrap


def _hyx(cooldown: float) -> Wrap:
    wrap: Wrap = hyx.circuitbreaker.consecutive_breaker(recovery_time_secs=cooldown)
    return wrap


def _tenacity(**policy: Any) -> Wrap:
    wrap: Wrap = tenacity.retry(stop=tenacity.stop_after_attempt(3), reraise=True, **policy)
    return wrap


def _stamina(**waits: float) -> Wrap:
    wrap: Wrap = stamina.retry(on=ConnectionError, attempts=3, **waits)
    return wrap


def _nopanic_guard(*, timeout: bool) -> Wrap:
    """Give the stack that its documentation calls typical."""
    policies: list[Any] = [nopanic.retry(attempts=3), nopanic.circuit_breaker()]
    if timeout:
        policies = [nopanic.deadline(30.0), *policies, nopanic.timeout(10.0)]
    wrap: Wrap = nopanic.compose(*policies)
    return wrap


WAYS = (
    Way(
        "circuitbreaker",
        "breaker",
        "5 in a row",
        lambda fn: _circuitbreaker(LONG)(fn),
        breaking=_circuitbreaker,
    ),
    Way(
        "pybreaker", "breaker", "5 in a row", lambda fn: _pybreaker(LONG)(fn), ("sync",), breaking=_pybreaker
    ),
    Way("nopanic", "breaker", "last 30 s", lambda fn: nopanic.circuit_breaker()(fn), breaking=_nopanic),
    Way(
        "interlock-cb",
        "breaker",
        "last 100 calls",
        lambda fn: interlock.CircuitBreaker(name="payments")(fn),
        breaking=_interlock,
    ),
    Way("hyx", "breaker", "5 in a row", lambda fn: _hyx(LONG)(fn), ("async",), breaking=_hyx),
    Way(
        "tenacity",
        "retry",
        "3 attempts, full jitter",
        lambda fn: _tenacity(wait=tenacity.wait_random_exponential(max=5))(fn),
        retrying=lambda fn: _tenacity(
            wait=tenacity.wait_none(), retry=tenacity.retry_if_exception_type(ConnectionError)
        )(fn),
    ),
    Way(
        "stamina",
        "retry",
        "3 attempts, jitter",
        lambda fn: _stamina()(fn),
        retrying=lambda fn: _stamina(wait_initial=0, wait_max=0, wait_jitter=0)(fn),
    ),
    Way(
        "backoff",
        "retry",
        "3 attempts, full jitter",
        lambda fn: backoff.on_exception(backoff.expo, ConnectionError, max_tries=3)(fn),
        retrying=lambda fn: backoff.on_exception(
            backoff.constant, ConnectionError, max_tries=3, interval=0, jitter=None
        )(fn),
    ),
    Way(
        "nopanic",
        "retry",
        "3 attempts, full jitter",
        lambda fn: nopanic.retry()(fn),
        retrying=lambda fn: nopanic.retry(on=ConnectionError, backoff=0)(fn),
    ),
    Way(
        "hyx",
        "retry",
        "3 attempts, constant",
        lambda fn: hyx.retry.retry()(fn),
        ("async",),
        retrying=lambda fn: hyx.retry.retry(on=ConnectionError, backoff=0)(fn),
    ),
    Way("nopanic", "guard", "retry, breaker", lambda fn: _nopanic_guard(timeout=False)(fn)),
    Way(
        "nopanic",
        "guard, timeouts",
        "deadline, retry, breaker, timeout",
        lambda fn: _nopanic_guard(timeout=True)(fn),
        ("async",),
    ),
)
