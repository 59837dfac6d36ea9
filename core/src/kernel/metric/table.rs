//! The metrics: their names, kinds, labels and meaning. This is the only place that names them.

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// Observations, counted by size.
    Histogram,
}

impl MetricKind {
    /// The word for it in an exposition.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A metric: its name, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metric {
    /// Its name, the same in every language; that of a counter ends in `_total`.
    pub name: &'static str,
    /// How it moves.
    pub kind: MetricKind,
    /// The names of its labels, the first of which is whose it is.
    pub labels: &'static [&'static str],
    /// What it tells, in a sentence.
    pub help: &'static str,
}

/// Declares the metrics, each a constant, and the list of all.
macro_rules! metrics {
    ($($id:ident: $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        impl Metric {
            $(
                #[doc = $help]
                pub const $id: &Self = &Self {
                    name: $name,
                    kind: MetricKind::$kind,
                    labels: &[$($label),*],
                    help: $help,
                };
            )*

            /// Every metric there is, in the order in which they are rendered.
            pub const ALL: &[&Self] = &[$(Self::$id),*];
        }
    };
}

metrics! {
    CALLS: Counter "overcurrent_calls_total" ["guard", "outcome"]
        "Calls that have ended, by how.";
    ATTEMPTS: Counter "overcurrent_attempts_total" ["guard", "outcome"]
        "Attempts that have ended, by how.";
    RETRIES: Counter "overcurrent_retries_total" ["guard", "reason"]
        "Failed attempts that are tried again after a wait, by what the wait came from.";
    GIVE_UPS: Counter "overcurrent_give_ups_total" ["guard", "reason"]
        "Calls whose last failure was handed over, by why it was not retried.";
    IN_FLIGHT: Gauge "overcurrent_in_flight" ["guard"]
        "Calls that have begun and not ended.";
    BUDGET_TOKENS: Gauge "overcurrent_budget_tokens" ["guard"]
        "Tokens in the retry budget; each retry takes one.";
    CALL_DURATION: Histogram "overcurrent_call_duration_seconds" ["guard"]
        "How long calls took, with all their attempts and waits; without those that the breaker rejected.";
    REJECTIONS: Counter "overcurrent_rejections_total" ["breaker", "reason"]
        "Calls that the breaker rejected, by why.";
    STATE: Gauge "overcurrent_breaker_state" ["breaker", "state"]
        "1 for the state that the breaker is in, 0 for the others.";
    TRANSITIONS: Counter "overcurrent_breaker_transitions_total" ["breaker", "from", "to", "reason"]
        "Changes of state, also back into the same one.";
    LATE_RESULTS: Counter "overcurrent_late_results_total" ["breaker"]
        "Outcomes that came after a change of state and counted as nothing.";
    EVICTIONS: Counter "overcurrent_evictions_total" ["registry"]
        "Idle entries that the registry forgot to make room.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_prometheus() {
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        for metric in Metric::ALL {
            assert!(metric.name.starts_with("overcurrent_") && plain(metric.name), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == MetricKind::Counter,
                "{}",
                metric.name
            );
            assert!((1..=4).contains(&metric.labels.len()) && metric.labels.iter().all(|label| plain(label)));
            assert!(metric.help.ends_with('.'), "{}", metric.name);
        }
    }
}
