"""What is logged, at which level, and what is not."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest
from overcurrent import Breaker, BreakerOpen, Guard, ManualClock, constant

RETRY: Any = {"max_attempts": 2, "backoff": constant("1s"), "jitter": "none", "budget": False}


def refuse(secret: str) -> None:
    raise ConnectionError(secret)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG, logger="overcurrent")
    return caplog


def test_each_decision_has_a_record_with_its_fields(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    guard = Guard(
        "payments",
        clock=clock,
        retry=RETRY,
        breaker={"consecutive_failures": 2, "cooldown": "5s", "cooldown_jitter": 0.0},
    )
    with pytest.raises(ConnectionError):
        guard.call(refuse, "secret")
    lines = [(record.levelname, record.getMessage()) for record in log.records]
    assert lines == [
        ("INFO", "overcurrent.retry guard=payments attempt=1 wait=1 origin=backoff"),
        (
            "WARNING",
            "overcurrent.state_change breaker=payments guard=payments attempt=2 old=closed new=open "
            "reason=consecutive_failures epoch=2 consecutive=2 lasted=1 open_for=5 rejected=0",
        ),
        ("INFO", "overcurrent.give_up guard=payments attempt=2 elapsed=1 reason=attempts_exhausted"),
    ]
    retry = vars(log.records[0])
    assert {name: retry[name] for name in ("event", "guard", "attempt", "wait", "origin")} == {
        "event": "retry",
        "guard": "payments",
        "attempt": 1,
        "wait": 1.0,
        "origin": "backoff",
    }
    assert {record.name for record in log.records} == {"overcurrent"}
    assert "secret" not in json.dumps([vars(record) for record in log.records], default=repr)


def test_of_many_rejections_the_first_is_logged_and_the_others_are_counted(
    clock: ManualClock, log: pytest.LogCaptureFixture
) -> None:
    breaker = Breaker("payments", clock=clock)
    breaker.trip("1s")
    for _ in range(50):
        with pytest.raises(BreakerOpen):
            breaker.call(int)
    breaker.reset()
    events = [(vars(record)["event"], record.levelname) for record in log.records]
    assert events == [("state_change", "WARNING"), ("reject", "INFO"), ("state_change", "INFO")]
    assert vars(log.records[2])["rejected"] == 50


def test_what_comes_late_is_for_debugging(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    breaker = Breaker("payments", clock=clock)
    permit = breaker.acquire()
    breaker.reset()
    permit.success()
    assert [record.levelname for record in log.records] == ["INFO", "DEBUG"]


def test_what_is_not_enabled_is_not_logged(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, logger="overcurrent")
    Breaker("payments", clock=clock).trip("1s")
    caplog.set_level(logging.WARNING, logger="overcurrent")
    breaker = Breaker("payments", clock=clock)
    breaker.reset()
    breaker.trip("1s")
    assert [vars(record)["new"] for record in caplog.records] == ["open"]


def test_a_handler_that_fails_changes_nothing(clock: ManualClock, log: pytest.LogCaptureFixture) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise RuntimeError(record.getMessage())

    broken = Broken()
    logging.getLogger("overcurrent").addHandler(broken)
    try:
        breaker = Breaker("payments", clock=clock)
        breaker.trip("1s")
        assert breaker.state == "open"
    finally:
        logging.getLogger("overcurrent").removeHandler(broken)


def run(program: str) -> str:
    """Run a program in an interpreter of its own; what it writes, also to its standard error."""
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return process.stdout + process.stderr


def test_who_has_not_asked_for_a_log_gets_warnings_and_no_module_loaded_for_less() -> None:
    told = run(
        "import sys, overcurrent\n"
        "before = {'logging', 'dataclasses', 'asyncio'} & set(sys.modules)\n"
        "breaker = overcurrent.Breaker('payments')\n"
        "breaker.reset()\n"
        "print(before, 'logging' in sys.modules)\n"
        "breaker.trip('1s')\n"
    )
    first, second = told.splitlines()
    assert first == "set() False"
    assert second.startswith("overcurrent.state_change breaker=payments old=closed new=open reason=manual")
