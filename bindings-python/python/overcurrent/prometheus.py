"""The metrics in a registry of prometheus_client: `pip install overcurrent[prometheus]`.

    from overcurrent.prometheus import Collector
    from prometheus_client import REGISTRY

    REGISTRY.register(Collector())

They are then part of whatever the registry exposes, under the same names and labels as those of
`overcurrent.metrics`, which is read anew each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from overcurrent._core import Histogram, all_metrics, metrics
from overcurrent._le import le

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.core import Metric

    from overcurrent._core import Family

__all__ = ["Collector"]


class Collector:
    """Collects what all guards, breakers and registries of the process have counted.

    Example:
        >>> from overcurrent import Guard
        >>> from prometheus_client import CollectorRegistry
        >>> registry = CollectorRegistry()
        >>> registry.register(Collector())
        >>> guard = Guard("receipts")
        >>> guard.call(str.upper, "paid")
        'PAID'
        >>> labels = {"guard": "receipts", "outcome": "success"}
        >>> registry.get_sample_value("overcurrent_calls_total", labels)
        1
    """

    def collect(self) -> Iterator[Metric]:
        """Return the metrics as they stand."""
        return map(_family, metrics().families)

    def describe(self) -> Iterator[Metric]:
        """Return the metrics that there can be, for the registry to know their names."""
        return map(_family, all_metrics())


def _family(family: Family) -> Metric:
    name, text, labels = family.name, family.help, family.labels
    if family.kind == "histogram":
        durations = HistogramMetricFamily(name, text, labels=labels)
        for sample in family.samples:
            if isinstance(sample.value, Histogram):
                buckets = [(le(bound), count) for bound, count in sample.value.buckets]
                durations.add_metric(list(sample.labels.values()), buckets, sample.value.sum)
        return durations
    made = (CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily)(name, text, labels=labels)
    for sample in family.samples:
        if not isinstance(sample.value, Histogram):
            made.add_metric(list(sample.labels.values()), sample.value)
    return made
