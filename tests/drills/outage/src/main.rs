//! Runs the outage: the upstream, the six clients, the progress line, the table, the report and the
//! claims. Exits with 1 when a claim is violated, with 2 when the run could not be made.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use overcurrent_outage::{
    checks::Claim,
    client::Client,
    fleet::{Commands, Fleet, News},
    limits::Limits,
    progress::Progress,
    record::Record,
    report,
    run::Run,
    script::Script,
    stage::{self, LEAD, OVERSTAY, RATE, READY},
    table,
    upstream::Upstream,
};
use tokio::time::interval;

const USAGE: &str = "usage: outage [--python PATH] [--node PATH] [--report PATH]

Runs a real outage over real sockets, in about twenty seconds, and writes a report.

  --python PATH   a Python with httpx and overcurrent (default python3)
  --node PATH     a Node of version 20 or later (default node)
  --report PATH   where the report goes (default demo-report.html)";

struct Options {
    python: PathBuf,
    node: PathBuf,
    report: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(why) => {
            eprintln!("{why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match demonstrate(options).await {
        Ok(violated) if violated.is_empty() => ExitCode::SUCCESS,
        Ok(violated) => {
            for claim in violated {
                eprintln!("violated: {} {}: {}", claim.language.word(), claim.name, claim.detail);
            }
            ExitCode::FAILURE
        }
        Err(why) => {
            eprintln!("the outage could not be run: {why}");
            ExitCode::from(2)
        }
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options =
        Options { python: "python3".into(), node: "node".into(), report: "demo-report.html".into() };
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--python" => &mut options.python,
            "--node" => &mut options.node,
            "--report" => &mut options.report,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option `{word}`")),
        };
        *place = words.next().ok_or_else(|| format!("{word} needs a path"))?.into();
    }
    Ok(Some(options))
}

/// Makes the run and writes about it; returns the claims that do not hold.
async fn demonstrate(options: Options) -> Result<Vec<Claim>, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let policy = home.join("overcurrent.toml");
    let script = Script::demo();
    let limits = Limits::from_file(&policy)?;
    let commands = Commands {
        rust: stage::sibling("outage-client")?,
        python: options.python,
        node: options.node,
        scripts: home.join("clients"),
        policy,
        rate: RATE,
        lasts: script.total(),
        serving: None,
    };
    let run = perform(&commands, script, limits).await?;
    let claims = run.claims();
    println!("\n{}", table::text(&run));
    fs::write(&options.report, report::page(&run, &claims))
        .map_err(|error| format!("{}: {error}", options.report.display()))?;
    let report = fs::canonicalize(&options.report).unwrap_or(options.report);
    println!("report: file://{}", report.display());
    let kept = claims.iter().filter(|claim| claim.held).count();
    println!("claims: {kept} of {} hold", claims.len());
    Ok(claims.into_iter().filter(|claim| !claim.held).collect())
}

async fn perform(commands: &Commands, script: Script, limits: Limits) -> Result<Run, String> {
    let upstream = Upstream::start(script.clone()).await.map_err(|error| error.to_string())?;
    let mut fleet = Fleet::launch(commands, Client::all(), |client| upstream.url(client))
        .map_err(|error| error.to_string())?;
    fleet.ready(READY).await?;
    stage::start(&mut fleet, &upstream).await?;

    let mut records: [Record; Client::COUNT] = Default::default();
    let overstay = tokio::time::timeout(
        LEAD + script.total() + OVERSTAY,
        follow(&mut fleet, &upstream, &script, &mut records),
    );
    let followed = overstay.await;
    println!();
    followed.map_err(|_| format!("a client was still running {} s after the end", OVERSTAY.as_secs()))??;

    let arrivals = upstream.arrivals();
    let seen = arrivals.all();
    upstream.stop().await;
    Ok(Run { script, limits, rate: commands.rate, records, seen })
}

/// Takes the clients' lines until all have ended, and shows the progress.
async fn follow(
    fleet: &mut Fleet,
    upstream: &Upstream,
    script: &Script,
    records: &mut [Record; Client::COUNT],
) -> Result<(), String> {
    let mut progress = Progress::new();
    let mut paint = interval(Duration::from_millis(100));
    loop {
        tokio::select! {
            news = fleet.next() => match news {
                Some((client, News::Line(line))) => records[client.index()].take(line),
                Some((_, News::Ended)) => {}
                Some((client, News::Failed(why))) => return Err(format!("the {client} client: {why}")),
                None => return Ok(()),
            },
            _ = paint.tick() => progress.show(script, upstream.arrivals(), records),
        }
    }
}
