"""The registry: a guard for each key, bounded, and never forgetting one that rejects."""

from __future__ import annotations

import gc
import pickle
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from overcurrent import (
    Breaker,
    Budget,
    Guard,
    InvalidPolicy,
    ManualClock,
    Registry,
    RegistryFull,
    Retry,
)


def test_a_key_has_one_guard_while_anybody_holds_it() -> None:
    hosts = Registry("hosts")
    guard = hosts["one"]
    assert isinstance(guard, Guard)
    assert guard.name == "hosts/one"
    assert hosts["one"] is hosts.guard("one") is hosts.get("one") is guard
    assert hosts["two"] is not guard
    assert Registry()["one"].name == "one"


def test_the_state_of_a_guard_stays_when_nobody_holds_it() -> None:
    hosts = Registry()
    breaker = hosts["one"].breaker
    assert breaker is not None
    breaker.force_open()
    seen = weakref.ref(hosts["one"])
    assert seen() is None
    again = hosts["one"].breaker
    assert again is not None
    assert again.state == "forced_open"


def test_only_what_is_asked_for_is_made() -> None:
    hosts = Registry()
    assert (hosts.get("one"), hosts.get("one", 7), "one" in hosts, len(hosts)) == (None, 7, False, 0)
    guard = hosts["one"]
    assert hosts["two"] is not None
    assert ("one" in hosts, 1 in hosts, len(hosts)) == (True, False, 2)
    assert sorted(hosts) == ["one", "two"]
    assert guard in list(hosts.values())
    assert (hosts.capacity, hosts.evictions) == (10_000, 0)
    assert repr(hosts) == "<Registry of 2 guards, of at most 10000>"
    with pytest.raises(TypeError, match="`key` must be a str, not `1`"):
        hosts[1]  # type: ignore[index]
    with pytest.raises(TypeError, match="`key` must be a str, not `1`"):
        hosts.get(1)  # type: ignore[call-overload]


def test_what_is_idle_makes_room_and_nothing_else() -> None:
    hosts = Registry("hosts", capacity=2, breaker={"consecutive_failures": 1})
    held = hosts["held"]
    with pytest.raises(ZeroDivisionError):
        hosts["open"].call(lambda: 1 / 0)
    with pytest.raises(RegistryFull) as caught:
        hosts["new"]
    assert (caught.value.name, caught.value.capacity, caught.value.code) == ("hosts/new", 2, "REGISTRY_FULL")
    assert str(caught.value) == (
        "the registry is full with 2 entries, none of them idle and closed: no room for `hosts/new`"
    )
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.name, again.capacity) == (str(caught.value), "hosts/new", 2)
    del held
    assert hosts["new"].name == "hosts/new"
    assert (sorted(hosts), hosts.evictions) == (["new", "open"], 1)


def test_a_breaker_that_is_held_keeps_its_guard() -> None:
    hosts = Registry(capacity=1)
    breaker = hosts["one"].breaker
    assert breaker is not None
    with pytest.raises(RegistryFull):
        hosts["two"]
    del breaker
    assert hosts["two"].name == "two"


def test_a_call_under_way_keeps_its_guard() -> None:
    hosts = Registry(capacity=1)

    def call() -> str:
        with pytest.raises(RegistryFull):
            hosts["two"]
        return "well"

    assert hosts["one"].call(call) == "well"
    assert hosts["two"].name == "two"


def test_guards_that_went_are_not_remembered() -> None:
    hosts = Registry(capacity=10)
    names = [hosts[str(number)].name for number in range(1000)]
    assert len(set(names)) == 1000
    assert (len(hosts), hosts.evictions) == (10, 990)
    assert sorted(hosts) == sorted(names[-10:]) or len(list(hosts)) == 10


def test_all_have_the_policy_hooks_and_clock(clock: ManualClock) -> None:
    hosts = Registry(
        clock=clock,
        seed=1,
        on=IndexError,
        retry={"max_attempts": 2, "backoff": {"constant": {"delay": "1s"}}},
    )
    calls = []

    def fail(error: type[Exception]) -> None:
        calls.append(error)
        raise error

    for key in ("one", "two"):
        for error in (IndexError, KeyError):
            with pytest.raises(error):
                hosts[key].call(fail, error)
    assert calls == [IndexError, IndexError, KeyError] * 2
    assert clock.now_ns > 0


def test_a_budget_that_is_brought_along_is_shared() -> None:
    budget = Budget(ratio=0.0, min_per_second=0, burst=1)
    hosts = Registry(retry=Retry(max_attempts=2, backoff="none", budget=budget))
    attempts = []

    def fail(key: str) -> None:
        attempts.append(key)
        raise ValueError(key)

    for key in ("one", "two"):
        assert hosts[key].budget is budget
        with pytest.raises(ValueError, match=key):
            hosts[key].call(fail, key)
    assert attempts == ["one", "one", "two"]


def test_a_policy_can_be_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "overcurrent.toml"
    file.write_text("[policy.hosts.breaker]\nconsecutive_failures = 1\n", encoding="utf-8")
    hosts = Registry.from_file(file, "hosts", capacity=3)
    with pytest.raises(ZeroDivisionError):
        hosts["one"].call(lambda: 1 / 0)
    breaker = hosts["one"].breaker
    assert breaker is not None
    assert (hosts["one"].name, breaker.state, hosts.capacity) == ("hosts/one", "open", 3)
    with pytest.raises(InvalidPolicy, match="is not in the document"):
        Registry.from_file(file, "host")


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"capacity": 0}, "capacity"),
        ({"capacity": True}, "capacity"),
        ({"capacity": "many"}, "capacity"),
        ({"breaker": Breaker("shared")}, "breaker"),
        ({"deadline": -1}, "deadline"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_input_is_refused_at_once(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidPolicy) as caught:
        Registry(**fields)
    assert caught.value.path == path


def test_threads_that_ask_for_the_same_key_get_the_same_guard() -> None:
    hosts = Registry(capacity=1000)
    keys = [str(number) for number in range(200)]
    found: list[list[Guard]] = []
    barrier = threading.Barrier(4)

    def ask() -> None:
        barrier.wait()
        found.append([hosts[key] for key in keys])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for same in zip(*found, strict=True):
        assert len({id(guard) for guard in same}) == 1


def test_nothing_is_kept_alive_by_a_circle() -> None:
    class Hook:
        def __call__(self, error: Exception) -> bool:
            return True

    hook = Hook()
    hosts = Registry(on=hook)
    hook.hosts = hosts  # type: ignore[attr-defined]
    hosts["one"].call(int)
    gone = weakref.ref(hook)
    del hook, hosts
    gc.collect()
    assert gone() is None
