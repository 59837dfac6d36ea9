//! The metrics of a guard for a recorder of the crate `metrics`, here one that keeps them in memory:
//! `cargo run -p overcurrent --example recorder --features metrics`.

use std::{error::Error as StdError, sync::Arc};

use metrics_util::debugging::{DebugValue, DebuggingRecorder};
use overcurrent::{Guard, metrics, register};

fn main() -> Result<(), Box<dyn StdError>> {
    let recorder = DebuggingRecorder::new();
    let told = recorder.snapshotter();
    recorder.install()?;

    let payments = Arc::new(Guard::builder("payments").build()?);
    register(&payments);
    let receipt = payments.call(|_| Ok::<_, std::io::Error>("paid"))?;

    // From time to time, or before each scrape.
    metrics().publish();

    let mut successes = None;
    for (key, _, _, value) in told.snapshot().into_vec() {
        let (_, key) = key.into_parts();
        println!("{key} {value:?}");
        if key.name() == "overcurrent_calls_total" && key.labels().any(|label| label.value() == "success") {
            successes = Some(value);
        }
    }
    assert_eq!((receipt, successes), ("paid", Some(DebugValue::Counter(1))));
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().expect("the example runs");
    }
}
