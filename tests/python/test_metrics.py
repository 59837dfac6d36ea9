"""Metrics: who is among them and for how long, and what they are as objects and as text."""

from __future__ import annotations

import ast
import gc
import math
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import overcurrent
import pytest
from conftest import Flaky, counts
from overcurrent import (
    Breaker,
    Guard,
    Histogram,
    InvalidPolicy,
    ManualClock,
    Metrics,
    Registry,
    constant,
    metrics,
)
from overcurrent.testing import instant

TWICE: Any = {"max_attempts": 2, "backoff": constant("1s"), "jitter": "none", "budget": False}


# --- who is there ---------------------------------------------------------------------------------


def there(name: str) -> set[str]:
    """The kinds of what is there with a name."""
    found = {
        (label, value)
        for family in metrics().families
        for sample in family.samples
        for label, value in list(sample.labels.items())[:1]
    }
    return {label for label, value in found if value == name}


def test_a_guard_is_there_from_when_it_is_made_until_nothing_holds_it() -> None:
    assert there("comes and goes") == set()
    guard = Guard("comes and goes")
    assert there("comes and goes") == {"guard", "breaker"}
    wrapped = guard(int)
    del guard
    assert there("comes and goes") == {"guard", "breaker"}
    del wrapped
    gc.collect()
    assert there("comes and goes") == set()


def test_everything_is_there_at_zero() -> None:
    guard = Guard("zero", durations=True)
    text = str(guard.metrics())
    for line in (
        'overcurrent_calls_total{guard="zero",outcome="failure"} 0',
        'overcurrent_retries_total{guard="zero",reason="hint"} 0',
        'overcurrent_rejections_total{breaker="zero",reason="half_open"} 0',
        'overcurrent_breaker_state{breaker="zero",state="open"} 0',
        'overcurrent_call_duration_seconds_count{guard="zero"} 0',
    ):
        assert line in text.splitlines()
    edge = 'from="closed",to="open",reason="failure_rate"'
    assert f'overcurrent_breaker_transitions_total{{breaker="zero",{edge}}} 0' in text.splitlines()
    assert counts(guard.metrics()) == {
        'breaker_state{breaker="zero",state="closed"}': 1,
        'budget_tokens{guard="zero"}': 10,
    }


def test_a_breaker_with_a_name_is_there_before_it_is_used() -> None:
    breaker = Breaker("early", consecutive_failures=1)
    state = 'breaker_state{breaker="early",state="closed"}'
    assert (there("early"), counts(metrics())[state]) == ({"breaker"}, 1)
    guard = Guard("late", breaker=breaker)
    assert counts(metrics())[state] == 1, "it is there once"
    assert there("late") == {"guard"}
    breaker.acquire().failure()
    assert counts(metrics())['breaker_state{breaker="early",state="open"}'] == 1
    del breaker, guard
    gc.collect()
    assert there("early") == set()
    unused = Breaker("unused")
    del unused
    gc.collect()
    assert there("unused") == set()


def test_a_registry_brings_its_guards_along_and_counts_what_it_forgets() -> None:
    registry = Registry("few", capacity=2, breaker={"consecutive_failures": 1}, retry=False)
    assert counts(registry.metrics()) == {}
    registry["a"].call(int)
    with suppress(ConnectionError):
        registry["b"].call(Flaky(9))
    registry["c"].call(int)
    found = counts(registry.metrics())
    assert found['evictions_total{registry="few"}'] == 1
    assert found['breaker_state{breaker="few/b",state="open"}'] == 1
    assert there("few/a") == set()
    assert there("few/b") == there("few/c") == {"guard", "breaker"}
    assert there("few") == {"registry"}
    whole = counts(metrics())
    assert {name: whole[name] for name in found} == found
    nameless = Registry(capacity=1)
    nameless["alone"].call(int)
    assert there("alone") == {"guard", "breaker"}


def test_the_same_name_is_added_up() -> None:
    one, other = Guard("same", breaker=False), Guard("same", breaker=False)
    one.call(int)
    other.call(int)
    name = 'calls_total{guard="same",outcome="success"}'
    assert counts(metrics())[name] == 2
    assert counts(one.metrics())[name] == 1


def test_a_shared_breaker_is_told_with_each_of_its_guards_and_once_of_all() -> None:
    breaker = Breaker("shared by two")
    guards = [Guard(name, breaker=breaker) for name in ("one", "other")]
    for guard in guards:
        assert counts(guard.metrics())['breaker_state{breaker="shared by two",state="closed"}'] == 1
    assert counts(metrics())['breaker_state{breaker="shared by two",state="closed"}'] == 1
    assert set(counts(breaker.metrics())) == {'breaker_state{breaker="shared by two",state="closed"}'}


# --- what it is -----------------------------------------------------------------------------------


