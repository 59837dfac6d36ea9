//! The Rust client of the outage: reqwest, through a guard or in a plain retry loop.
//!
//! One thread and one task a call, begun on schedule whatever became of the earlier ones. Lines go to
//! standard output, as `overcurrent_outage::line` describes them.
#![forbid(unsafe_code)]

mod exposition;
mod guarded;
mod link;
mod naive;
mod report;

use std::{
    env,
    error::Error,
    io::{self, BufRead, Read},
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use link::Link;
use overcurrent_outage::{
    checks::calls_due,
    line::{Go, Line},
};
use report::Report;
use tokio::{
    task::{JoinSet, LocalSet, spawn_blocking},
    time::sleep_until,
};

struct Options {
    url: String,
    policy: PathBuf,
    guarded: bool,
    rate: u32,
    lasts: Duration,
    /// The name of one more guard, where metrics are served.
    serving: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match LocalSet::new().run_until(run()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let options = options()?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    warm_up(&http, &options.url).await?;
    if options.guarded {
        let guarded = guarded::Guarded::new(http, options.url, &options.policy)?;
        let metrics = match &options.serving {
            Some(_) => Some(exposition::serve().await?),
            None => None,
        };
        let _beside = options.serving.as_deref().map(Link::call_once).transpose()?;
        let report = Rc::new(Report::begin(wait_for_start(metrics).await?));
        let (sampled, sampling) = (Rc::clone(&guarded), Rc::clone(&report));
        let sampler = tokio::task::spawn_local(async move { sampled.sample(&sampling).await });
        let (called, caller) = (Rc::clone(&guarded), Rc::clone(&report));
        steadily(options.rate, options.lasts, &report, move || {
            let (guarded, report) = (Rc::clone(&called), Rc::clone(&caller));
            async move { guarded.call(&report).await }
        })
        .await;
        sampler.abort();
        if options.serving.is_some() {
            report::write(&Line::Idle);
            spawn_blocking(|| io::stdin().lock().read_to_end(&mut Vec::new())).await??;
        }
    } else {
        let naive = Rc::new(naive::Naive::new(http, options.url));
        let report = Rc::new(Report::begin(wait_for_start(None).await?));
        let caller = Rc::clone(&report);
        steadily(options.rate, options.lasts, &report, move || {
            let (naive, report) = (Rc::clone(&naive), Rc::clone(&caller));
            async move { naive.call(&report).await }
        })
        .await;
    }
    Ok(())
}

/// Begins a call at each multiple of `1 / rate`, and waits until the last one has ended.
async fn steadily<F>(rate: u32, lasts: Duration, report: &Report, call: impl Fn() -> F)
where
    F: Future<Output = ()> + 'static,
{
    let mut calls = JoinSet::new();
    for number in 0..calls_due(rate, lasts) {
        sleep_until((report.start() + Duration::from_secs(1) * number / rate).into()).await;
        calls.spawn_local(call());
    }
    calls.join_all().await;
}

/// Calls once under a path that is not counted, so that the first call that is finds all in place.
async fn warm_up(http: &reqwest::Client, url: &str) -> reqwest::Result<()> {
    http.post(format!("{url}/warm-up")).send().await?.bytes().await.map(drop)
}

/// Says that all is set up, and reads the instant at which all clients start.
async fn wait_for_start(metrics: Option<u16>) -> Result<Instant, Box<dyn Error>> {
    report::write(&Line::Ready { metrics });
    let line = spawn_blocking(|| io::stdin().lock().lines().next()).await?;
    let Go { go } = serde_json::from_str(&line.transpose()?.ok_or("no start signal")?)?;
    let start = UNIX_EPOCH + Duration::from_secs_f64(go / 1000.0);
    Ok(Instant::now() + start.duration_since(SystemTime::now()).unwrap_or_default())
}

fn options() -> Result<Options, String> {
    let (mut url, mut policy, mut mode, mut rate, mut lasts) = (None, None, None, None, None);
    let mut serving = None;
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--url" => url = Some(value),
            "--policy" => policy = Some(PathBuf::from(value)),
            "--mode" => mode = Some(value),
            "--rate" => rate = value.parse().ok(),
            "--duration" => lasts = value.parse().ok().and_then(|s| Duration::try_from_secs_f64(s).ok()),
            "--serving" => serving = Some(value),
            _ => return Err(format!("unknown option `{word}`")),
        }
    }
    let guarded = match mode.as_deref() {
        Some("guarded") => true,
        Some("naive") => false,
        _ => return Err("--mode is guarded or naive".to_owned()),
    };
    match (url, policy, rate, lasts) {
        (Some(url), Some(policy), Some(rate), Some(lasts)) => {
            Ok(Options { url, policy, guarded, rate, lasts, serving })
        }
        _ => Err("--url, --policy, --rate and --duration must be given".to_owned()),
    }
}
