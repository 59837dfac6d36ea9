//! The attempts of a call as spans, with an exporter that keeps them in memory; another one sends them somewhere:
//! `cargo run -p overcurrent --example opentelemetry --features opentelemetry`.

use std::{error::Error as StdError, time::Duration};

use opentelemetry::global;
use opentelemetry_sdk::{
    propagation::TraceContextPropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider},
};
use overcurrent::{
    Guard, RetryPolicy,
    opentelemetry::{instrument, instrument_metrics},
};

fn main() -> Result<(), Box<dyn StdError>> {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    global::set_tracer_provider(provider.clone());
    // By which the adapters of HTTP clients tell servers of the span of an attempt.
    global::set_text_map_propagator(TraceContextPropagator::new());

    // Once the provider is set.
    let tracing = instrument(&global::tracer_provider())?;
    instrument_metrics(&global::meter("payments-service"));

    let payments = Guard::builder("payments")
        .retry(RetryPolicy::constant(Duration::from_millis(1)).max_attempts(2))
        .build()?;
    let receipt = payments.call(|attempt| match attempt.attempt() {
        1 => Err(std::io::Error::other("it is busy")),
        _ => Ok("receipt"),
    })?;
    drop(tracing);

    let spans = exporter.get_finished_spans()?;
    for span in &spans {
        println!("{}: {:?}, {} events", span.name, span.attributes, span.events.len());
    }
    assert_eq!((receipt, spans.len()), ("receipt", 2));
    assert_eq!(spans[0].events[0].name, "overcurrent.retry");
    provider.shutdown()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("the example runs");
    }
}
