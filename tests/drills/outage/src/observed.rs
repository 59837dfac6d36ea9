//! Runs the outage with the three guarded clients, which serve their metrics, and a Prometheus that scrapes them. Exits
//! with 1 when it does not see what it must, with 2 when the run could not be made.

use std::{
    env,
    fmt::Write as _,
    fs,
    future::pending,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use overcurrent_outage::{
    client::{Client, Language, Mode},
    fleet::{Commands, Fleet, News},
    line::Line,
    observer::{
        exposition::{Readers, same_series},
        history::History,
        prometheus::Prometheus,
        questions::{AWKWARD, Finding, SETTLING, When, ask, ask_those_of},
    },
    record::Record,
    script::Script,
    stage::{self, OVERSTAY, RATE, READY},
    upstream::Upstream,
};
use tokio::time::{sleep_until, timeout};

/// For the whole run; it takes half of it on a machine that has nothing else to do.
const LIMIT: Duration = Duration::from_secs(100);

const USAGE: &str =
    "usage: observed [--python PATH] [--node PATH] [--prometheus FOLDER] [--folder PATH] [--history PATH]

Runs the outage of the demonstration before the eyes of a Prometheus, in about half a minute.

  --python PATH        a Python with httpx, prometheus_client and overcurrent (default python3)
  --node PATH          a Node of version 20 or later (default node)
  --prometheus FOLDER  where prometheus and promtool are (default target/prometheus/bin)
  --folder PATH        for its configuration, data and log; what is there is removed (default target/observed)
  --history PATH       where to write what was seen, as `draw` reads it (default: nowhere)";

struct Options {
    python: PathBuf,
    node: PathBuf,
    prometheus: PathBuf,
    folder: PathBuf,
    history: Option<PathBuf>,
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
    // Whatever ends early, what it started is dropped here, and so ends too.
    let observed = tokio::select! {
        observed = timeout(LIMIT, observe(&options)) => observed,
        () = told_to_end() => Ok(Err("told to end".to_owned())),
    };
    match observed {
        Ok(Ok(0)) => ExitCode::SUCCESS,
        Ok(Ok(missed)) => {
            eprintln!("{missed} answers were not as expected");
            ExitCode::FAILURE
        }
        Ok(Err(why)) => {
            eprintln!("the outage could not be observed: {why}");
            ExitCode::from(2)
        }
        Err(_) => {
            eprintln!("the outage could not be observed within {} s", LIMIT.as_secs());
            ExitCode::from(2)
        }
    }
}

/// Returns when this process is told to end, by an interrupt or, where there is such a signal, by a termination.
async fn told_to_end() {
    let interrupted = async {
        // Where it cannot be heard, it ends the process as it does by default.
        if tokio::signal::ctrl_c().await.is_err() {
            pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = pending::<Option<()>>();
    tokio::select! {
        () = interrupted => {}
        _ = terminated => {}
    }
}

fn options(mut words: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let mut options = Options {
        python: "python3".into(),
        node: "node".into(),
        prometheus: "target/prometheus/bin".into(),
        folder: "target/observed".into(),
        history: None,
    };
    while let Some(word) = words.next() {
        let place = match word.as_str() {
            "--python" => &mut options.python,
            "--node" => &mut options.node,
            "--prometheus" => &mut options.prometheus,
            "--folder" => &mut options.folder,
            "--history" => options.history.insert(PathBuf::new()),
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option `{word}`")),
        };
        *place = words.next().ok_or_else(|| format!("{word} needs a path"))?.into();
    }
    Ok(Some(options))
}

/// Makes the run and says what was seen; returns how many answers were not as expected.
async fn observe(options: &Options) -> Result<usize, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = Script::demo();
    let commands = Commands {
        rust: stage::sibling("outage-client")?,
        python: options.python.clone(),
        node: options.node.clone(),
        scripts: home.join("clients"),
        policy: home.join("overcurrent.toml"),
        rate: RATE,
        lasts: script.total(),
        serving: Some(AWKWARD),
    };
    let upstream = Upstream::start(script.clone()).await.map_err(|error| error.to_string())?;
    let mut fleet = Fleet::launch(&commands, Client::of(Mode::Guarded), |client| upstream.url(client))
        .map_err(|error| error.to_string())?;
    fleet.ready(READY).await?;
    let targets = fleet.metrics().to_vec();
    let prometheus =
        Prometheus::start(&options.prometheus.join("prometheus"), &options.folder, &targets).await?;
    prometheus.scraping(&targets).await?;

    let start = stage::start(&mut fleet, &upstream).await?;
    let begun = Instant::now() + stage::LEAD;
    let mut records: [Record; Client::COUNT] = Default::default();
    let patience = stage::LEAD + script.total() + OVERSTAY;
    let calls = async {
        let called = timeout(patience, follow(&mut fleet, &mut records)).await;
        called.map_err(|_| format!("a client still called {} s after the end", OVERSTAY.as_secs()))?
    };
    let watch = async {
        let none = Default::default();
        let before = ask(&prometheus, When::Before, &none, begun + script.outage_start()).await?;
        sleep_until((begun + script.outage_start()).into()).await;
        let during = ask(&prometheus, When::During, &none, begun + script.recovery_start()).await?;
        Ok::<_, String>([before, during])
    };
    let ((), seen) = tokio::try_join!(calls, watch)?;
    let after = ask(&prometheus, When::After, &records, Instant::now() + SETTLING).await?;
    let missed = seen.iter().chain([&after]).map(|findings| show(findings)).sum();

    let readers = Readers {
        promtool: &options.prometheus.join("promtool"),
        python: &options.python,
        openmetrics: &home.join("clients/openmetrics.py"),
    };
    for (client, port) in targets {
        readers.read(client, port).await?;
    }
    println!("promtool and prometheus_client have nothing to object to, in any language");
    println!("the same {} series in each language", same_series(&prometheus).await?);

    let page = home.join("../../../docs/metrics.md");
    let page = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    println!("{} questions of docs/metrics.md are understood", ask_those_of(&prometheus, &page).await?);

    if let Some(path) = &options.history {
        let history = History::ask(&prometheus, start, &script).await?;
        let text = serde_json::to_string(&history).map_err(|error| error.to_string())?;
        fs::write(path, text + "\n").map_err(|error| format!("{}: {error}", path.display()))?;
    }

    prometheus.stop().await?;
    fleet.release();
    while let Some((client, news)) = fleet.next().await {
        if let News::Failed(why) = news {
            return Err(format!("the {client} client: {why}"));
        }
    }
    upstream.stop().await;
    Ok(missed)
}

/// Takes the clients' lines until the last call of each has ended.
async fn follow(fleet: &mut Fleet, records: &mut [Record; Client::COUNT]) -> Result<(), String> {
    let mut calling = fleet.metrics().len();
    while calling > 0 {
        match fleet.next().await {
            Some((_, News::Line(Line::Idle))) => calling -= 1,
            Some((client, News::Line(line))) => records[client.index()].take(line),
            Some((client, News::Failed(why))) => return Err(format!("the {client} client: {why}")),
            Some((client, News::Ended)) => return Err(format!("the {client} client ended too early")),
            None => return Err("the clients are gone".to_owned()),
        }
    }
    Ok(())
}

/// Prints the answers, a line for each question; returns how many were not as expected.
fn show(findings: &[Finding]) -> usize {
    for group in findings.chunks(Language::ALL.len()) {
        let question = group[0].question;
        let when = match question.when {
            When::Before => "before",
            When::During => "during",
            When::After => "after",
        };
        let mut line = format!("{when:<6} {:<45}", question.about);
        for finding in group {
            // Writing to a string does not fail.
            let _ = write!(line, "  {finding}");
        }
        println!("{line}");
    }
    findings.iter().filter(|finding| !finding.held).count()
}
