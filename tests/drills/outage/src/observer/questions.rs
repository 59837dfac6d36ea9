//! What Prometheus is asked while the outage goes on and after it, and what it must answer for each language.
//!
//! A question is asked again until its answer was as expected for each language once, or until its time is over. So none
//! depends on when a scrape or an answer comes. After the last call, counts are held against those that the clients
//! made of their own calls.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use super::{
    answer::Series,
    prometheus::{POLL, Prometheus},
};
use crate::{
    client::{Client, Language, Mode},
    line::Ending,
    record::Record,
};

/// The name of one more guard that each client has and calls once: one that every format must escape.
pub const AWKWARD: &str = "a \"quoted\" \\name,\nof {two} lines, é";

/// When a question is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the outage.
    Before,
    /// While it lasts.
    During,
    /// When every call has ended.
    After,
}

/// What must be answered.
#[derive(Clone, Copy, Debug)]
enum Expected {
    /// This.
    Exactly(f64),
    /// More than this.
    MoreThan(f64),
    /// What the client counted itself.
    Counted(fn(&Record) -> u32),
    /// No less than the client counted itself.
    AtLeast(fn(&Record) -> u32),
}

impl Expected {
    fn met(self, value: f64, record: &Record) -> bool {
        let same = |expected: f64| (value - expected).abs() < 1e-6;
        match self {
            Self::Exactly(expected) => same(expected),
            Self::MoreThan(bound) => value > bound,
            Self::Counted(count) => same(count(record).into()),
            Self::AtLeast(count) => value >= count(record).into(),
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(expected) => write!(formatter, "not {expected}"),
            Self::MoreThan(bound) => write!(formatter, "not more than {bound}"),
            Self::Counted(_) => formatter.write_str("not what the client counted"),
            Self::AtLeast(_) => formatter.write_str("less than the client counted"),
        }
    }
}

/// A question; its answer has one value for each language.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// When it is asked.
    pub when: When,
    /// What it asks for, in a few words.
    pub about: &'static str,
    /// In the language of Prometheus.
    pub query: &'static str,
    expected: Expected,
}

/// Declares questions: when, about what, what must be answered, and how it is asked.
macro_rules! questions {
    ($($when:ident $about:literal $expected:ident($value:expr): $query:literal;)*) => {
        /// All of them.
        pub const QUESTIONS: &[Question] = &[$(Question {
            when: When::$when,
            about: $about,
            query: $query,
            expected: Expected::$expected($value),
        }),*];
    };
}

