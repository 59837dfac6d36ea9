//! What has been counted, for JavaScript: as objects and as text.

use std::sync::Arc;

use napi::{
    Env,
    bindgen_prelude::{External, Object},
};
use napi_derive::napi;
use overcurrent::{Breaker, Family, Guard, Histogram, Metric, Metrics, Sample, SampleValue};

use crate::{
    clock::number,
    registry::Guards,
    slab::{Gone, with},
};

/// About what the metrics of one guard or breaker take in memory, for the garbage collector.
const WEIGHT: usize = 1024;

/// The content types of the texts.
#[napi(object, object_from_js = false)]
#[derive(Debug)]
pub(crate) struct ContentTypes {
    /// Of Prometheus text.
    pub prometheus: &'static str,
    /// Of `OpenMetrics` text.
    pub open_metrics: &'static str,
}

/// The content types of the texts.
#[napi]
pub(crate) fn content_types() -> ContentTypes {
    ContentTypes { prometheus: Metrics::PROMETHEUS, open_metrics: Metrics::OPENMETRICS }
}

/// What a guard with its breaker, a breaker or a registry has counted; without a handle, all there are.
#[napi]
pub(crate) fn metrics(source: Option<f64>) -> napi::Result<External<Metrics>> {
    let metrics = source.map_or_else(|| Ok(overcurrent::metrics()), of)?;
    let weight = WEIGHT * (metrics.guards.len() + metrics.breakers.len());
    Ok(External::new_with_size_hint(metrics, weight))
}

fn of(source: f64) -> Result<Metrics, Gone> {
    let guard = with(source, |guard: &mut Arc<Guard>| Metrics::of(&**guard));
    let breaker = || with(source, |breaker: &mut Arc<Breaker>| Metrics::of(&**breaker));
    let registry = || with(source, |registry: &mut std::rc::Rc<Guards>| Metrics::of(registry.kept()));
    guard.or_else(|_| breaker()).or_else(|_| registry())
}

/// They as text: `OpenMetrics` where `open` is set, else Prometheus's.
#[napi]
pub(crate) fn metrics_text(metrics: &External<Metrics>, open: bool) -> String {
    if open { metrics.openmetrics() } else { metrics.prometheus() }
}

/// Every metric there can be, without samples.
#[napi]
pub(crate) fn metrics_described(env: Env) -> napi::Result<Vec<Object<'static>>> {
    Metric::ALL.iter().map(|metric| described(env, metric)).collect()
}

/// They as families of samples.
#[napi]
pub(crate) fn metrics_families(env: Env, metrics: &External<Metrics>) -> napi::Result<Vec<Object<'static>>> {
    metrics.families().map(|it| family(env, &it)).collect()
}

fn described(env: Env, metric: &Metric) -> napi::Result<Object<'static>> {
    let mut object = Object::new(&env)?;
    object.set("name", metric.name)?;
    object.set("kind", metric.kind.as_str())?;
    object.set("help", metric.help)?;
    object.set("labels", metric.labels.to_vec())?;
    Ok(object)
}

fn family(env: Env, Family { metric, samples, .. }: &Family) -> napi::Result<Object<'static>> {
    let mut object = described(env, metric)?;
    object.set("samples", samples.iter().map(|it| sample(env, it)).collect::<napi::Result<Vec<_>>>()?)?;
    Ok(object)
}

fn sample(env: Env, sample: &Sample) -> napi::Result<Object<'static>> {
    let mut labels = Object::new(&env)?;
    for (name, value) in sample.labels() {
        labels.set(name, value)?;
    }
    let mut object = Object::new(&env)?;
    object.set("labels", labels)?;
    match sample.value() {
        SampleValue::Counter(count) => object.set("value", number(*count))?,
        SampleValue::Gauge(level) => object.set("value", *level)?,
        SampleValue::Histogram(it) => object.set("value", histogram(env, it)?)?,
    }
    Ok(object)
}

/// Durations in seconds, as the name of their metric says.
fn histogram(env: Env, histogram: &Histogram) -> napi::Result<Object<'static>> {
    let buckets = histogram.cumulative().map(|(bound, count)| {
        let mut bucket = Object::new(&env)?;
        bucket.set("le", bound.map_or(f64::INFINITY, seconds))?;
        bucket.set("count", number(count))?;
        Ok(bucket)
    });
    let mut object = Object::new(&env)?;
    object.set("buckets", buckets.collect::<napi::Result<Vec<_>>>()?)?;
    object.set("sum", seconds(histogram.sum))?;
    object.set("count", number(histogram.count()))?;
    Ok(object)
}

fn seconds(span: overcurrent::Span) -> f64 {
    std::time::Duration::from(span).as_secs_f64()
}
