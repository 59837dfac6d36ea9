//! `demo-report.html`: one page that needs nothing else, for readers who have never seen the project.

mod chart;
mod plot;
mod tables;

use crate::{
    checks::Claim,
    client::Mode,
    run::Run,
    summary::{Row, together},
    table::duration,
};

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("style.css");

/// The whole page.
pub fn page(run: &Run, claims: &[Claim]) -> String {
    let guarded = together(run, Mode::Guarded);
    let naive = together(run, Mode::Naive);
    let seconds = |duration: std::time::Duration| duration.as_secs_f64().to_string();
    let kept = claims.iter().filter(|claim| claim.held).count();
    let verdict = if kept == claims.len() {
        format!("All {kept} hold.")
    } else {
        format!("{} of {} do not hold.", claims.len() - kept, claims.len())
    };
    let limits = &run.limits;
    [
        ("style", STYLE.to_owned()),
        ("total", seconds(run.script.total())),
        ("rate", run.rate.to_string()),
        ("outage-start", seconds(run.script.outage_start())),
        ("recovery-start", seconds(run.script.recovery_start())),
        ("tiles", tiles(&guarded, &naive)),
        ("chart", chart::svg(run)),
        ("phases", tables::phases(run)),
        ("clients", tables::clients(run)),
        ("claims", tables::claims(claims)),
        ("verdict", verdict),
        ("guarded-answers", guarded.fates.answers.to_string()),
        ("naive-answers", naive.fates.answers.to_string()),
        ("probes", plural(limits.probes, "probe")),
        ("cooldown", duration(limits.cooldown)),
        ("cooldown-max", duration(limits.cooldown_max)),
        ("failure-rate", percent(limits.failure_rate)),
        ("slow-rate", percent(limits.slow_rate)),
        ("slow-call", duration(limits.slow_call)),
        ("burst", limits.burst.to_string()),
        ("ratio", percent(limits.ratio)),
        ("min-per-second", limits.min_per_second.to_string()),
        ("outage-seconds", seconds(run.script.recovery_start().saturating_sub(run.script.outage_start()))),
    ]
    .into_iter()
    .fold(PAGE.to_owned(), |page, (name, text)| page.replace(&format!("{{{{{name}}}}}"), &text))
}

/// The numbers that matter most, guarded beside naive.
fn tiles(guarded: &Row, naive: &Row) -> String {
    let time = |time: Option<f64>| time.map_or_else(|| "never".to_owned(), duration);
    [
        (
            "Requests the failing upstream had to take",
            guarded.load.to_string(),
            naive.load.to_string(),
        ),
        ("Most requests waiting there at once", guarded.most_open.to_string(), naive.most_open.to_string()),
        (
            "Mean wait of a caller that gets no answer",
            time(guarded.fates.wait_in_vain()),
            time(naive.fates.wait_in_vain()),
        ),
        ("First answer after the outage", time(guarded.first_answer), time(naive.first_answer)),
    ]
    .map(|(what, guarded, naive)| {
        format!(
            "<div class=\"tile\"><h3>{what}</h3><p><span class=\"guarded-name\"><b>{guarded}</b>guarded</span><span class=\"naive-name\"><b>{naive}</b>naive</span></p></div>\n"
        )
    })
    .concat()
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}

fn plural(number: u32, noun: &str) -> String {
    if number == 1 { format!("one {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{limits, script::Script};

    fn run() -> Run {
        let limits = limits::sample();
        let (records, seen) = Default::default();
        Run { script: Script::demo(), limits, rate: 40, records, seen }
    }

    #[test]
    fn every_place_is_filled() {
        let run = run();
        let page = page(&run, &run.claims());
        assert!(!page.contains("{{") && !page.contains("}}"));
        assert!(page.contains("</html>"));
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let run = run();
        let page = page(&run, &run.claims());
        for reference in ["http:", "https:", "src=", "<link", "@import", "url("] {
            let places = page.matches(reference).count();
            let own = page.matches("url(#").count();
            assert_eq!(places, if reference == "url(" { own } else { 0 }, "{reference}");
        }
    }
}
