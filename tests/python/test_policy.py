"""Policies: the table of bad ones, and what only Python can get wrong."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from overcurrent import Breaker, Budget, Guard, InvalidPolicy, ManualClock, Retry, constant, exponential

BAD = json.loads((Path(__file__).parent.parent / "bad-policies.json").read_text(encoding="utf-8"))


def test_the_table_is_there() -> None:
    assert len(BAD) >= 40


@pytest.mark.parametrize("case", BAD, ids=[case["name"] for case in BAD])
def test_a_bad_document_is_refused_in_the_same_words(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Guard.from_text(case["document"], "p", format=case["format"])
    error = caught.value
    assert (error.path, error.value, error.rule) == (case["path"], case["value"], case["rule"])
    assert str(error) == f"invalid policy at `{case['path']}`: `{case['value']}` {case['rule']}"


def refusal(**policy: Any) -> tuple[str, str, str]:
    with pytest.raises(InvalidPolicy) as caught:
        Guard("g", **policy)
    return caught.value.path, caught.value.value, caught.value.rule


@pytest.mark.parametrize(
    ("duration", "nanos"),
    [
        (2, 2_000_000_000),
        (0.1, 100_000_000),
        (1e-9, 1),
        (1.4e-9, 1),
        (1.5e-9, 2),
        (4.35, 4_350_000_000),
        ("1.5s", 1_500_000_000),
        ("250us", 250_000),
        (timedelta(days=1, microseconds=1), 86_400_000_001_000),
    ],
)
def test_a_duration_is_a_timedelta_seconds_or_text(duration: Any, nanos: int) -> None:
    clock = ManualClock()
    clock.advance(duration)
    assert clock.now_ns == nanos


@pytest.mark.parametrize(
    ("duration", "shown", "rule"),
    [
        (-1, "-1", "must not be negative"),
        (-0.5, "-0.5", "must not be negative"),
        (timedelta(seconds=-1.5), "-1.500000", "must not be negative"),
        (math.nan, "NaN", "must be a finite number"),
        (math.inf, "inf", "must be a finite number"),
        (1e30, "1e30", "is too long, must be at most 18446744073709551615ns"),
        (10**40, str(10**40), "is too long, must be at most 18446744073709551615ns"),
        (timedelta.max, "86399999999999.999999", "is too long, must be at most 18446744073709551615ns"),
        ("10", "10", "must have a unit, one of ns us ms s m h"),
        ("1m30s", "1m30s", "must have one unit only"),
        (True, "true", "must be a duration, or `false` for none"),
        (
            Decimal("1.5"),
            "Decimal('1.5')",
            "must be a duration: a `timedelta`, seconds, or text such as `250ms`",
        ),
        (
            datetime(2020, 1, 1),
            "datetime.datetime(2020, 1, 1, 0, 0)",
            "must be a duration: a `timedelta`, seconds, or text such as `250ms`",
        ),
    ],
)
def test_what_is_no_duration_is_refused(duration: Any, shown: str, rule: str) -> None:
    assert refusal(deadline=duration) == ("deadline", shown, rule)


def test_errors_name_the_path_as_it_is_in_a_document() -> None:
    assert refusal(retry={"max_attempts": 0}) == ("retry.max_attempts", "0", "must be 1 to 1000")
    assert refusal(retry=Retry(jitter="decorrelated"), breaker={"probes": 2})[0] == "breaker.probes"
    assert refusal(breaker={"window": {"calls": 10}, "minimum_calls": 11})[0] == "breaker.minimum_calls"
    assert refusal(retry={"backoff": {"schedule": {"delays": ["1s", -1]}}})[0] == (
        "retry.backoff.schedule.delays[1]"
    )
    assert refusal(retry={"budget": {"burst": 0}}) == ("retry.budget.burst", "0", "must be 1 to 1000")
    assert refusal(retry=3) == ("retry", "3", "must be a table, `true` or `false`")
    assert refusal(retries=3)[2] == "is not a field here, did you mean `retry`?"
    assert refusal(retry={1: 2})[0] == "retry.1"


def test_a_part_on_its_own_is_refused_where_it_is_made() -> None:
    part: Any
    for part, path in (
        (lambda: Retry(max_attempts=1001), "max_attempts"),
        (lambda: Retry(backoff=exponential("2s", max="1s")), "backoff.exponential.initial"),
        (lambda: Retry(backoff=constant("1s"), jitter="decorrelated"), "jitter"),
        (lambda: Breaker(failure_rate=1.5), "failure_rate"),
        (lambda: Breaker(probes=65), "probes"),
        (lambda: Budget(min_per_second=0.0001), "min_per_second"),
    ):
        with pytest.raises(InvalidPolicy) as caught:
            part()
        assert caught.value.path == path


def test_a_name_that_is_no_text_is_refused_by_name() -> None:
    make: Any
    for make in (Guard, Breaker):
        with pytest.raises(TypeError, match=r"^`name` must be a str, not `3`$"):
            make(3)
    with pytest.raises(TypeError, match=r"^`name` must be a str, not `b'pay'`$"):
        Guard(b"pay")  # type: ignore[arg-type]


def test_none_is_as_if_it_were_not_given() -> None:
    options: Any = {"deadline": None, "retry": None, "breaker": {"window": None, "failure_rate": None}}
    assert Guard("g", **options).budget is not None


def test_a_value_whose_text_cannot_be_had_raises_its_own_error() -> None:
    class Mute:
        def __repr__(self) -> str:
            raise RuntimeError("mute")

    wrong: Any = Mute()
    with pytest.raises(RuntimeError, match="mute"):
        Guard("g", deadline=wrong)


def test_values_that_hold_themselves_are_refused() -> None:
    circle: Any = {}
    circle["budget"] = circle
    with pytest.raises(InvalidPolicy, match=r"retry\.budget\.budget"):
        Guard("g", retry=circle)
    circle = []
    circle.append(circle)
    with pytest.raises(InvalidPolicy, match="deadline"):
        Guard("g", deadline=circle)
