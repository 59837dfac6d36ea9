"""The metrics as observable instruments of OpenTelemetry; public in `overcurrent.opentelemetry`.

Each metric is an instrument of its name: a counter an observable counter, a gauge an observable gauge. As no
instrument observes a histogram that was counted elsewhere, one is three counters, with the suffixes `_bucket`
(and the attribute `le`), `_sum` and `_count`, as in the text of Prometheus.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from opentelemetry import metrics as api
from opentelemetry.metrics import Observation

from overcurrent._core import Histogram, __version__, all_metrics, metrics
from overcurrent._le import le

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Self

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider

    from overcurrent._core import Family

SUFFIXES = {"histogram": ("_bucket", "_sum", "_count")}
"""What the instruments of a metric of a kind are named with beside its name."""

_readings: WeakKeyDictionary[MeterProvider, _Reading] = WeakKeyDictionary()
"""What the instruments of each provider ask; they cannot be taken back from it."""


def instrument_metrics(meter_provider: MeterProvider | None = None) -> Metering:
    """Have OpenTelemetry observe what all guards, breakers and registries of the process have counted.

    With each collection they are read anew, as `overcurrent.metrics` does, under the same names and labels. A
    histogram is three counters, whose names end in `_bucket`, `_sum` and `_count`.

    Args:
        meter_provider: What makes the instruments; by default that which was set for the process.

    Returns:
        What ends it.

    Raises:
        RuntimeError: this provider has them already.

    Example:
        >>> from opentelemetry.metrics import NoOpMeterProvider
        >>> metering = instrument_metrics(NoOpMeterProvider())
        >>> metering.close()
    """
    provider = api.get_meter_provider() if meter_provider is None else meter_provider
    reading = _readings.get(provider)
    if reading is None:
        reading = _readings[provider] = _Reading()
        _make_instruments(provider.get_meter("overcurrent", __version__), reading)
    if reading.on:
        raise RuntimeError("this provider has the metrics already, close that first")
    return Metering(reading)


def _make_instruments(meter: Meter, reading: _Reading) -> None:
    for family in all_metrics():
        make = meter.create_observable_gauge if family.kind == "gauge" else meter.create_observable_counter
        for name in _names(family):
            make(name, [reading.of(name)], description=family.help)


class Metering:
    """Has the metrics observed until it is closed."""

    __slots__ = ("_reading",)

    def __init__(self, reading: _Reading) -> None:
        """Begin; `instrument_metrics` does that."""
        self._reading: _Reading | None = reading
        reading.on = True

    def close(self) -> None:
        """End it; do nothing where that is done."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.on = False

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.close()


class _Reading:
    """One reading of the metrics, from which each instrument takes its part once.

    An instrument that is asked again has all of them read anew; so each collection is one reading.
    """

    def __init__(self) -> None:
        self.on = False
        self._parts: dict[str, list[Observation]] = {}

    def of(self, name: str) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _: self._take(name)

    def _take(self, name: str) -> list[Observation]:
        if not self.on:
            return []
        part = self._parts.pop(name, None)
        if part is None:
            parts: dict[str, list[Observation]] = {}
            for family in all_metrics():
                parts.update((own, []) for own in _names(family))
            for family in metrics().families:
                for own, observation in _observations(family):
                    parts[own].append(observation)
            part = parts.pop(name)
            # Another reader may take from it at once, or put its own in the place of it.
            self._parts = parts
        return part


def _names(family: Family) -> list[str]:
    """Return the names of the instruments of a metric."""
    return [family.name + suffix for suffix in SUFFIXES.get(family.kind, ("",))]


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