def test_durations_are_measured_on_demand(clock: ManualClock) -> None:
    guard = Guard("timed", clock=clock, durations=True, retry=False)
    for length in ("1ms", "5ms", "700ms", "7s"):
        guard.call(clock.advance, length)
    with suppress(TimeoutError):
        guard.call(clock.advance, "60s")
    (family,) = [found for found in guard.metrics().families if found.kind == "histogram"]
    assert family.name == "overcurrent_call_duration_seconds"
    (sample,) = family.samples
    assert isinstance(sample.value, Histogram)
    assert (sample.value.count, sample.value.sum) == (5, 67.706)
    assert sample.value.buckets[0] == (0.005, 2)
    assert sample.value.buckets[7] == (1.0, 3)
    assert sample.value.buckets[-2:] == ((10.0, 4), (math.inf, 5))
    assert "histogram" not in {family.kind for family in Guard("untimed").metrics().families}
    registry = Registry("hosts", clock=clock, durations=True)
    registry["a"].call(clock.advance, "1s")
    assert 'overcurrent_call_duration_seconds_sum{guard="hosts/a"} 1' in str(registry.metrics())
    text = "[policy.g]\nretry = false"
    timed = Guard.from_text(text, "g", durations=True)
    assert "histogram" in {family.kind for family in timed.metrics().families}


@pytest.mark.parametrize("make", [Guard, Registry])
def test_durations_are_wanted_or_not(make: Any) -> None:
    with pytest.raises(InvalidPolicy, match=r"`durations`.*`yes`.*must be true or false"):
        make("g", durations="yes")


def test_metrics_are_families_of_samples_and_two_texts() -> None:
    guard = Guard("shown", breaker=False, retry=False)
    guard.call(int)
    counted = guard.metrics()
    assert [family.name for family in counted.families] == [
        "overcurrent_calls_total",
        "overcurrent_attempts_total",
        "overcurrent_retries_total",
        "overcurrent_give_ups_total",
        "overcurrent_in_flight",
    ]
    calls = counted.families[0]
    assert (calls.kind, calls.labels) == ("counter", ("guard", "outcome"))
    assert calls.help == "Calls that have ended, by how."
    first = calls.samples[0]
    assert (first.labels, first.value) == ({"guard": "shown", "outcome": "success"}, 1)
    assert isinstance(first.value, int)
    assert isinstance(counted.families[-1].samples[0].value, float)
    assert str(counted) == counted.prometheus()
    assert counted.prometheus().startswith("# HELP overcurrent_calls_total Calls")
    assert counted.openmetrics().startswith("# HELP overcurrent_calls Calls")
    assert counted.openmetrics().endswith("# EOF\n")
    assert Metrics.PROMETHEUS == "text/plain; version=0.0.4; charset=utf-8"
    assert Metrics.OPENMETRICS == "application/openmetrics-text; version=1.0.0; charset=utf-8"


def test_they_are_a_snapshot_and_compare() -> None:
    guard = Guard("still")
    before = guard.metrics()
    assert before == guard.metrics()
    assert before.families[0] == guard.metrics().families[0]
    guard.call(int)
    assert before != guard.metrics()
    assert counts(before) != counts(guard.metrics())
    assert repr(before) == "<Metrics: 1 guards, 1 breakers, 0 registries>"
    assert repr(before.families[0]) == "<Family `overcurrent_calls_total`: 6 samples>"
    assert repr(before.families[0].samples[0]) == '<Sample guard="still", outcome="success": 0>'


def test_names_are_escaped() -> None:
    guard = Guard('a "name"\\\n', breaker=False)
    assert r'{guard="a \"name\"\\\n",outcome="success"} 0' in str(guard.metrics())


@pytest.mark.parametrize("function", ["metrics", "explain"])
def test_the_examples_of_the_stub_run(function: str) -> None:
    stub = Path(overcurrent.__file__).with_name("_core.pyi")
    (found,) = [
        node
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    example = [line for line in (ast.get_docstring(found) or "").splitlines() if line.startswith("    ")]
    assert len(example) > 3
    exec("\n".join(line[4:] for line in example), {})


def test_reading_imports_nothing() -> None:
    script = """
import sys
import overcurrent
guard = overcurrent.Guard("g", durations=True)
guard.call(int)
before = set(sys.modules)
assert "payments" not in str(overcurrent.metrics())
[sample.value for family in overcurrent.metrics().families for sample in family.samples]
guard.explain()
assert set(sys.modules) == before, set(sys.modules) - before
assert not [name for name in sys.modules if "prometheus" in name or "opentelemetry" in name]
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_skipped_waits_are_part_of_a_duration() -> None:
    guard = Guard("g", retry=TWICE, durations=True)
    with instant():
        guard.call(Flaky(1))
    (histogram,) = [
        sample.value
        for family in guard.metrics().families
        for sample in family.samples
        if isinstance(sample.value, Histogram)
    ]
    assert histogram.count == 1
    assert 1 <= histogram.sum < 2
