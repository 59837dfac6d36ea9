//! What a breaker takes along when its process ends: durations, never instants.

use serde::{Deserialize, Serialize};

use crate::kernel::{
    breaker::{Command, State},
    error::InvalidPolicy,
    outcome::{OpenReason, Position},
    time::{Instant, Span},
};

/// The version of [`Snapshot`] that this release writes and reads.
const VERSION: u32 = 1;
/// The longest time that may remain.
const MOST_REMAINING: Span = Span::from_secs(24 * 3600);
const MOST_OPENS: u8 = 63;

/// A breaker's state in portable form; the same document in every language.
///
/// An unknown field is an error when it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// Always 1.
    pub version: u32,
    /// `closed`, `open` or `half_open`.
    pub state: String,
    /// `forced_open` or `forced_closed`, if an operator has overridden the state.
    pub r#override: Option<String>,
    /// How long it was still to stay open, in nanoseconds; 0 in the other states.
    pub remaining_ns: u64,
    /// How often in a row it had opened, 0 to 63.
    pub opens: u8,
    /// Why it had opened, if it was open or half-open.
    pub reason: Option<String>,
}

impl Snapshot {
    /// The snapshot as a JSON document.
    #[cfg(feature = "json")]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The snapshot of a JSON document.
    ///
    /// # Errors
    /// [`InvalidPolicy`] where it is none: an unknown or missing field, a wrong type.
    #[cfg(feature = "json")]
    pub fn from_json(text: &str) -> Result<Self, InvalidPolicy> {
        serde_json::from_str(text).map_err(|error| InvalidPolicy {
            path: "snapshot".into(),
            value: text.into(),
            rule: format!("is not a snapshot: {error}"),
        })
    }

    pub(crate) fn take(state: State, deadline: Instant, now: Instant) -> Self {
        let (base, forced) = match state.position {
            Position::ForcedOpen => (Position::Open, Some(state.position)),
            Position::ForcedClosed => (Position::Closed, Some(state.position)),
            _ => (state.position, None),
        };
        let remaining = if state.position == Position::Open { deadline.since(now) } else { Span::ZERO };
        Self {
            version: VERSION,
            state: base.as_str().to_owned(),
            r#override: forced.map(|position| position.as_str().to_owned()),
            remaining_ns: remaining.as_nanos(),
            opens: state.opens,
            reason: state.reason.map(|reason| reason.as_str().to_owned()),
        }
    }

    /// The command that restores it. Half-open comes back as open with nothing remaining.
    pub(crate) fn command(&self) -> Result<Command, InvalidPolicy> {
        let invalid = |field: &str, value: String, rule: String| InvalidPolicy {
            path: format!("snapshot.{field}"),
            value,
            rule,
        };
        if self.version != VERSION {
            let rule = format!("is not a version this release reads, which is `{VERSION}`");
            return Err(invalid("version", self.version.to_string(), rule));
        }
        let state = Position::from_word(&self.state)
            .filter(|state| matches!(state, Position::Closed | Position::Open | Position::HalfOpen))
            .ok_or_else(|| {
                invalid("state", self.state.clone(), "must be closed, open or half_open".into())
            })?;
        let forced = match self.r#override.as_deref() {
            None => None,
            Some(word) => Some(
                Position::from_word(word)
                    .filter(|forced| matches!(forced, Position::ForcedOpen | Position::ForcedClosed))
                    .ok_or_else(|| {
                        invalid("override", word.into(), "must be forced_open or forced_closed".into())
                    })?,
            ),
        };
        let reason = match self.reason.as_deref() {
            None => None,
            Some(word) => Some(OpenReason::from_word(word).ok_or_else(|| {
                let known: Vec<&str> = OpenReason::ALL.iter().map(|reason| reason.as_str()).collect();
                invalid("reason", word.into(), format!("must be one of {}", known.join(", ")))
            })?),
        };
        if self.opens > MOST_OPENS {
            return Err(invalid("opens", self.opens.to_string(), format!("must be 0 to {MOST_OPENS}")));
        }
        let remaining = Span::from_nanos(self.remaining_ns);
        if remaining > MOST_REMAINING {
            let value = format!("{}ns", self.remaining_ns);
            return Err(invalid("remaining_ns", value, format!("must be at most {MOST_REMAINING}")));
        }
        let position = forced.unwrap_or(if state == Position::HalfOpen { Position::Open } else { state });
        let remaining = if state == Position::Open { remaining } else { Span::ZERO };
        let reason = (position == Position::Open).then(|| reason.unwrap_or(OpenReason::Manual));
        Ok(Command::Restore { position, opens: self.opens, reason, remaining })
    }
}
