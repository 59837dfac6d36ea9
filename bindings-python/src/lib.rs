//! The extension module `overcurrent._core`: converts arguments, translates errors, and drives the
//! core's machines for the Python package around it. No rule of a policy is decided here.
#![deny(unsafe_code)]

mod adapted;
mod behalf;
mod blocking;
mod breaker;
mod budget;
mod call;
mod caller;
mod clock;
mod course;
mod error;
mod events;
mod explain;
mod first;
mod fork;
mod guard;
mod handled;
mod hooks;
mod http;
mod imported;
mod interpreter;
mod lazy;
mod machine;
mod metrics;
mod permit;
mod registry;
mod retry;
mod stay;
mod subscribe;
mod switch;
mod trace;
mod unmade;
mod unused;
mod value;
mod weakly;

use pyo3::prelude::*;

// A free-threaded interpreter takes the lock back while this is loaded, until tests show that it need not.
#[pymodule(gil_used = true)]
mod _core {
    use pyo3::prelude::*;

    #[pymodule_export]
    use super::{
        adapted::Adapted,
        behalf::{error_type, onward_headers, turn_tracing},
        breaker::{Breaker, Part},
        budget::Budget,
        call::Call,
        caller::Caller,
        clock::{Alarm, ManualClock},
        error::{
            Cut, attempt_timeout_text, breaker_open_text, deadline_exceeded_text, invalid_policy_text,
            registry_full_text,
        },
        events::Subscription,
        explain::explain,
        first::First,
        fork::{after_fork, before_fork},
        guard::{Guard, Kept, Policy},
        hooks::Failure,
        http::{HttpRequest, grpc_verdict, http_authority, http_retry_after_header},
        metrics::{Family, Histogram, Metrics, Sample, all_metrics, metrics},
        permit::Permit,
        registry::Registry,
        retry::{Retry, RetryCall, Stop, Wait},
        subscribe::subscribe,
        switch::{turn_disabled, turn_instant},
        trace::TraceContext,
    };

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python knows it by")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        super::interpreter::claim(module.py())?;
        super::events::listen_for_the_log();
        Ok(())
    }
}
