//! What the policy promises, read from the policy file without the core: a witness must not share the
//! code of the one it watches.

use std::path::Path;

use serde::Deserialize;

/// The numbers that the run is held to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How many probes may be out at once.
    pub probes: u32,
    /// The deadline of a call, in milliseconds: no wait before a retry is longer.
    pub deadline: f64,
    /// The first cooldown, in milliseconds.
    pub cooldown: f64,
    /// The longest cooldown, in milliseconds.
    pub cooldown_max: f64,
    /// The share of failures that opens.
    pub failure_rate: f64,
    /// The share of slow calls that opens.
    pub slow_rate: f64,
    /// From this duration on a call is slow, in milliseconds.
    pub slow_call: f64,
    /// Retries that the budget allows at once.
    pub burst: u32,
    /// Retries that it allows for each call.
    pub ratio: f64,
    /// Retries that it allows in each second.
    pub min_per_second: f64,
}

#[derive(Deserialize)]
struct Document {
    policy: Policies,
}

#[derive(Deserialize)]
struct Policies {
    upstream: Policy,
}

#[derive(Deserialize)]
struct Policy {
    deadline: String,
    retry: Retry,
    breaker: Breaker,
}

#[derive(Deserialize)]
struct Retry {
    budget: Budget,
}

#[derive(Deserialize)]
struct Budget {
    ratio: f64,
    min_per_second: f64,
    burst: u32,
}

#[derive(Deserialize)]
struct Breaker {
    probes: u32,
    cooldown: String,
    cooldown_max: String,
    slow_call: String,
    failure_rate: f64,
    slow_rate: f64,
}

impl Limits {
    /// Reads them from a policy file, in which all of them must be written out.
    ///
    /// # Errors
    /// When the file cannot be read or lacks one of them.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let document: Document = toml::from_str(text).map_err(|error| error.to_string())?;
        let Policy { deadline, retry: Retry { budget }, breaker } = document.policy.upstream;
        Ok(Self {
            probes: breaker.probes,
            deadline: milliseconds(&deadline)?,
            cooldown: milliseconds(&breaker.cooldown)?,
            cooldown_max: milliseconds(&breaker.cooldown_max)?,
            failure_rate: breaker.failure_rate,
            slow_rate: breaker.slow_rate,
            slow_call: milliseconds(&breaker.slow_call)?,
            burst: budget.burst,
            ratio: budget.ratio,
            min_per_second: budget.min_per_second,
        })
    }

    /// The most retries that the budget allows for so many calls within so many milliseconds.
    pub fn retries(&self, calls: u32, elapsed: f64) -> f64 {
        f64::from(self.burst) + self.ratio * f64::from(calls) + self.min_per_second * elapsed / 1000.0
    }
}

/// The two units that the policy of the demonstration uses.
fn milliseconds(text: &str) -> Result<f64, String> {
    let (digits, factor) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1.0),
        (None, Some(digits)) => (digits, 1000.0),
        (None, None) => return Err(format!("`{text}` is in neither ms nor s")),
    };
    digits.parse::<f64>().map(|number| number * factor).map_err(|_| format!("`{text}` is not a duration"))
}

/// Limits for tests.
#[cfg(test)]
pub(crate) fn sample() -> Limits {
    Limits {
        probes: 1,
        deadline: 2000.0,
        cooldown: 500.0,
        cooldown_max: 1000.0,
        failure_rate: 0.6,
        slow_rate: 0.5,
        slow_call: 300.0,
        burst: 2,
        ratio: 0.1,
        min_per_second: 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_of_the_demonstration_has_them_all() {
        let limits = Limits::parse(include_str!("../overcurrent.toml"));
        assert!(
            limits.as_ref().is_ok_and(|limits| limits.probes > 0 && limits.cooldown <= limits.cooldown_max),
            "{limits:?}"
        );
    }

    #[test]
    fn the_budget_adds_up() {
        let limits = Limits { burst: 10, ratio: 0.25, min_per_second: 2.0, ..sample() };
        assert!((limits.retries(100, 3000.0) - 41.0).abs() < 1e-9);
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(milliseconds("250ms"), Ok(250.0));
        assert_eq!(milliseconds("1.5s"), Ok(1500.0));
        assert!(milliseconds("5m").is_err() && milliseconds("s").is_err());
    }
}
