//! The policy of a breaker.

use super::{
    dialect::Dialect,
    field::{Absent, Field, FieldRow, Fields, rows},
    table::{Table, join, refuse},
    value::Value,
    window::{self, FAILURE_RATE, MINIMUM_CALLS, SLOW_CALL, SLOW_RATE, WINDOW, WindowRules},
};
use crate::kernel::{
    error::InvalidPolicy,
    time::{Ppm, Span},
};

/// The validated policy of a breaker.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BreakerPolicy {
    /// The tests over a window, if there are any.
    pub window: Option<WindowRules>,
    /// So many failures in a row open, if set.
    pub consecutive_failures: Option<u32>,
    /// Whether the consecutive test applies only while the window holds fewer than
    /// `minimum_calls` outcomes (so in the defaults, where it is there for trickles).
    pub consecutive_for_trickles: bool,
    /// From this duration on a call is slow.
    pub slow_call: Option<Span>,
    /// From this duration on a cancelled call counts as a failure. `slow_call` if not given; where
    /// that is off too, a guard chooses half of its attempt timeout.
    pub abandon_after: Option<Span>,
    /// The first cooldown.
    pub cooldown: Span,
    /// The longest cooldown.
    pub cooldown_max: Span,
    /// What each further cooldown is multiplied by.
    pub cooldown_multiplier: Ppm,
    /// The share of the cooldown that is added at random, at most.
    pub cooldown_jitter: Ppm,
    /// How many probes may be out at once.
    pub probes: u32,
    /// How many successful probes close.
    pub close_after: u32,
    /// How many failed probes open again.
    pub reopen_after: u32,
    /// How long a probe may take before it counts as lost.
    pub probe_timeout: Span,
    /// Whether `probe_timeout` was given; if not, a guard chooses it by its attempt timeout.
    pub probe_timeout_given: bool,
}

const MILLI: Span = Span::from_millis(1);
const DAY: Span = Span::from_secs(24 * 60 * 60);

/// A duration of a breaker, 1 ms to 24 h.
const fn span(name: &'static str, default: Absent<Span>, meaning: &'static str) -> Field<Span> {
    Field { name, min: MILLI, max: DAY, default, meaning }
}

/// A count of probes, 1 to 64.
const fn count(name: &'static str, meaning: &'static str) -> Field<u32> {
    Field { name, min: 1, max: 64, default: Absent::Is(1), meaning }
}

const CONSECUTIVE_FAILURES: Field<u32> = Field {
    name: "consecutive_failures",
    min: 1,
    max: 1_000,
    default: Absent::Means("10 where no other test is given, and then only below `minimum_calls`; else none"),
    meaning: "so many failures in a row open",
};
const TRICKLE: u32 = 10;
const ABANDON_AFTER: Field<Span> = span(
    "abandon_after",
    Absent::Means("`slow_call`; without it, in a guard, half of `attempt_timeout`; else none"),
    "from this duration on a cancelled call counts as a failure",
);
const COOLDOWN: Field<Span> =
    span("cooldown", Absent::Is(Span::from_secs(5)), "the first cooldown, at most `cooldown_max`");
const COOLDOWN_MAX: Field<Span> =
    span("cooldown_max", Absent::Is(Span::from_secs(60)), "the longest cooldown, before its jitter");
const COOLDOWN_MULTIPLIER: Field<Ppm> = Field {
    name: "cooldown_multiplier",
    min: Ppm::ONE,
    max: Ppm::new(100_000_000),
    default: Absent::Is(Ppm::new(2_000_000)),
    meaning: "what each further cooldown is multiplied by",
};
const COOLDOWN_JITTER: Field<Ppm> = Field {
    name: "cooldown_jitter",
    min: Ppm::ZERO,
    max: Ppm::ONE,
    default: Absent::Is(Ppm::new(100_000)),
    meaning: "the share of the cooldown that is added at random, at most",
};
const PROBES: Field<u32> = count("probes", "probes that may be out at once");
const CLOSE_AFTER: Field<u32> = count("close_after", "successful probes that close");
const REOPEN_AFTER: Field<u32> = count("reopen_after", "failed probes that open again");
const PROBE_TIMEOUT_DEFAULT: Span = Span::from_secs(30);
const PROBE_TIMEOUT: Field<Span> = span(
    "probe_timeout",
    Absent::Means("30s; in a guard no less than `attempt_timeout` (`deadline`, where that is off)"),
    "how long a probe may take before it counts as lost",
);
const FIELDS: &Fields = &[
    &WINDOW,
    &FAILURE_RATE,
    &MINIMUM_CALLS,
    &SLOW_CALL,
    &SLOW_RATE,
    &CONSECUTIVE_FAILURES,
    &ABANDON_AFTER,
    &COOLDOWN,
    &COOLDOWN_MAX,
    &COOLDOWN_MULTIPLIER,
    &COOLDOWN_JITTER,
    &PROBES,
    &CLOSE_AFTER,
    &REOPEN_AFTER,
    &PROBE_TIMEOUT,
];

