//! What is counted, as objects of Python's. Names, values and texts are the core's.
//!
//! INVARIANT: guards, breakers and registries are registered when they are made, and gathered, with the GIL held.

use overcurrent::{Histogram as Durations, Metric, Metrics as Core, Sample as Value, SampleValue, Span};
use pyo3::{
    prelude::*,
    types::{PyDict, PyTuple},
};

use crate::{unused, value::secs};

/// What guards, breakers and registries have counted, read at one moment. It shows as Prometheus text.
#[pyclass(frozen, eq, module = "overcurrent")]
#[derive(PartialEq)]
pub(crate) struct Metrics {
    core: Core,
}

impl From<Core> for Metrics {
    fn from(core: Core) -> Self {
        Self { core }
    }
}

#[pymethods]
impl Metrics {
    /// The content type of `prometheus()`.
    #[classattr]
    const PROMETHEUS: &'static str = Core::PROMETHEUS;
    /// The content type of `openmetrics()`.
    #[classattr]
    const OPENMETRICS: &'static str = Core::OPENMETRICS;

    /// The metrics that have samples, always in the same order.
    #[getter]
    fn families<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let families = self.core.families();
        let families = families.map(|family| Family { metric: family.metric, samples: family.samples });
        PyTuple::new(py, families.map(|family| Py::new(py, family)).collect::<PyResult<Vec<_>>>()?)
    }

    /// Prometheus text, version 0.0.4.
    fn prometheus(&self) -> String {
        self.core.prometheus()
    }

    /// `OpenMetrics` text, version 1.0.0.
    fn openmetrics(&self) -> String {
        self.core.openmetrics()
    }

    fn __str__(&self) -> String {
        self.core.to_string()
    }

    fn __repr__(&self) -> String {
        let Core { guards, breakers, registries, .. } = &self.core;
        let (guards, breakers, registries) = (guards.len(), breakers.len(), registries.len());
        format!("<Metrics: {guards} guards, {breakers} breakers, {registries} registries>")
    }
}

/// A metric with its samples.
#[pyclass(frozen, eq, module = "overcurrent")]
#[derive(PartialEq)]
pub(crate) struct Family {
    metric: &'static Metric,
    samples: Vec<Value>,
}

#[pymethods]
impl Family {
    /// Its name, the same in every language; that of a counter ends in `_total`.
    #[getter]
    const fn name(&self) -> &'static str {
        self.metric.name
    }

    /// How it moves: counter, gauge or histogram.
    #[getter]
    const fn kind(&self) -> &'static str {
        self.metric.kind.as_str()
    }

    /// What it tells, in a sentence.
    #[getter]
    const fn help(&self) -> &'static str {
        self.metric.help
    }

    /// The names of its labels, the first of which is whose it is.
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.metric.labels)
    }

    /// Its samples.
    #[getter]
    fn samples<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let samples = self.samples.iter().map(|core| Py::new(py, Sample { core: core.clone() }));
        PyTuple::new(py, samples.collect::<PyResult<Vec<_>>>()?)
    }

    fn __repr__(&self) -> String {
        format!("<Family `{}`: {} samples>", self.metric.name, self.samples.len())
    }
}

/// One value of a metric.
#[pyclass(frozen, eq, module = "overcurrent")]
#[derive(PartialEq)]
pub(crate) struct Sample {
    core: Value,
}

#[pymethods]
impl Sample {
    /// Its labels, each with its value.
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let labels = PyDict::new(py);
        self.core.labels().try_for_each(|(label, value)| labels.set_item(label, value))?;
        Ok(labels)
    }

    /// Its value.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match self.core.value() {
            SampleValue::Counter(count) => count.into_pyobject(py)?.into_any(),
            SampleValue::Gauge(level) => level.into_pyobject(py)?.into_any(),
            SampleValue::Histogram(core) => Bound::new(py, Histogram { core: **core })?.into_any(),
        })
    }

    fn __repr__(&self) -> String {
        let labels: Vec<_> = self.core.labels().map(|(label, value)| format!("{label}={value:?}")).collect();
        let value = match self.core.value() {
            SampleValue::Counter(count) => count.to_string(),
            SampleValue::Gauge(level) => level.to_string(),
            SampleValue::Histogram(core) => format!("{} observations", core.count()),
        };
        format!("<Sample {}: {value}>", labels.join(", "))
    }
}

/// How long calls took, counted by size.
#[pyclass(frozen, eq, module = "overcurrent")]
#[derive(PartialEq)]
pub(crate) struct Histogram {
    core: Durations,
}

#[pymethods]
impl Histogram {
    /// The upper bound of each bucket in seconds, the last one infinite, and how many there were up to it.
    #[getter]
    fn buckets<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let bound = |bound: Option<Span>| bound.map_or(f64::INFINITY, secs);
        let buckets: Vec<_> = self.core.cumulative().map(|(upper, count)| (bound(upper), count)).collect();
        PyTuple::new(py, buckets)
    }

    /// All of them together, in seconds.
    #[getter]
    fn sum(&self) -> f64 {
        secs(self.core.sum)
    }

    /// How many there are.
    #[getter]
    fn count(&self) -> u64 {
        self.core.count()
    }

    fn __repr__(&self) -> String {
        format!("<Histogram: {} in {} s>", self.count(), self.sum())
    }
}

/// What all guards, breakers and registries of the process have counted.
#[pyfunction]
pub(crate) fn metrics() -> Metrics {
    let mut core = overcurrent::metrics();
    core.breakers.extend(unused::metrics());
    core.into()
}

/// Every metric there is, without samples.
#[pyfunction]
pub(crate) fn all_metrics(py: Python<'_>) -> PyResult<Bound<'_, PyTuple>> {
    let families = Metric::ALL.iter().map(|metric| Py::new(py, Family { metric, samples: Vec::new() }));
    PyTuple::new(py, families.collect::<PyResult<Vec<_>>>()?)
}
