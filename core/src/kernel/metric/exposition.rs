//! Metrics as text, in the two formats that Prometheus reads.
//!
//! | | Prometheus 0.0.4 | `OpenMetrics` 1.0.0 |
//! | --- | --- | --- |
//! | the family of a counter | is named as its samples | without `_total` |
//! | escaped in a label | `\`, `"`, line feed | the same |
//! | escaped in a help | `\`, line feed | `"` too |
//! | the end | | `# EOF` |
//!
//! Sources: "Exposition formats" of the Prometheus documentation; `OpenMetrics` 1.0.0, "Text format" and its ABNF.

use std::fmt::{self, Display, Write as _};

use super::{
    family::{Family, Number, Sample},
    table::{Metric, MetricKind},
};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Prometheus,
    OpenMetrics,
}

/// Text with what must not stand in it as such escaped.
struct Escaped<'t> {
    text: &'t str,
    quotes: bool,
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.text.chars() {
            match letter {
                '\\' => f.write_str("\\\\"),
                '\n' => f.write_str("\\n"),
                '"' if self.quotes => f.write_str("\\\""),
                letter => f.write_char(letter),
            }?;
        }
        Ok(())
    }
}

impl Format {
    /// The text of the families.
    pub(super) fn render(self, families: impl Iterator<Item = Family>) -> String {
        let mut text = String::new();
        for family in families {
            // Writing to a string cannot fail.
            let _ = self.family(&mut text, &family);
        }
        if self == Self::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }

    fn family(self, text: &mut String, Family { metric, samples }: &Family) -> fmt::Result {
        let name = self.family_name(metric);
        let help = Escaped { text: metric.help, quotes: self == Self::OpenMetrics };
        writeln!(text, "# HELP {name} {help}")?;
        writeln!(text, "# TYPE {name} {}", metric.kind.as_str())?;
        for sample in samples {
            write_sample(text, metric.name, sample);
        }
        Ok(())
    }

    fn family_name(self, metric: &Metric) -> &'static str {
        match (self, metric.kind) {
            (Self::OpenMetrics, MetricKind::Counter) => {
                metric.name.strip_suffix("_total").unwrap_or(metric.name)
            }
            _ => metric.name,
        }
    }
}

fn write_sample(text: &mut String, name: &str, sample: &Sample) {
    sample.numbers(|suffix, bound, number| {
        let number: &dyn Display = match &number {
            Number::Count(count) => count,
            Number::Level(level) => level,
        };
        // Writing to a string cannot fail.
        let _ = write_line(text, name, suffix, sample, bound, number);
    });
}

fn write_line(
    text: &mut String,
    name: &str,
    suffix: &str,
    sample: &Sample,
    bound: Option<&str>,
    value: &dyn Display,
) -> fmt::Result {
    write!(text, "{name}{suffix}")?;
    let mut before = '{';
    for (label, value) in sample.labels().chain(bound.map(|bound| ("le", bound))) {
        write!(text, "{before}{label}=\"{}\"", Escaped { text: value, quotes: true })?;
        before = ',';
    }
    writeln!(text, "}} {value}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{
        metric::{Histogram, SampleValue},
        time::Span,
    };

    fn render(format: Format, metric: &'static Metric, subject: &str, value: SampleValue) -> String {
        let samples = vec![Sample::new(metric, subject.into(), ["a", "b", "c"], value)];
        format.render([Family { metric, samples }].into_iter())
    }

    static QUOTED: Metric = Metric {
        name: "quoted_total",
        kind: MetricKind::Counter,
        labels: &["breaker", "reason"],
        help: "A \"quote\", a \\ and a\nline.",
    };

    #[test]
    fn each_format_escapes_as_it_must() {
        let value = SampleValue::Counter(7);
        assert_eq!(
            render(Format::Prometheus, &QUOTED, "\"\\\n{é}", value.clone()),
            "# HELP quoted_total A \"quote\", a \\\\ and a\\nline.\n\
             # TYPE quoted_total counter\n\
             quoted_total{breaker=\"\\\"\\\\\\n{é}\",reason=\"a\"} 7\n"
        );
        assert_eq!(
            render(Format::OpenMetrics, &QUOTED, "\"\\\n{é}", value),
            "# HELP quoted A \\\"quote\\\", a \\\\ and a\\nline.\n\
             # TYPE quoted counter\n\
             quoted_total{breaker=\"\\\"\\\\\\n{é}\",reason=\"a\"} 7\n\
             # EOF\n"
        );
    }

    #[test]
    fn a_gauge_keeps_its_fraction_and_its_name() {
        let text = render(Format::OpenMetrics, Metric::BUDGET_TOKENS, "g", SampleValue::Gauge(9.5));
        assert!(text.contains("# TYPE overcurrent_budget_tokens gauge\n"), "{text}");
        assert!(text.ends_with("\novercurrent_budget_tokens{guard=\"g\"} 9.5\n# EOF\n"), "{text}");
    }

    #[test]
    fn a_histogram_has_its_buckets_its_sum_and_its_count() {
        let mut histogram = Histogram { sum: Span::from_millis(1_250), ..Histogram::default() };
        (histogram.counts[0], histogram.counts[7], histogram.counts[11]) = (1, 2, 4);
        let value = SampleValue::Histogram(Box::new(histogram));
        let text = render(Format::Prometheus, Metric::CALL_DURATION, "g", value);
        let lines: Vec<_> = text.lines().skip(2).collect();
        let line =
            |nth: usize| lines[nth].strip_prefix("overcurrent_call_duration_seconds").expect("its name");
        assert_eq!(line(0), "_bucket{guard=\"g\",le=\"0.005\"} 1");
        assert_eq!(line(6), "_bucket{guard=\"g\",le=\"0.5\"} 1");
        assert_eq!(line(7), "_bucket{guard=\"g\",le=\"1.0\"} 3");
        assert_eq!(line(11), "_bucket{guard=\"g\",le=\"+Inf\"} 7");
        assert_eq!((line(12), line(13)), ("_sum{guard=\"g\"} 1.25", "_count{guard=\"g\"} 7"));
        assert_eq!(lines.len(), 14);
    }

    #[test]
    fn nothing_ends_too() {
        assert_eq!(Format::OpenMetrics.render([].into_iter()), "# EOF\n");
        assert_eq!(Format::Prometheus.render([].into_iter()), "");
    }
}
