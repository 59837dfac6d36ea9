"""The errors: their codes, their words, and that they travel."""

from __future__ import annotations

import copy
import math
import pickle

import pytest
from overcurrent import AttemptTimeout, BreakerOpen, DeadlineExceeded, InvalidPolicy, OvercurrentError

ERRORS = [
    (
        InvalidPolicy("retry.max_attempts", "0", "must be 1 to 1000"),
        "INVALID_POLICY",
        "invalid policy at `retry.max_attempts`: `0` must be 1 to 1000",
        {"path": "retry.max_attempts", "value": "0", "rule": "must be 1 to 1000"},
    ),
    (
        BreakerOpen("pay", "open", 1.5),
        "BREAKER_OPEN",
        "breaker `pay` is open, retry after 1.5 s",
        {"breaker": "pay", "reason": "open", "retry_after": 1.5},
    ),
    (
        BreakerOpen("pay", "half_open"),
        "BREAKER_OPEN",
        "breaker `pay` is half_open",
        {"breaker": "pay", "reason": "half_open", "retry_after": None},
    ),
    (
        AttemptTimeout("pay", 2, 0.25),
        "ATTEMPT_TIMEOUT",
        "attempt 2 of `pay` timed out after 250 ms",
        {"guard": "pay", "attempt": 2, "timeout": 0.25},
    ),
    (
        DeadlineExceeded("pay", 3, 10.0),
        "DEADLINE_EXCEEDED",
        "call of `pay` exceeded its deadline of 10 s in attempt 3",
        {"guard": "pay", "attempts": 3, "deadline": 10.0},
    ),
]
every_error = pytest.mark.parametrize(("error", "code", "text", "fields"), ERRORS)


@every_error
def test_each_has_a_code_a_message_and_its_fields(
    error: OvercurrentError, code: str, text: str, fields: dict[str, object]
) -> None:
    assert (error.code, str(error)) == (code, text)
    assert {name: getattr(error, name) for name in fields} == fields


@every_error
def test_each_travels_whole(error: OvercurrentError, code: str, text: str, fields: dict[str, object]) -> None:
    error.add_note("a note")
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        there = pickle.loads(pickle.dumps(error, protocol))
        assert type(there) is type(error)
        assert (there.code, str(there), there.__notes__) == (code, text, error.__notes__)
        assert {name: getattr(there, name) for name in fields} == fields
    assert str(copy.copy(error)) == text


def test_they_are_what_python_calls_such_errors() -> None:
    assert issubclass(InvalidPolicy, ValueError)
    assert issubclass(AttemptTimeout, TimeoutError)
    assert issubclass(DeadlineExceeded, TimeoutError)
    for error, *_ in ERRORS:
        assert isinstance(error, OvercurrentError)


def test_a_rejection_that_could_not_be_told_is_not_made() -> None:
    with pytest.raises(ValueError, match="`ajar` is no reason"):
        BreakerOpen("pay", "ajar")  # type: ignore[arg-type]
    for retry_after in (-1.0, math.inf, math.nan):
        with pytest.raises(InvalidPolicy, match="`retry_after`"):
            BreakerOpen("pay", "open", retry_after)
