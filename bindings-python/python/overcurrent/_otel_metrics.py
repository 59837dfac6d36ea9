"""The metrics as observable instruments of OpenTelemetry; public in `overcurrent.opentelemetry`.

Each metric is an instrument of its name: a counter an observable counter, a gauge an observable gauge. As no
instrument observes a histogram that was counted elsewhere, one is three counters, with the suffixes `_bucket`
(and the attribute `le`), `_sum` and `_count`, as in the text of Prometheus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakSet

from opentelemetry import metrics as api
from opentelemetry.metrics import Observation

from overcurrent._core import Histogram, __version__, all_metrics, metrics
from overcurrent._le import le

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.metrics import CallbackOptions, MeterProvider

    from overcurrent._core import Family

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
"""What the instruments of a metric of a kind are named with beside its name."""

_providers: WeakSet[MeterProvider] = WeakSet()
"""Those that have the instruments already."""


def instrument_metrics(meter_provider: MeterProvider | None = None) -> None:
    """Have the metrics of all guards, breakers and registries of the process read with each collection.

    They are what `overcurrent.metrics` returns, under the same names and labels. It lasts as long as the
    provider does.

    Args:
        meter_provider: What makes the instruments; by default that which was set for the process.

    Raises:
        RuntimeError: this provider has them already.

    Example:
        >>> from opentelemetry.metrics import NoOpMeterProvider
        >>> instrument_metrics(NoOpMeterProvider())
    """
    provider = api.get_meter_provider() if meter_provider is None else meter_provider
    if provider in _providers:
        raise RuntimeError("this provider has the metrics already")
    _providers.add(provider)
    meter, reading = provider.get_meter("overcurrent", __version__), _Reading()
    for family in all_metrics():
        make = meter.create_observable_gauge if family.kind == "gauge" else meter.create_observable_counter
        for suffix in SUFFIXES.get(family.kind, ("",)):
            name = family.name + suffix
            make(name, [reading.of(name)], description=family.help)


class _Reading:
    """One reading of the metrics, from which each instrument takes its part once.

    An instrument that is asked again has all of them read anew; so each collection is one reading.
    """

    def __init__(self) -> None:
        self._parts: dict[str, list[Observation]] = {}

    def of(self, name: str) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _: self._take(name)

    def _take(self, name: str) -> list[Observation]:
        part = self._parts.pop(name, None)
        if part is None:
            parts: dict[str, list[Observation]] = {}
            for family in metrics().families:
                for own, observation in _observations(family):
                    parts.setdefault(own, []).append(observation)
            for family in all_metrics():
                for suffix in SUFFIXES.get(family.kind, ("",)):
                    parts.setdefault(family.name + suffix, [])
            part = parts.pop(name)
            # Another reader may take from it at once, or put its own in the place of it.
            self._parts = parts
        return part


def _observations(family: Family) -> Iterator[tuple[str, Observation]]:
    name = family.name
    for sample in family.samples:
        labels, value = sample.labels, sample.value
        if not isinstance(value, Histogram):
            yield name, Observation(value, labels)
            continue
        for bound, count in value.buckets:
            yield f"{name}_bucket", Observation(count, {**labels, "le": le(bound)})
        yield f"{name}_sum", Observation(value.sum, labels)
        yield f"{name}_count", Observation(value.count, labels)