questions! {
    Before "breaker closed" Exactly(1.0):
        r#"overcurrent_breaker_state{breaker="upstream",state="closed"}"#;
    Before "rejections so far, a zero that is there" Exactly(0.0):
        r#"sum by (language) (overcurrent_rejections_total{breaker="upstream"})"#;
    Before "calls per second that succeed" MoreThan(0.0):
        r#"rate(overcurrent_calls_total{guard="upstream",outcome="success"}[2s])"#;

    During "breaker open" Exactly(1.0):
        r#"overcurrent_breaker_state{breaker="upstream",state="open"}"#;
    During "rejections per second" MoreThan(0.0):
        r#"sum by (language) (rate(overcurrent_rejections_total{breaker="upstream"}[2s]))"#;
    During "retries per second" MoreThan(0.0):
        r#"sum by (language) (rate(overcurrent_retries_total{guard="upstream"}[2s]))"#;
    During "calls in flight" MoreThan(0.0):
        r#"overcurrent_in_flight{guard="upstream"}"#;
    During "tokens gone from the budget" MoreThan(0.0):
        r#"10 - overcurrent_budget_tokens{guard="upstream"}"#;

    After "breaker closed" Exactly(1.0):
        r#"overcurrent_breaker_state{breaker="upstream",state="closed"}"#;
    After "calls in flight" Exactly(0.0):
        r#"overcurrent_in_flight{guard="upstream"}"#;
    After "calls" Counted(Record::total):
        r#"sum by (language) (overcurrent_calls_total{guard="upstream"})"#;
    After "calls, success" Counted(|record| record.ended(Ending::Ok)):
        r#"overcurrent_calls_total{guard="upstream",outcome="success"}"#;
    After "calls, failure" Counted(|record| record.ended(Ending::Error)):
        r#"overcurrent_calls_total{guard="upstream",outcome="failure"}"#;
    After "calls, timeout" Counted(|record| record.ended(Ending::Timeout)):
        r#"overcurrent_calls_total{guard="upstream",outcome="timeout"}"#;
    After "calls, rejected" Counted(|record| record.ended(Ending::Rejected)):
        r#"overcurrent_calls_total{guard="upstream",outcome="rejected"}"#;
    After "attempts" Counted(Record::attempts):
        r#"sum by (language) (overcurrent_attempts_total{guard="upstream"})"#;
    // A retry that was decided is no attempt, where the breaker opens meanwhile.
    After "retries" AtLeast(Record::retries):
        r#"sum by (language) (overcurrent_retries_total{guard="upstream"})"#;
    After "rejections by the open breaker" AtLeast(|record| record.ended(Ending::Rejected).min(1)):
        r#"overcurrent_rejections_total{breaker="upstream",reason="open"}"#;
    After "calls whose duration was measured" Counted(|record| record.total() - record.ended(Ending::Rejected)):
        r#"overcurrent_call_duration_seconds_count{guard="upstream"}"#;
    After "its median is that of a bucket" MoreThan(0.0):
        r#"histogram_quantile(0.5, sum by (language, le) (overcurrent_call_duration_seconds_bucket{guard="upstream"}))"#;

    After "transitions closed to open" MoreThan(0.0):
        r#"sum by (language) (overcurrent_breaker_transitions_total{breaker="upstream",from="closed",to="open"})"#;
    After "transitions open to half-open" MoreThan(0.0):
        r#"overcurrent_breaker_transitions_total{breaker="upstream",from="open",to="half_open",reason="cooldown_over"}"#;
    After "transitions half-open to open" MoreThan(0.0):
        r#"overcurrent_breaker_transitions_total{breaker="upstream",from="half_open",to="open",reason="probe_failed"}"#;
    After "transitions half-open to closed" MoreThan(0.0):
        r#"overcurrent_breaker_transitions_total{breaker="upstream",from="half_open",to="closed",reason="probes_succeeded"}"#;
    // As often as it left closed it came back.
    After "openings without a closing" Exactly(0.0):
        r#"sum by (language) (overcurrent_breaker_transitions_total{breaker="upstream",from="closed",to="open"})
           - on (language) overcurrent_breaker_transitions_total{breaker="upstream",from="half_open",to="closed",reason="probes_succeeded"}"#;

    After "was open at some time" Exactly(1.0):
        r#"max_over_time(overcurrent_breaker_state{breaker="upstream",state="open"}[2m])"#;
    After "states at once, at the most" Exactly(1.0):
        r#"max_over_time(sum by (language) (overcurrent_breaker_state{breaker="upstream"})[2m:250ms])"#;
    After "states at once, at the least" Exactly(1.0):
        r#"min_over_time(sum by (language) (overcurrent_breaker_state{breaker="upstream"})[2m:250ms])"#;
    After "calls of a guard whose name must be escaped" Exactly(1.0):
        r#"overcurrent_calls_total{guard="a \"quoted\" \\name,\nof {two} lines, é",outcome="success"}"#;
}

/// The answer to a question for one language.
#[derive(Clone, Copy, Debug)]
pub struct Finding {
    /// The question.
    pub question: &'static Question,
    /// Of which language.
    pub language: Language,
    /// Whether it was once as expected.
    pub held: bool,
    /// That answer, else the last one; `None` where it had no value.
    pub value: Option<f64>,
}

