"""What a program hears of decisions: the scenarios that every language replays, and who hears them when."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import re
import threading
import weakref
from contextlib import suppress
from dataclasses import fields as fields_of
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import overcurrent
import pytest
from conftest import Flaky, ways
from overcurrent import (
    Breaker,
    BreakerOpen,
    Failure,
    Guard,
    ManualClock,
    Permit,
    Registry,
    Retry,
    constant,
    events,
    subscribe,
)
from overcurrent.testing import capture_events

SCENARIOS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "scenarios" / "events.json").read_text()
)
UNITS = {"ms": Fraction(1, 1000), "s": Fraction(1)}


class Wrong(Exception):
    """What an attempt comes to that has not succeeded."""


def classify(result: object) -> Any:
    if not isinstance(result, Wrong):
        return None
    word, hint = result.args
    return "ignored" if word == "ignored" else Failure(retryable=word == "failure", hint=hint)


class Script:
    """Makes the attempts of a call: each takes its time and comes to what the script says."""

    def __init__(self, attempts: list[dict[str, str]], clock: ManualClock) -> None:
        self.attempts = iter(attempts)
        self.clock = clock

    def __call__(self) -> None:
        attempt = next(self.attempts)
        self.clock.advance(attempt.get("took", "0ms"))
        if attempt["is"] != "success":
            raise Wrong(attempt["is"], attempt.get("hint"))


def value(written: object) -> object:
    """Return a field as Python has it: durations are seconds."""
    if isinstance(written, str) and (match := re.fullmatch(r"(\d+)(ms|s)", written)):
        return float(Fraction(match[1]) * UNITS[match[2]])
    return written


def expected(step: dict[str, Any]) -> list[tuple[str, dict[str, object]]]:
    told = [dict(event) for event in step["events"]]
    return [(event.pop("event"), {name: value(field) for name, field in event.items()}) for event in told]


def came(heard: list[overcurrent.Event]) -> list[tuple[str, dict[str, object]]]:
    return [(event.name, dict(event.fields)) for event in heard]


def logged(step: dict[str, Any]) -> list[tuple[str, dict[str, object]]]:
    """What a step must log: the level and the fields that are there."""
    lines = zip(step.get("levels", []), expected(step), strict=True)
    return [
        (level, {"event": name, **{field: value for field, value in fields.items() if value is not None}})
        for level, (name, fields) in lines
        if level is not None
    ]


def records(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    """What has been logged since this was asked before."""
    names = {"event"} | {field.name for kind in get_args(events.Event) for field in fields_of(kind)}
    found = [
        (record.levelname.lower(), {name: value for name, value in vars(record).items() if name in names})
        for record in caplog.records
    ]
    caplog.clear()
    return [
        (level, {name: value for name, value in fields.items() if value is not None})
        for level, fields in found
    ]


def command(step: dict[str, Any], guard: Guard, clock: ManualClock, permits: dict[str, Permit]) -> None:
    breaker = guard.breaker
    if step["do"] == "call":
        script = Script(step.get("attempts", []), clock)
        with suppress(Wrong, BreakerOpen, TimeoutError):
            guard.call(script)
        assert next(script.attempts, None) is None, "an attempt was not made"
        return
    assert breaker is not None
    match step["do"]:
        case "acquire":
            with suppress(BreakerOpen):
                permits[step.get("permit", "")] = breaker.acquire()
        case "trip":
            breaker.trip(step.get("for"))
        case "restore":
            breaker.restore(step["snapshot"])
        case "reset" | "force_open" | "force_closed" | "automatic" as word:
            getattr(breaker, word)()
        case outcome:
            getattr(permits.pop(step["permit"]), outcome)()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario["name"] for scenario in SCENARIOS])
def test_a_scenario_tells_logs_and_counts_exactly_this(
    scenario: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="overcurrent")
    clock = ManualClock()
    if "retry" in scenario:
        retry = Retry(clock=clock, seed=scenario["seed"], **scenario["retry"])
        calls = retry.start()
        with capture_events() as heard:
            for step in scenario["steps"]:
                clock.set(step["at"])
                if step["do"] == "start":
                    calls = retry.start()
                else:
                    calls.failed(retryable=step["do"] == "failure")
                assert came(heard) == expected(step)
                assert records(caplog) == logged(step)
                heard.clear()
        return
    guard = Guard(
        "payments",
        classify=classify,
        clock=clock,
        seed=scenario["seed"],
        durations=scenario.get("durations", False),
        **scenario["guard"],
    )
    permits: dict[str, Permit] = {}
    with capture_events(guard=guard) as heard:
        for step in scenario["steps"]:
            clock.set(step["at"])
            command(step, guard, clock, permits)
            assert came(heard) == expected(step), f"{step['do']} at {step['at']}"
            assert records(caplog) == logged(step), f"{step['do']} at {step['at']}"
            for event, written in zip(heard, step["events"], strict=True):
                assert [field.name for field in fields_of(event)] == list(written)[1:]
            heard.clear()
    lines = str(guard.metrics()).splitlines()
    assert [line for line in lines if not line.startswith("#") and not line.endswith(" 0")] == scenario[
        "metrics"
    ]
    assert guard.explain().splitlines() == scenario["explain"]
    permits.clear()
    Breaker("the next").trip()  # what was let go of is logged with the next decision


def two(clock: ManualClock, **policy: Any) -> Guard:
    """A guard that opens after one failure, and retries once after a second."""
    retry: Any = {"max_attempts": 2, "backoff": constant("1s"), "jitter": "none", "budget": False}
    return Guard("payments", clock=clock, retry=retry, breaker={"consecutive_failures": 9}, **policy)


def fail() -> None:
    raise Wrong("failure", None)


@pytest.mark.parametrize("way", tuple(ways(Flaky(0), lambda fn: fn)))
def test_every_way_to_call_tells_the_same(clock: ManualClock, way: str) -> None:
    guard = two(clock)
    flaky = Flaky(5)
    call = ways(flaky, guard)[way]
    with capture_events(guard=guard) as heard, pytest.raises(ConnectionError):
        call()
    assert [event.name for event in heard] == ["retry", "give_up"]


def test_a_block_tells_the_same(clock: ManualClock) -> None:
    guard = two(clock)
    with capture_events(guard=guard) as heard, pytest.raises(Wrong):
        for attempt in guard:
            with attempt:
                fail()
    assert [event.name for event in heard] == ["retry", "give_up"]


def test_a_healthy_call_tells_nothing(clock: ManualClock) -> None:
    guard = two(clock)
    with capture_events() as heard:
        assert guard.call(int) == 0
    assert heard == []


def test_a_callback_runs_before_the_wait_and_in_the_thread_of_the_call(clock: ManualClock) -> None:
    guard = two(clock)
    heard: list[object] = []

    def hear(event: overcurrent.Event) -> None:
        heard.append((event.name, clock.now_ns, threading.current_thread()))

    with guard.subscribe(hear), pytest.raises(Wrong):
        guard.call(fail)
    here = threading.current_thread()
    assert heard == [("retry", 0, here), ("give_up", 1_000_000_000, here)]


def test_a_cut_and_a_cancellation_are_heard_at_once(clock: ManualClock) -> None:
    async def main() -> None:
        guard = Guard(
            "slow", clock=clock, attempt_timeout="1s", retry=False, breaker={"consecutive_failures": 1}
        )

        async def hang() -> None:
            await asyncio.get_running_loop().create_future()

        with capture_events(guard=guard) as heard:
            call = asyncio.create_task(guard.acall(hang))
            await asyncio.sleep(0)
            clock.advance("1s")
            with pytest.raises(overcurrent.AttemptTimeout):
                await call
            assert [event.name for event in heard] == ["timeout", "state_change", "give_up"]
            assert guard.breaker is not None
            guard.breaker.reset()
            permit = guard.breaker.acquire()
            guard.breaker.reset()
            heard.clear()
            permit.cancelled()
            assert heard == [events.LateResult("slow", None, None, "cancelled")]

    asyncio.run(main())


def test_each_hears_of_those_it_asked_for(clock: ManualClock) -> None:
    one, other, alone = two(clock), two(clock), Breaker("payments", clock=clock)
    assert one.breaker is not None
    with (
        capture_events(guard=one) as of_one,
        capture_events(breaker=one.breaker) as of_its_breaker,
        capture_events(breaker=alone) as of_alone,
        capture_events() as of_all,
    ):
        for guard in (one, other):
            with pytest.raises(Wrong):
                guard.call(fail)
            assert guard.breaker is not None
            guard.breaker.reset()
        alone.reset()
    assert [event.name for event in of_one] == ["retry", "give_up", "state_change"]
    assert [event.name for event in of_its_breaker] == ["state_change"]
    assert [event.name for event in of_alone] == ["state_change"]
    assert len(of_all) == 7


def test_what_is_closed_hears_no_more_and_lets_go_of_its_callback(clock: ManualClock) -> None:
    class Hearing:
        def __init__(self) -> None:
            self.heard: list[str] = []

        def __call__(self, event: overcurrent.Event) -> None:
            self.heard.append(event.name)

    breaker, hearing = Breaker(clock=clock), Hearing()
    gone = weakref.ref(hearing)
    subscription = breaker.subscribe(hearing)
    breaker.reset()
    subscription.close()
    subscription.close()
    breaker.reset()
    assert (hearing.heard, subscription.dropped) == (["state_change"], 0)
    del hearing, subscription
    gc.collect()
    assert gone() is None


def test_letting_go_of_a_subscription_does_not_end_it(clock: ManualClock) -> None:
    breaker, heard = Breaker(clock=clock), list[overcurrent.Event]()
    keep = [breaker.subscribe(heard.append)]
    again = keep[0]
    del keep
    gc.collect()
    breaker.reset()
    again.close()
    assert len(heard) == 1


def test_a_callback_that_raises_is_logged_and_changes_nothing(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    guard = two(clock)

    def hear(event: overcurrent.Event) -> None:
        raise RuntimeError(event.name)

    with guard.subscribe(hear), capture_events(guard=guard) as heard, pytest.raises(Wrong) as raised:
        guard.call(fail)
    assert [event.name for event in heard] == ["retry", "give_up"]
    assert raised.value.__context__ is None
    failed = [record for record in caplog.records if record.exc_info]
    assert [str(record.exc_info[1]) for record in failed if record.exc_info] == ["retry", "give_up"]
    assert all("subscriber" in record.getMessage() for record in failed)


def test_a_callback_may_interrupt_the_program(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, consecutive_failures=1, cooldown="1s", cooldown_jitter=0.0)

    def hear(event: overcurrent.Event) -> None:
        raise KeyboardInterrupt

    breaker.trip("1s")
    clock.advance("1s")
    with breaker.subscribe(hear), pytest.raises(KeyboardInterrupt):
        breaker.call(pytest.fail, "the function must not run")
    assert breaker.state == "half_open"
    assert breaker.call(int) == 0, "the probe was given back"
    assert breaker.state == "closed"


def test_what_a_callback_decides_itself_is_heard_after_it(clock: ManualClock) -> None:
    guard = Guard("payments", clock=clock, retry=False, breaker={"consecutive_failures": 9})
    assert guard.breaker is not None
    heard: list[str] = []
    deep: list[int] = []

    def hear(event: overcurrent.Event) -> None:
        assert guard.breaker is not None
        deep.append(len(deep))
        heard.append(event.name)
        if event.name == "give_up":
            guard.breaker.trip("1s")
            with pytest.raises(BreakerOpen):
                guard.call(int)
            assert heard == ["give_up"], "not while it runs"

    with guard.subscribe(hear), pytest.raises(Wrong):
        guard.call(fail)
    assert heard == ["give_up", "state_change", "reject"]


def test_another_threads_events_wait_for_the_end_of_a_callback(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    began, go_on = threading.Event(), threading.Event()
    heard: list[tuple[int, threading.Thread]] = []

    def hear(event: overcurrent.Event) -> None:
        assert isinstance(event, events.StateChange)
        heard.append((event.epoch, threading.current_thread()))
        if event.epoch == 2:
            began.set()
            assert go_on.wait(60)

    with breaker.subscribe(hear):
        thread = threading.Thread(target=breaker.reset)
        thread.start()
        assert began.wait(60)
        breaker.reset()
        assert [epoch for epoch, _ in heard] == [2], "this one is not kept waiting, either"
        go_on.set()
        thread.join()
    assert heard == [(2, thread), (3, thread)]


def test_too_many_that_wait_are_forgotten_and_counted(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    heard: list[int] = []

    def hear(event: overcurrent.Event) -> None:
        assert isinstance(event, events.StateChange)
        if not heard:
            heard.append(event.epoch)
            for _ in range(1030):
                breaker.reset()
        else:
            heard.append(event.epoch)

    with breaker.subscribe(hear) as subscription:
        breaker.reset()
        assert subscription.dropped == 6
    assert subscription.dropped == 6
    assert heard == [2, *range(9, 1033)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_that_was_forked_while_a_callback_ran_hears(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    status: list[int] = []

    def hear(event: overcurrent.Event) -> None:
        assert isinstance(event, events.StateChange)
        if event.epoch == 2:
            began.set()
            assert go_on.wait(60)

    began, go_on = threading.Event(), threading.Event()
    with breaker.subscribe(hear):
        thread = threading.Thread(target=breaker.reset)
        thread.start()
        assert began.wait(60)
        child = os.fork()
        if child == 0:
            with capture_events(breaker=breaker) as heard:
                breaker.reset()
            os._exit(0 if [event.name for event in heard] == ["state_change"] else 1)
        status.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        go_on.set()
        thread.join()
    assert status == [0]


def test_a_registry_tells_what_it_forgets() -> None:
    hosts = Registry("hosts", capacity=1)
    with capture_events() as heard:
        assert [hosts[key].name for key in ("one", "two")] == ["hosts/one", "hosts/two"]
        assert [event for event in heard if event.name == "eviction"] == [events.Eviction("hosts/one")]


def test_who_cannot_hear_is_refused(clock: ManualClock) -> None:
    guard = two(clock)
    assert guard.breaker is not None
    with pytest.raises(TypeError, match="`callback` must be callable, not `3`"):
        subscribe(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="exclude each other"):
        subscribe(print, guard=guard, breaker=guard.breaker)


def test_an_event_shows_compares_and_cannot_be_changed(clock: ManualClock) -> None:
    guard = two(clock)
    with capture_events(guard=guard) as heard, pytest.raises(Wrong):
        guard.call(fail)
    retry = heard[0]
    assert retry == events.Retry("payments", 1, 1.0, "backoff")
    expected = "Retry(guard='payments', attempt=1, wait=1.0, origin='backoff', "
    assert repr(retry) == expected + "trace_id=None, span_id=None, correlation_id=None)"
    assert len({retry, events.Retry("payments", 1, 1.0, "backoff")}) == 1
    with pytest.raises(AttributeError):
        retry.attempt = 2  # type: ignore[misc]
    assert overcurrent.events is events
    assert set(events.CLASSES.values()) == set(get_args(overcurrent.Event))
