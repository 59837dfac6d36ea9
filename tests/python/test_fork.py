"""Forks: a child starts with a sound state of its own, whatever the threads of its parent were doing."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from conftest import TWO, counts
from overcurrent import (
    Breaker,
    BreakerOpen,
    Event,
    Guard,
    ManualClock,
    Registry,
    Retry,
    Wait,
    constant,
    current_attempt,
)

if sys.platform == "win32":
    pytest.skip("there are no forks", allow_module_level=True)

# Python warns of what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

PATIENCE = 20
"""After so many seconds a child hangs, or a thread."""


def in_child(fn: Callable[[], Any]) -> Any:
    """Return what a function returns in the child of a fork."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        told = False, ""
        try:
            told = True, fn()
        except BaseException:  # noqa: BLE001 - told to the parent
            told = False, traceback.format_exc()
        finally:
            os.write(writer, pickle.dumps(told))
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        hangs = not select.select([file], [], [], PATIENCE)[0]
        if hangs:
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert not hangs, "the child hangs"
        well, value = pickle.loads(file.read())
    assert well, value
    return value


def started(target: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread


@contextmanager
def under_way(call: Callable[[Callable[[], None]], Any]) -> Iterator[None]:
    """A block during which a call is under way in another thread."""
    running, release = threading.Event(), threading.Event()

    def wait() -> None:
        running.set()
        assert release.wait(PATIENCE)

    thread = started(lambda: call(wait))
    assert running.wait(PATIENCE)
    try:
        yield
    finally:
        release.set()
        thread.join(PATIENCE)


def test_a_child_goes_on_with_a_copy(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock, **TWO)
    breaker.acquire().failure()

    def fail() -> str:
        breaker.acquire().failure()
        return breaker.state

    assert in_child(fail) == "open"
    assert breaker.state == "closed"
    assert in_child(fail) == "open"
    assert fail() == "open"


def draws(retry: Retry) -> list[int]:
    call = retry.start()
    decisions = [call.failed() for _ in range(4)]
    return [decision.delay_ns for decision in decisions if isinstance(decision, Wait)]


def test_a_child_draws_other_waits_than_its_parent_and_its_siblings() -> None:
    guard = Guard("g", retry={"max_attempts": 5, "backoff": constant("1h")}, breaker=False, deadline=False)
    breaker = Breaker(cooldown="1h", cooldown_max="24h", cooldown_jitter=1, consecutive_failures=1)

    def retry(seed: int | None = None) -> Retry:
        made = Retry(max_attempts=9, backoff=constant("1h"), jitter="full", seed=seed)
        draws(made)
        return made

    def cooldown() -> float | None:
        breaker.acquire().failure()
        return breaker.retry_after

    mine, seeded = retry(), retry(7)
    drawn = [in_child(lambda: draws(mine)), in_child(lambda: draws(mine)), draws(mine)]
    assert len({wait for waits in drawn for wait in waits}) == 12
    assert in_child(lambda: draws(seeded)) == draws(seeded)
    # Rounded, as some time passes between two readings.
    cooldowns = [round(in_child(cooldown) or 0), round(in_child(cooldown) or 0), round(cooldown() or 0)]
    assert len(set(cooldowns)) == 3
    keys = [in_child(lambda: guard.call(key)), in_child(lambda: guard.call(key)), guard.call(key)]
    assert len(set(keys)) == 3


def key() -> str:
    return current_attempt().idempotency_key


def probing(kind: str, clock: ManualClock) -> tuple[Breaker, Any]:
    """A breaker that will admit one probe, and what to call through."""
    policy: Any = {"consecutive_failures": 1, "cooldown": "1s", "probe_timeout": "1h"}
    subject: Any
    if kind == "breaker":
        subject = breaker = Breaker(clock=clock, **policy)
    elif kind == "given":
        breaker = Breaker(clock=clock, **policy)
        subject = Guard("g", breaker=breaker, clock=clock, retry=False)
    elif kind == "own":
        subject = Guard("g", breaker=policy, clock=clock, retry=False)
        breaker = subject.breaker
    else:
        # The registry itself is let go of.
        subject = Registry("r", breaker=policy, clock=clock, retry=False)["key"]
        breaker = subject.breaker
    breaker.trip("1s")
    clock.advance("1s")
    return breaker, subject


each_kind = pytest.mark.parametrize("kind", ["breaker", "given", "own", "registry"])


@each_kind
def test_a_probe_under_way_in_the_parent_is_not_waited_for(kind: str, clock: ManualClock) -> None:
    breaker, subject = probing(kind, clock)

    def child() -> list[str]:
        states = [breaker.state]
        states.append(subject.call(lambda: breaker.state))
        return [*states, breaker.state]

    with under_way(subject.call):
        assert breaker.state == "half_open"
        assert in_child(child) == ["open", "half_open", "closed"]
        with pytest.raises(BreakerOpen, match="half_open"):
            subject.call(int)
    assert breaker.state == "closed"


@each_kind
def test_a_child_that_was_forked_inside_a_probe_settles_nothing(kind: str, clock: ManualClock) -> None:
    breaker, subject = probing(kind, clock)
    found: list[Any] = []

    def forking() -> None:
        found.append(in_child(inside))

    def inside() -> Any:
        # What the call comes to there is told by a thread, as this one never returns from it.
        breaker.acquire().failure()
        return breaker.state, breaker.reason, breaker.late

    subject.call(forking)
    assert found == [("open", "probe_failed", 0)]
    assert breaker.state == "closed"

    breaker, subject = probing(kind, clock)
    pid = subject.call(os.fork)
    if pid == 0:
        # Its success is late: it came of a probe of the parent's.
        os._exit(0 if (breaker.state, breaker.late) == ("open", 1) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert (breaker.state, breaker.late) == ("closed", 0)


def test_other_states_stay(clock: ManualClock) -> None:
    def state(breaker: Breaker) -> tuple[str, float | None, str | None]:
        return breaker.state, breaker.retry_after, breaker.reason

    for change in (Breaker.reset, lambda b: b.trip("5s"), Breaker.force_open, Breaker.force_closed):
        breaker = Breaker(clock=clock)
        change(breaker)
        before = state(breaker)
        assert in_child(lambda: state(breaker)) == before  # noqa: B023 - called at once


def test_what_was_told_in_the_parent_is_not_told_again_in_the_child(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    heard: list[str] = []
    busy, release = threading.Event(), threading.Event()

    def hear(event: Event) -> None:
        heard.append(str(event.fields["new"]))
        if threading.current_thread() is not threading.main_thread():
            busy.set()
            assert release.wait(PATIENCE)

    def child() -> list[str]:
        before = list(heard)
        breaker.reset()
        assert before == ["open"]
        return heard

    with breaker.subscribe(hear):
        thread = started(breaker.trip)
        assert busy.wait(PATIENCE)
        breaker.force_open()  # waits, as the other thread is delivering
        assert heard == ["open"]
        assert in_child(child) == ["open", "closed"]
        release.set()
        thread.join(PATIENCE)
    assert heard == ["open", "forced_open"]


def test_a_child_counts_from_zero_and_its_parent_goes_on() -> None:
    guard = Guard("g", retry=False, durations=True, breaker={"consecutive_failures": 1})
    registry = Registry("hosts", capacity=1, retry=False)
    for key in ("one", "other"):
        registry[key].call(int)
    guard.call(int)
    with pytest.raises(ConnectionError):
        guard.call(fail)
    with pytest.raises(BreakerOpen):
        guard.call(int)
    before = counts(guard.metrics()), counts(registry.metrics())

    def look() -> Any:
        found = [counts(guard.metrics()), counts(registry.metrics())]
        assert guard.breaker is not None
        guard.breaker.reset()
        guard.call(int)
        registry["third"].call(int)
        return *found, counts(guard.metrics()), counts(registry.metrics())

    state = {'breaker_state{breaker="g",state="open"}': 1.0}
    own = {
        'breaker_state{breaker="g",state="closed"}': 1.0,
        'breaker_transitions_total{breaker="g",from="open",to="closed",reason="reset"}': 1.0,
        'calls_total{guard="g",outcome="success"}': 1.0,
        'attempts_total{guard="g",outcome="success"}': 1.0,
    }
    told, hosts, then, hosts_then = in_child(look)
    assert told == state
    assert hosts == {'breaker_state{breaker="hosts/other",state="closed"}': 1.0}
    assert own.items() <= then.items()
    assert then['call_duration_seconds_count{guard="g"}'] == 1
    assert hosts_then['evictions_total{registry="hosts"}'] == 1
    assert hosts_then['calls_total{guard="hosts/third",outcome="success"}'] == 1
    assert (counts(guard.metrics()), counts(registry.metrics())) == before


def test_calls_of_other_threads_are_not_in_flight_in_a_child() -> None:
    guard = Guard("g", breaker=False, retry=False)
    with under_way(guard.call):
        assert in_child(lambda: counts(guard.metrics())) == {}
        assert counts(guard.metrics()) == {'in_flight{guard="g"}': 1}
    assert counts(guard.metrics()) == {
        'calls_total{guard="g",outcome="success"}': 1,
        'attempts_total{guard="g",outcome="success"}': 1,
    }


def blocks(guard: Guard, fn: Callable[[], None]) -> None:
    for attempt in guard:
        with attempt:
            fn()


def looking(guard: Guard, fn: Callable[[], None]) -> None:
    def look() -> None:
        assert current_attempt().number == 1
        fn()
        assert current_attempt().number == 1

    guard.call(look)


def failing(guard: Guard, fn: Callable[[], None]) -> None:
    """Fails after the fork, so that what follows the first attempt is the child's alone."""
    tries = []

    def once() -> None:
        tries.append(1)
        if len(tries) == 1:
            fn()
            raise ConnectionError

    guard.call(once)


GOING_ON: dict[str, Callable[[Guard, Callable[[], None]], object]] = {
    "call": lambda guard, fn: guard.call(fn),
    "block": blocks,
    "looked at": looking,
    "failing": failing,
}


@pytest.mark.parametrize("call", GOING_ON.values(), ids=GOING_ON)
def test_a_call_that_goes_on_in_the_child_counts_there_too(
    call: Callable[[Guard, Callable[[], None]], object],
) -> None:
    """The fork is inside the call, and both come back from it."""
    guard = Guard("g", breaker=False, retry={"backoff": "none", "budget": False})
    reader, writer = os.pipe()
    pids: list[int] = []

    def fork() -> None:
        pids.append(os.fork())
        if pids == [0]:
            pids.append(int(sum(counts(guard.metrics()).values())))

    told = b"it did not come back"
    try:
        call(guard, fork)
        told = pickle.dumps((pids[1:], counts(guard.metrics())))
    finally:
        if pids[0] == 0:
            os.write(writer, told)
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as file:
        inside, found = pickle.loads(file.read())
    os.waitpid(pids[0], 0)
    assert inside == [0], "it is the parent's until it goes on"
    assert found == counts(guard.metrics())
    assert found['calls_total{guard="g",outcome="success"}'] == 1
    assert 'in_flight{guard="g"}' not in found


def fail() -> None:
    raise ConnectionError


def test_a_callback_that_forks_is_not_called_inside_itself(clock: ManualClock) -> None:
    breaker = Breaker(clock=clock)
    heard: list[str] = []
    found = []

    def hear(event: Event) -> None:
        heard.append(str(event.fields["new"]))
        if len(heard) == 1:
            found.append(in_child(inside))

    def inside() -> list[str]:
        breaker.reset()
        return heard

    with breaker.subscribe(hear):
        breaker.trip()
    assert found == [["open"]]


def test_children_forked_under_load_begin_with_a_sound_state_of_their_own() -> None:
    # Python warns of a fork among threads, which is what is tested.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(Path(__file__).parent / "forking.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "forks" in done.stdout


LOADING = """
import os, signal, sys, threading
from overcurrent import Breaker, subscribe

loading = threading.Event()

class Slow:
    def find_spec(self, name, path, target=None):
        if name == "overcurrent.events":
            loading.set()
            threading.Event().wait(0.3)

sys.meta_path.insert(0, Slow())

def hear():
    with subscribe(lambda event: None):
        Breaker("b").trip()

thread = threading.Thread(target=hear)
thread.start()
loading.wait()
pid = os.fork()
if pid == 0:
    signal.alarm(10)  # ends a child that hangs
    hear()
    os._exit(0)
thread.join()
print(os.waitpid(pid, 0)[1])
"""


def test_a_fork_waits_for_what_is_being_loaded() -> None:
    command = [sys.executable, "-W", "ignore", "-c", LOADING]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr


workers = Guard("workers", breaker=TWO, retry={"backoff": "none", "budget": False})


@workers
def work(number: int) -> tuple[int, int]:
    attempt = current_attempt()
    if attempt.number == 1:
        raise ConnectionError
    return number, os.getpid()


def test_processes_of_a_pool_make_guarded_calls() -> None:
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        results = pool.map_async(work, range(20), chunksize=1).get(PATIENCE)
    assert [number for number, _ in results] == list(range(20))
    assert os.getpid() not in {pid for _, pid in results}