/// Asks the questions of a time, until all answers were as expected or until `end`.
///
/// # Errors
/// When Prometheus refuses one.
pub async fn ask(
    prometheus: &Prometheus,
    when: When,
    records: &[Record; Client::COUNT],
    end: Instant,
) -> Result<Vec<Finding>, String> {
    let questions = QUESTIONS.iter().filter(|question| question.when == when);
    let mut findings: Vec<_> = questions
        .flat_map(|question| {
            Language::ALL.map(|language| Finding { question, language, held: false, value: None })
        })
        .collect();
    loop {
        let late = Instant::now() >= end;
        for group in findings.chunks_mut(Language::ALL.len()) {
            if group.iter().any(|finding| !finding.held) {
                let answer = prometheus.query(group[0].question.query).await?;
                for finding in group.iter_mut().filter(|finding| !finding.held) {
                    let word = finding.language.word();
                    let own = answer.iter().find(|series| series.label("language") == word);
                    finding.take(own.and_then(Series::last), records);
                }
            }
        }
        if late || findings.iter().all(|finding| finding.held) {
            return Ok(findings);
        }
        sleep(POLL).await;
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:.3}"));
        let value = value.strip_suffix(".000").unwrap_or(&value);
        write!(formatter, "{} {value:>6}", self.language.word())?;
        if self.held { Ok(()) } else { write!(formatter, " ({}!)", self.question.expected) }
    }
}

impl Finding {
    fn take(&mut self, value: Option<f64>, records: &[Record; Client::COUNT]) {
        let client = Client { language: self.language, mode: Mode::Guarded };
        let met = |value| self.question.expected.met(value, &records[client.index()]);
        self.held = value.is_some_and(met);
        self.value = value;
    }
}

/// Asks each of the questions that a page of the docs has in its `promql` blocks; returns how many.
///
/// # Errors
/// When Prometheus does not understand one, or there are none.
pub async fn ask_those_of(prometheus: &Prometheus, page: &str) -> Result<usize, String> {
    let mut asked = 0;
    for query in in_blocks(page) {
        prometheus.query(query).await?;
        asked += 1;
    }
    if asked == 0 { Err("the page has no `promql` blocks".to_owned()) } else { Ok(asked) }
}

/// What is in the `promql` blocks of a page.
fn in_blocks(page: &str) -> impl Iterator<Item = &str> {
    page.split("```promql\n").skip(1).filter_map(|rest| rest.split("```").next())
}

/// How long after the last call the answers may take to be as expected.
pub const SETTLING: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{Call, Line};

    fn question(query: &str) -> &'static Question {
        QUESTIONS.iter().find(|question| question.query == query).expect("a question")
    }

    #[test]
    fn counts_are_held_against_those_of_the_client() {
        let question = question(r#"sum by (language) (overcurrent_calls_total{guard="upstream"})"#);
        let mut finding = Finding { question, language: Language::Python, held: false, value: None };
        let mut records: [Record; Client::COUNT] = Default::default();
        let call = Call { start: 0.0, end: 1.0, result: Ending::Ok, attempts: 1, retried: Vec::new() };
        let client = Client { language: Language::Python, mode: Mode::Guarded };
        records[client.index()].take(Line::Call(call));
        finding.take(None, &records);
        assert!(!finding.held);
        finding.take(Some(2.0), &records);
        assert!(!finding.held);
        assert_eq!((finding.held, finding.value), (false, Some(2.0)));
        finding.take(Some(1.0), &records);
        assert!(finding.held);
    }

    #[test]
    fn a_page_is_read_block_by_block() {
        let page = "Up?\n\n```promql\nup\n```\n\n```rust\ncode\n```\n\n```promql\nup\n  > 0\n```\n";
        assert_eq!(in_blocks(page).collect::<Vec<_>>(), ["up\n", "up\n  > 0\n"]);
    }

    #[test]
    fn more_is_more() {
        let record = Record::default();
        assert!(Expected::MoreThan(0.0).met(0.1, &record) && !Expected::MoreThan(0.0).met(0.0, &record));
        assert!(!Expected::MoreThan(0.0).met(f64::NAN, &record));
        assert!(Expected::AtLeast(Record::total).met(0.0, &record));
        assert!(!Expected::Exactly(1.0).met(0.99, &record));
    }

    #[test]
    fn the_awkward_name_is_asked_for_as_it_is() {
        let escaped = AWKWARD.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
        let asked = QUESTIONS.iter().filter(|question| question.query.contains(&escaped));
        assert_eq!(asked.count(), 1);
    }
}
