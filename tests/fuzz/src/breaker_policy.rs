//! A breaker's policy, drawn from bytes: as a document would write it, and as the model goes by it.
//!
//! Four bytes say which fields are given; then every field follows, given or not.

use arbitrary::{Arbitrary, Result, Unstructured};
use overcurrent::Value;

use crate::{
    draw::{choice, milli_to_day, number},
    model::rules::{Extent, Rules},
};

const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;
const WHOLE: u32 = 1_000_000;
/// Windows of calls no longer than this: a longer one is slow, and no other rule holds for it.
const MOST_CALLS: u32 = 4_096;

/// A policy in both forms.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) written: Value,
    pub(crate) rules: Rules,
}

/// The fields that were given, under their names in a document.
struct Writer {
    flags: u32,
    table: Vec<(String, Value)>,
}

impl Writer {
    /// Writes a field if its bit is set; what it then is, and nothing otherwise.
    fn give<T: Copy>(&mut self, bit: u32, name: &str, value: T, write: impl Fn(T) -> Value) -> Option<T> {
        let given = self.flags >> bit & 1 == 1;
        if given {
            self.table.push((name.to_owned(), write(value)));
        }
        given.then_some(value)
    }
}

fn duration(nanos: u64) -> Value {
    Value::Text(format!("{nanos}ns"))
}

fn ratio(parts: u32) -> Value {
    Value::Number(format!("{}.{:06}", parts / WHOLE, parts % WHOLE))
}

fn extent(window: Extent) -> Value {
    let fields = match window {
        Extent::Calls(calls) => vec![("calls", Value::from(calls))],
        Extent::Time { buckets, width } => {
            vec![("time", duration(width * u64::from(buckets))), ("buckets", Value::from(buckets))]
        }
    };
    Value::Table(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn window(bytes: &mut Unstructured<'_>) -> Result<Extent> {
    let by_calls = choice(bytes, 2)? == 0;
    let buckets = number(bytes, 1, 60)?;
    let calls = number(bytes, 1, MOST_CALLS)?;
    let width = milli_to_day(bytes)?.min(24 * 3_600 * SECOND / u64::from(buckets));
    Ok(if by_calls { Extent::Calls(calls) } else { Extent::Time { buckets, width } })
}

impl<'a> Arbitrary<'a> for Drawn {
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let mut out = Writer { flags: bytes.arbitrary()?, table: Vec::new() };
        let window = out.give(0, "window", window(bytes)?, extent);
        let capacity = match window {
            Some(Extent::Calls(calls)) => calls,
            _ => WHOLE,
        };
        let failure_rate = out.give(1, "failure_rate", number(bytes, 1, WHOLE)?, ratio);
        let minimum = number(bytes, 1, WHOLE)?.min(capacity);
        let minimum_calls = out.give(2, "minimum_calls", minimum, Value::from);
        let slow_call = out.give(3, "slow_call", milli_to_day(bytes)?, duration);
        let slow_rate = number(bytes, 1, WHOLE)?;
        // It is an error without `slow_call`.
        let slow_rate = slow_call.and_then(|_| out.give(4, "slow_rate", slow_rate, ratio));
        let in_a_row = out.give(5, "consecutive_failures", number(bytes, 1, 1_000)?, Value::from);
        let abandon_after = out.give(6, "abandon_after", milli_to_day(bytes)?, duration);
        let cooldown_max = out.give(7, "cooldown_max", milli_to_day(bytes)?, duration);
        let most = cooldown_max.unwrap_or(60 * SECOND);
        let cooldown = milli_to_day(bytes)?.min(most);
        // The default of the one must fit what is given for the other.
        out.flags |= u32::from(most < 5 * SECOND) << 8;
        let cooldown = out.give(8, "cooldown", cooldown, duration);
        let multiplier = out.give(9, "cooldown_multiplier", number(bytes, WHOLE, 100 * WHOLE)?, ratio);
        let jitter = out.give(10, "cooldown_jitter", number(bytes, 0, WHOLE)?, ratio);
        let close_after = out.give(11, "close_after", number(bytes, 1, 64)?, Value::from).unwrap_or(1);
        let reopen_after = out.give(12, "reopen_after", number(bytes, 1, 64)?, Value::from).unwrap_or(1);
        let trials = close_after + reopen_after - 1;
        let probes = out.give(13, "probes", number(bytes, 1, 64)?.min(trials), Value::from).unwrap_or(1);
        let probe_timeout = out.give(14, "probe_timeout", milli_to_day(bytes)?, duration);

        let no_rates = window.is_none() && failure_rate.is_none() && minimum_calls.is_none();
        let no_rates = no_rates && slow_call.is_none();
        let defaults = no_rates && in_a_row.is_none();
        let usual = Extent::Time { buckets: 10, width: 1_000 * MILLI };
        let rules = Rules {
            window: (defaults || !no_rates).then_some(window.unwrap_or(usual)),
            failure_rate: failure_rate.unwrap_or(WHOLE / 2).into(),
            minimum_calls: minimum_calls.unwrap_or(capacity.min(20)),
            slow_call,
            slow_rate: slow_rate.unwrap_or(WHOLE).into(),
            in_a_row: if defaults { Some(10) } else { in_a_row },
            in_a_row_for_trickles: defaults,
            abandon_after: abandon_after.or(slow_call),
            cooldown: cooldown.unwrap_or(5 * SECOND),
            cooldown_max: most,
            cooldown_multiplier: multiplier.unwrap_or(2 * WHOLE).into(),
            cooldown_jitter: jitter.unwrap_or(WHOLE / 10).into(),
            probes,
            close_after,
            reopen_after,
            probe_timeout: probe_timeout.unwrap_or(30 * SECOND),
        };
        Ok(Self { written: Value::Table(out.table), rules })
    }
}
