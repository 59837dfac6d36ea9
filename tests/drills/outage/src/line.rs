//! What a client process writes: one JSON object a line. All times are milliseconds since the start
//! instant that it was given.
//!
//! A client first writes `{"event":"ready"}`, then reads one line `{"go":…}` with the start instant in
//! milliseconds since the Unix epoch, so that all begin together. It ends by itself when its last call has.
//! One that serves metrics says on which port (`{"event":"ready","metrics":…}`), writes `{"event":"idle"}` after
//! its last call, and ends when its standard input does.

use serde::{Deserialize, Serialize};

/// How a call ended for its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// With the answer.
    Ok,
    /// With an error of the upstream or of the connection.
    Error,
    /// With a timeout or at its deadline.
    Timeout,
    /// At once: the breaker did not admit it.
    Rejected,
}

/// The state of a breaker, as its user sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Calls go through.
    Closed,
    /// Calls are rejected.
    Open,
    /// A few probes go through.
    HalfOpen,
}

/// A finished call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Call {
    /// When it began.
    pub start: f64,
    /// When its caller had the result.
    pub end: f64,
    /// How it ended.
    pub result: Ending,
    /// How often the upstream was called for it.
    pub attempts: u32,
    /// When each attempt after the first began; the naive clients do not say.
    #[serde(default)]
    pub retried: Vec<f64>,
}

/// A finished attempt that began while the breaker was half-open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Probe {
    /// When it began.
    pub start: f64,
    /// When it ended.
    pub end: f64,
    /// Whether it got an answer that is not a failure.
    pub ok: bool,
    /// Which attempt of its call it was, from 1.
    pub attempt: u32,
    /// How many probes had ended without a good answer before it began.
    pub round: u32,
    /// How many probes of its round were under way when it began, itself among them.
    pub in_flight: u32,
}

/// The state of the breaker at a time: every 50 ms, and whenever the client sees it changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// When.
    pub at: f64,
    /// The state.
    pub state: State,
    /// Retries so far.
    pub retries: u32,
    /// Rejected calls so far.
    pub rejections: u32,
}

/// One line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Line {
    /// The client is set up and waits for the start instant.
    Ready {
        /// The port of the loopback address on which it serves its metrics, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metrics: Option<u16>,
    },
    /// The last call has ended; the client goes on serving its metrics.
    Idle,
    /// A call has finished.
    Call(Call),
    /// A probe has finished.
    Probe(Probe),
    /// A state was seen.
    State(Sample),
}

/// The start signal, the only line that a client reads.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Go {
    /// The start instant, in milliseconds since the Unix epoch.
    pub go: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_as_the_other_languages_write_them() {
        let line = r#"{"event":"state","at":12.5,"state":"half_open","retries":3,"rejections":4}"#;
        assert!(matches!(serde_json::from_str(line), Ok(Line::State(Sample { state: State::HalfOpen, .. }))));
        let line = r#"{"event":"call","start":1,"end":2.5,"result":"rejected","attempts":0}"#;
        assert!(matches!(serde_json::from_str(line), Ok(Line::Call(Call { result: Ending::Rejected, .. }))));
        assert!(matches!(serde_json::from_str(r#"{"event":"ready"}"#), Ok(Line::Ready { metrics: None })));
        let line = r#"{"event":"ready","metrics":9090}"#;
        assert!(matches!(serde_json::from_str(line), Ok(Line::Ready { metrics: Some(9090) })));
        let ready = Line::Ready { metrics: None };
        assert!(serde_json::to_string(&ready).is_ok_and(|line| line == r#"{"event":"ready"}"#));
        assert!(serde_json::from_str::<Line>(r#"{"event":"call","start":1}"#).is_err());
    }
}
