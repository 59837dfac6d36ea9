"""The metrics through other libraries: what these show is what the core's own texts say."""

from __future__ import annotations

import doctest
import subprocess
import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import overcurrent._otel_metrics
import overcurrent.prometheus
import prometheus_client
import pytest
from conftest import Flaky
from opentelemetry import metrics as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import Gauge, InMemoryMetricReader, NumberDataPoint, Sum
from overcurrent import Guard, ManualClock, Registry, metrics
from overcurrent._core import all_metrics
from overcurrent.opentelemetry import instrument_metrics
from overcurrent.prometheus import Collector
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition, parser
from prometheus_client.parser import text_string_to_metric_families as read_prometheus

# What is not typed there.
read_openmetrics: Any = parser.text_string_to_metric_families
generate_openmetrics: Any = exposition.generate_latest


@pytest.fixture(autouse=True)
def counted(clock: ManualClock, request: pytest.FixtureRequest) -> tuple[Guard, Registry]:
    """Guards of each kind that have counted something, with names that need escapes."""
    guard = Guard(
        f'{request.node.name}: a "name" with \\ and\nlines',
        clock=clock,
        durations=True,
        breaker={"consecutive_failures": 3},
    )
    registry = Registry("hosts", capacity=1, retry=False)
    guard.call(clock.advance, "30ms")
    with pytest.raises(ConnectionError):
        guard.call(Flaky(9))
    for key in ("one", "other"):
        registry[key].call(int)
    return guard, registry


def samples(families: Iterable[Any]) -> dict[tuple[Any, ...], float]:
    """The samples, by name and labels, each with the kind and the help of its family."""
    found = [
        (family.type, family.documentation, sample.name, frozenset(sample.labels.items()), sample.value)
        for family in families
        for sample in family.samples
    ]
    assert len({key[:-1] for key in found}) == len(found)
    return {key[:-1]: key[-1] for key in found}


def test_the_texts_are_read_by_the_parsers_of_prometheus() -> None:
    counted = metrics()
    plain = samples(read_prometheus(counted.prometheus()))
    assert plain == samples(read_openmetrics(counted.openmetrics()))
    expected = sum(
        14 if family.kind == "histogram" else 1 for family in counted.families for _ in family.samples
    )
    assert len(plain) == expected


def test_a_registry_of_prometheus_shows_the_same() -> None:
    registry = CollectorRegistry()
    registry.register(Collector())
    shown = prometheus_client.generate_latest(registry).decode()
    assert samples(read_prometheus(shown)) == samples(read_prometheus(str(metrics())))
    shown = generate_openmetrics(registry).decode()
    assert samples(read_openmetrics(shown)) == samples(read_openmetrics(metrics().openmetrics()))


def test_a_registry_of_prometheus_knows_all_names_before_there_is_a_sample() -> None:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(Collector())
    with pytest.raises(ValueError, match="Duplicated"):
        prometheus_client.Counter("overcurrent_evictions", "another", registry=registry)
    with pytest.raises(ValueError, match="Duplicated"):
        registry.register(Collector())
    some = registry.restricted_registry(["overcurrent_call_duration_seconds_count"])
    assert {sample.name for family in some.collect() for sample in family.samples} == {
        "overcurrent_call_duration_seconds_count"
    }


class Collected:
    """What a reader of the SDK collects."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.provider = MeterProvider([self.reader], shutdown_on_exit=False)

    def metrics(self) -> list[Any]:
        data = self.reader.get_metrics_data()
        assert data is not None
        (scope,) = data.resource_metrics[0].scope_metrics
        assert scope.scope.name == "overcurrent"
        return list(scope.metrics)

    def samples(self) -> dict[tuple[Any, ...], float]:
        found: dict[tuple[Any, ...], float] = {}
        for metric in self.metrics():
            assert isinstance(metric.data, Gauge | Sum)
            assert isinstance(metric.data, Gauge) or metric.data.is_monotonic
            for point in metric.data.data_points:
                assert isinstance(point, NumberDataPoint)
                found[metric.name, frozenset((point.attributes or {}).items())] = point.value
        return found


def test_instruments_of_opentelemetry_show_the_same(counted: tuple[Guard, Registry]) -> None:
    guard, _ = counted
    collected = Collected()
    instrument_metrics(collected.provider)
    for _ in range(2):
        text = samples(read_prometheus(str(metrics())))
        assert collected.samples() == {(name, labels): value for (_, _, name, labels), value in text.items()}
        assert guard.breaker is not None
        guard.breaker.reset()
        guard.call(int)
    helps = {family.name: family.help for family in all_metrics()}
    for metric in collected.metrics():
        assert metric.description in (helps.get(metric.name), helps["overcurrent_call_duration_seconds"])


def test_each_reader_of_opentelemetry_sees_what_is_so_now(counted: tuple[Guard, Registry]) -> None:
    guard, _ = counted
    readers = [InMemoryMetricReader() for _ in range(2)]
    provider = MeterProvider(readers, shutdown_on_exit=False)
    instrument_metrics(provider)

    def successes(reader: InMemoryMetricReader) -> float:
        data = reader.get_metrics_data()
        assert data is not None
        (value,) = [
            point.value
            for metric in data.resource_metrics[0].scope_metrics[0].metrics
            if metric.name == "overcurrent_calls_total"
            for point in metric.data.data_points
            if isinstance(point, NumberDataPoint)
            and dict(point.attributes or {}) == {"guard": guard.name, "outcome": "success"}
        ]
        return value

    for expected in (1, 2, 3):
        assert [successes(reader) for reader in readers] == [expected, expected]
        assert guard.breaker is not None
        guard.breaker.reset()
        guard.call(int)


def test_a_provider_gets_the_instruments_once() -> None:
    collected = Collected()
    with instrument_metrics(collected.provider) as metering:
        with pytest.raises(RuntimeError, match="already"):
            instrument_metrics(collected.provider)
        there = collected.samples()
        assert there
    assert collected.reader.get_metrics_data() is None, "it is closed"
    with instrument_metrics(collected.provider):
        metering.close()
        assert collected.samples() == there


def test_what_is_gone_is_observed_no_more() -> None:
    collected = Collected()
    instrument_metrics(collected.provider)
    guard = Guard("gone soon")

    def there() -> bool:
        return any("gone soon" in dict(labels).values() for _, labels in collected.samples())

    assert there()
    del guard
    assert not there()


def test_without_a_provider_it_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    collected = Collected()
    monkeypatch.setattr(api, "get_meter_provider", lambda: collected.provider)
    instrument_metrics()
    assert "overcurrent_calls_total" in {metric.name for metric in collected.metrics()}


@pytest.mark.parametrize("module", [overcurrent.prometheus, overcurrent._otel_metrics])
def test_the_examples_of_the_docstrings_run(module: ModuleType) -> None:
    done = doctest.testmod(module)
    assert done.failed == 0
    assert done.attempted > 1


def test_nothing_of_either_is_imported_by_the_package() -> None:
    script = """
import sys
import overcurrent
overcurrent.Guard("g").call(int)
str(overcurrent.metrics())
assert not [name for name in sys.modules if "prometheus" in name or "opentelemetry" in name]
import overcurrent.prometheus
assert not [name for name in sys.modules if name.split(".")[0] == "opentelemetry"]
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