impl BreakerPolicy {
    /// Parses the raw fields of a breaker on its own; `path` is where they stand, for the errors.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub fn from_value(value: &Value, path: &str, dialect: Dialect) -> Result<Self, InvalidPolicy> {
        Self::read(&Table::open(value, path, dialect, FIELDS)?)
    }

    /// The same within a guard of these limits; an error shows the value as it was written.
    pub(super) fn guarded(
        value: &Value,
        limits: (Option<Span>, Option<Span>),
        path: &str,
        dialect: Dialect,
    ) -> Result<Self, InvalidPolicy> {
        let table = Table::open(value, path, dialect, FIELDS)?;
        let fitted = Self::read(&table)?.within(limits.0, limits.1, path, dialect);
        fitted.map_err(|error| table.refuse(PROBE_TIMEOUT.name, error.rule))
    }

    fn read(table: &Table<'_>) -> Result<Self, InvalidPolicy> {
        let slow_call = table.given(&SLOW_CALL)?;
        let rules = window::rules(table, slow_call)?;
        let in_a_row = table.given(&CONSECUTIVE_FAILURES)?;
        // Without any field of a test both are on, the consecutive one for trickles only.
        let (window, consecutive_failures) = match (rules, in_a_row) {
            (None, None) => (Some(window::DEFAULT), Some(TRICKLE)),
            given => given,
        };
        let probe_timeout = table.given(&PROBE_TIMEOUT)?;
        let policy = Self {
            window,
            consecutive_failures,
            consecutive_for_trickles: rules.is_none() && in_a_row.is_none(),
            slow_call,
            abandon_after: table.given(&ABANDON_AFTER)?.or(slow_call),
            cooldown: table.take(&COOLDOWN)?,
            cooldown_max: table.take(&COOLDOWN_MAX)?,
            cooldown_multiplier: table.take(&COOLDOWN_MULTIPLIER)?,
            cooldown_jitter: table.take(&COOLDOWN_JITTER)?,
            probes: table.take(&PROBES)?,
            close_after: table.take(&CLOSE_AFTER)?,
            reopen_after: table.take(&REOPEN_AFTER)?,
            probe_timeout: probe_timeout.unwrap_or(PROBE_TIMEOUT_DEFAULT),
            probe_timeout_given: probe_timeout.is_some(),
        };
        policy.checked(table)
    }

    /// The policy as a guard with these limits sees it: `probe_timeout` must outlast an attempt,
    /// else no probe could ever close, and `abandon_after` is half an attempt if not set yet.
    ///
    /// # Errors
    /// A given `probe_timeout` below the limit of an attempt, and none given where there is no limit.
    pub fn within(
        &self,
        attempt_timeout: Option<Span>,
        deadline: Option<Span>,
        path: &str,
        dialect: Dialect,
    ) -> Result<Self, InvalidPolicy> {
        let path_of = |field: &Field<Span>| join(path, &dialect.name(field.name));
        let (limit, name) = match (attempt_timeout, deadline) {
            (Some(limit), _) => (limit, "attempt_timeout"),
            (None, Some(limit)) => (limit, "deadline"),
            (None, None) if self.probe_timeout_given => (Span::ZERO, ""),
            (None, None) => {
                let name = dialect.name("attempt_timeout");
                let rule =
                    format!("is here, but the field is required where `{name}` and `deadline` are off");
                return Err(refuse(&path_of(&PROBE_TIMEOUT), "nothing", rule));
            }
        };
        if self.probe_timeout_given && self.probe_timeout < limit {
            let rule = format!("must not be below `{}` of `{limit}`", dialect.name(name));
            return Err(refuse(&path_of(&PROBE_TIMEOUT), self.probe_timeout, rule));
        }
        let half = attempt_timeout.map(|limit| Span::from_nanos(limit.as_nanos() / 2));
        Ok(Self {
            probe_timeout: self.probe_timeout.max(limit),
            abandon_after: self.abandon_after.or(half),
            ..self.clone()
        })
    }

    /// The most probes that may be granted in one half-open epoch, net of returns.
    pub const fn trials(&self) -> u32 {
        self.close_after + self.reopen_after - 1
    }

    /// The table of fields, for docs and tools.
    pub fn fields() -> Vec<FieldRow> {
        let mut all = rows(FIELDS);
        all.extend(window::fields().into_iter().map(|row| row.within(WINDOW.name)));
        all
    }

    /// The rules between fields.
    fn checked(self, table: &Table<'_>) -> Result<Self, InvalidPolicy> {
        let name = |field: &'static str| table.dialect.name(field);
        if self.cooldown > self.cooldown_max {
            // Blame what was given; where both are, the smaller one that does not fit the cap.
            let (blamed, rule) = if table.raw(COOLDOWN.name).is_some() {
                let whence = if table.raw(COOLDOWN_MAX.name).is_some() { "" } else { ", its default" };
                let cap = name(COOLDOWN_MAX.name);
                (&COOLDOWN, format!("must not exceed `{cap}` of `{}`{whence}", self.cooldown_max))
            } else {
                let rule = format!("must not be below `cooldown` of `{}`, its default", self.cooldown);
                (&COOLDOWN_MAX, rule)
            };
            return Err(table.refuse(blamed.name, rule));
        }
        if self.probes > self.trials() {
            let (close, reopen) = (name(CLOSE_AFTER.name), name(REOPEN_AFTER.name));
            let rule = format!("must not exceed `{close}` + `{reopen}` - 1, here `{}`", self.trials());
            return Err(table.refuse(PROBES.name, rule));
        }
        Ok(self)
    }
}

impl Default for BreakerPolicy {
    /// Half of at least 20 calls in 10 s, or ten failures in a row of a trickle; cooldowns from 5 s
    /// to 60 s; one probe decides.
    fn default() -> Self {
        Self {
            window: Some(window::DEFAULT),
            consecutive_failures: Some(TRICKLE),
            consecutive_for_trickles: true,
            slow_call: None,
            abandon_after: None,
            cooldown: COOLDOWN.start(),
            cooldown_max: COOLDOWN_MAX.start(),
            cooldown_multiplier: COOLDOWN_MULTIPLIER.start(),
            cooldown_jitter: COOLDOWN_JITTER.start(),
            probes: PROBES.start(),
            close_after: CLOSE_AFTER.start(),
            reopen_after: REOPEN_AFTER.start(),
            probe_timeout: PROBE_TIMEOUT_DEFAULT,
            probe_timeout_given: false,
        }
    }
}
