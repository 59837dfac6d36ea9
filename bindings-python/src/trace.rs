//! The context of a request: which trace and which span it is part of, and by which id people know it. How
//! headers are read and written is the core's.

use overcurrent::{SpanId, TraceContext as Core, TraceId};
use pyo3::{
    exceptions::PyTypeError,
    prelude::*,
    types::{PyBytes, PyMapping, PyString, PyTuple},
};

use crate::{behalf, error::invalid, imported::Imported, stay, value::flag};

/// Whether a new trace is to be recorded.
fn sampled(given: &Bound<'_, PyAny>) -> PyResult<bool> {
    flag(given, "sampled")
}

/// On whose behalf calls are made.
#[pyclass(frozen, eq, module = "overcurrent")]
#[derive(PartialEq)]
pub(crate) struct TraceContext {
    pub(crate) core: Core,
}

#[pymethods]
impl TraceContext {
    /// What the headers of a request say: a mapping, or pairs of a name and a value.
    #[staticmethod]
    #[pyo3(signature = (headers, /))]
    fn extract(headers: &Bound<'_, PyAny>) -> PyResult<Self> {
        let given = known(headers)?;
        let values = |name| given.iter().filter(move |(header, _)| *header == name).map(|(_, value)| value);
        Ok(Self { core: Core::extract(values) })
    }

    /// A new trace.
    #[staticmethod]
    #[pyo3(signature = (*, sampled = true))]
    fn root(#[pyo3(from_py_with = sampled)] sampled: bool) -> Self {
        Self { core: Core::begin().with_sampled(sampled) }
    }

    /// The context that the running code makes calls on behalf of.
    #[staticmethod]
    fn current(py: Python<'_>) -> PyResult<Option<Self>> {
        Ok(behalf::current(py)?.map(|core| Self { core }))
    }

    /// A span that a tracer has begun.
    #[staticmethod]
    fn of(trace_id: u128, span_id: u64, flags: u8, tracestate: &str) -> Option<Self> {
        let trace = TraceId::from_bytes(trace_id.to_be_bytes())?;
        let span = SpanId::from_bytes(span_id.to_be_bytes())?;
        Some(Self { core: Core::of(trace, span, flags).with_tracestate(tracestate) })
    }

    /// The same where it has a trace; else with a new one.
    #[pyo3(signature = (*, sampled = true))]
    fn or_root(&self, #[pyo3(from_py_with = sampled)] sampled: bool) -> Self {
        Self { core: self.core.clone().or_else(|| Core::begin().with_sampled(sampled)) }
    }

    /// The same trace, as seen from a new span of it.
    fn child(&self) -> Self {
        Self { core: self.core.next_span() }
    }

    /// The same with another correlation id.
    fn with_correlation_id(&self, id: &str) -> PyResult<Self> {
        let core = self.core.clone().with_correlation_id(id).map_err(|error| invalid(&error))?;
        Ok(Self { core })
    }

    /// Sets the headers that carry it on.
    #[pyo3(signature = (headers, /))]
    fn inject(&self, headers: &Bound<'_, PyAny>) -> PyResult<()> {
        carried(&self.core).into_iter().try_for_each(|(name, value)| headers.set_item(name, value))
    }

    /// What to use in `with`: there it is the current one.
    fn scope(slf: Bound<'_, Self>) -> PyResult<Bound<'_, PyAny>> {
        static SCOPE: Imported = Imported::new("overcurrent._trace", "Scope");
        behalf::will_be_scoped();
        stay::call1(&SCOPE.get(slf.py())?, (slf,))
    }

    /// Which trace, in 32 hexadecimal digits.
    #[getter]
    fn trace_id(&self) -> Option<String> {
        self.core.trace_id().map(|id| id.to_string())
    }

    /// The span on whose behalf calls are made, in 16 hexadecimal digits.
    #[getter]
    fn span_id(&self) -> Option<String> {
        self.core.span_id().map(|id| id.to_string())
    }

    /// What the request is known by to people and logs.
    #[getter]
    fn correlation_id(&self) -> Option<&str> {
        self.core.correlation_id().map(overcurrent::Name::as_str)
    }

    /// Whether the span may have been recorded.
    #[getter]
    fn sampled(&self) -> bool {
        self.core.is_sampled()
    }

    /// Whether the right half of the trace's id is random.
    #[getter]
    fn random(&self) -> bool {
        self.core.is_random()
    }

    /// What tracers say to themselves.
    #[getter]
    fn tracestate(&self) -> Option<&str> {
        self.core.tracestate()
    }

    /// What applications say to each other, unread.
    #[getter]
    fn baggage(&self) -> Option<&str> {
        self.core.baggage()
    }

    const fn __bool__(&self) -> bool {
        !self.core.is_empty()
    }

    fn __repr__(&self) -> String {
        let said = [
            ("trace_id", self.trace_id()),
            ("span_id", self.span_id()),
            ("correlation_id", self.correlation_id().map(str::to_owned)),
        ];
        let said: Vec<_> =
            said.into_iter().filter_map(|(name, id)| Some(format!(" {name}={}", id?))).collect();
        format!("<TraceContext{}>", said.concat())
    }
}

/// The headers that carry a context on.
pub(crate) fn carried(context: &Core) -> Vec<(&'static str, String)> {
    let mut headers = Vec::new();
    context.inject(|name, value| headers.push((name, value.to_owned())));
    headers
}

/// Of all headers those that are read, by their names in lower case.
fn known(headers: &Bound<'_, PyAny>) -> PyResult<Vec<(&'static str, Vec<u8>)>> {
    let pairs = match headers.cast::<PyMapping>() {
        Ok(mapping) => mapping.items()?.into_any(),
        Err(_) => headers.clone(),
    };
    let mut known = Vec::new();
    for pair in pairs.try_iter()? {
        let pair = pair?;
        let (name, value) = match pair.cast::<PyTuple>() {
            Ok(pair) => pair.extract::<(Bound<'_, PyAny>, Bound<'_, PyAny>)>()?,
            Err(_) => pair.extract::<[Bound<'_, PyAny>; 2]>().map(|[name, value]| (name, value))?,
        };
        let name = bytes(&name)?;
        if let Some(header) =
            Core::HEADERS.into_iter().find(|header| name.eq_ignore_ascii_case(header.as_bytes()))
        {
            known.push((header, bytes(&value)?));
        }
    }
    Ok(known)
}

/// A name or a value of a header.
fn bytes(text: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(text) = text.cast::<PyString>() {
        // What has no UTF-8 is no valid value either, and neither is what stands for it.
        return Ok(text.to_string_lossy().as_bytes().to_vec());
    }
    match text.cast::<PyBytes>() {
        Ok(bytes) => Ok(bytes.as_bytes().to_vec()),
        Err(_) => Err(PyTypeError::new_err(format!(
            "names and values of headers must be str or bytes, not `{}`",
            text.get_type().name()?
        ))),
    }
}
