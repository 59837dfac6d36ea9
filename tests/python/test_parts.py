"""The parts of a guard: its breaker, its budget and its policy."""

from __future__ import annotations

import gc
import threading
import weakref
from pathlib import Path

import pytest
from conftest import TWO, Flaky, counted
from overcurrent import (
    Breaker,
    BreakerOpen,
    Budget,
    Guard,
    InvalidPolicy,
    ManualClock,
    Retry,
)


def test_parts_are_switched_off_by_false() -> None:
    guard = Guard("g", breaker=False, retry=False)
    assert guard.breaker is None
    assert guard.budget is None
    assert Guard("g", retry={"budget": False}).budget is None
    assert Guard("g").budget is not None


def test_a_breaker_without_name_clock_and_seed_takes_those_of_its_guard(clock: ManualClock) -> None:
    breaker = Breaker(consecutive_failures=1)
    guard = Guard("pay", breaker=breaker, clock=clock, seed=3, retry=False)
    assert guard.breaker is breaker
    assert breaker.name == "pay"
    with pytest.raises(ConnectionError):
        guard.call(Flaky(1))
    opened = breaker.retry_after
    assert opened is not None
    clock.advance("1s")
    assert breaker.retry_after == pytest.approx(opened - 1)
    again = Guard(
        "pay", breaker=Breaker(consecutive_failures=1), clock=(clock := ManualClock()), seed=3, retry=False
    )
    with pytest.raises(ConnectionError):
        again.call(Flaky(1))
    assert again.breaker is not None
    assert again.breaker.retry_after == opened


def test_a_breaker_is_shared_by_guards(clock: ManualClock) -> None:
    breaker = Breaker("db", consecutive_failures=1, clock=clock)
    reads, writes = Guard("reads", breaker=breaker, retry=False), Guard("writes", breaker=breaker)
    with pytest.raises(ConnectionError):
        reads.call(Flaky(1))
    with pytest.raises(BreakerOpen, match="`db`"):
        writes.call(Flaky(0))


def test_a_budget_is_shared_by_guards_and_retries(clock: ManualClock) -> None:
    budget = Budget(ratio=0, min_per_second=0, burst=2)
    one = Guard("one", clock=clock, retry=Retry(backoff="none", budget=budget))
    two = Guard("two", clock=clock, retry={"backoff": "none", "budget": budget})
    three = Retry(backoff="none", budget=budget)
    assert one.budget is two.budget is three.budget is budget
    assert one.call(Flaky(1)) == 2
    assert two.call(Flaky(1)) == 2
    for subject in (one, three):
        with pytest.raises(ConnectionError) as caught:
            subject.call(Flaky(1))
        assert caught.value.__notes__[0].endswith("budget_exhausted")


def test_parts_on_another_clock_are_refused(clock: ManualClock) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Guard("g", breaker=Breaker(clock=clock), clock=ManualClock())
    assert (caught.value.path, caught.value.rule) == ("breaker", "must be the clock of the guard")
    with pytest.raises(InvalidPolicy, match=r"retry\.budget"):
        Guard("g", retry=Retry(budget=Budget(clock=clock)), clock=ManualClock())


def test_a_shared_breaker_must_outlast_the_attempts() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Guard("g", breaker=Breaker(probe_timeout="1s"), attempt_timeout="2s")
    assert (caught.value.path, caught.value.value) == ("breaker.probe_timeout", "1s")


def test_the_breaker_of_a_guard_means_by_a_result_what_the_guard_does(clock: ManualClock) -> None:
    guard = Guard("g", clock=clock, breaker=TWO, on=OSError)
    assert guard.breaker is guard.breaker is not None
    with pytest.raises(ValueError, match="mine"), guard.breaker:
        raise ValueError("mine")
    assert counted(guard) == 0


def test_a_policy_is_read_from_a_file(tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "overcurrent.toml"
    file.write_text('[policy.pay]\nretry = { max_attempts = 5, backoff = "none" }\n')
    guard = Guard.from_file(file, "pay", clock=clock)
    assert guard.name == "pay"
    assert guard.call(Flaky(4)) == 5
    text = '{"policy": {"pay": {"retry": false}}}'
    with pytest.raises(ConnectionError):
        Guard.from_text(text, "pay", format="json", clock=clock).call(Flaky(1))
    with pytest.raises(FileNotFoundError) as caught:
        Guard.from_file(tmp_path / "none.toml", "pay")
    assert caught.value.filename == str(tmp_path / "none.toml")
    with pytest.raises(InvalidPolicy, match="did you mean `pay`"):
        Guard.from_file(str(file), "pai")


def test_guards_of_one_name_are_independent(clock: ManualClock) -> None:
    one, two = Guard("g", clock=clock), Guard("g", clock=clock)
    assert one.breaker is not None
    one.breaker.force_open()
    assert two.call(Flaky(0)) == 1


def test_a_guard_can_be_referred_to_weakly_and_is_collected() -> None:
    class Client:
        def __init__(self) -> None:
            self.guard = Guard("g", classify=self.classify)

        def classify(self, result: object) -> None: ...

    client = Client()
    ref = weakref.ref(client.guard)
    del client
    gc.collect()
    assert ref() is None


def test_threads_share_a_guard() -> None:
    guard = Guard(
        "g", retry={"backoff": "none", "max_attempts": 2, "budget": False}, breaker={"failure_rate": 1}
    )
    results: list[int] = []

    def work() -> None:
        results.extend(guard.call(Flaky(index % 2)) for index in range(500))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2000
    assert sum(results) == 3000
