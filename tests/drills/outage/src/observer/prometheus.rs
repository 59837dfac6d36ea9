//! A Prometheus of one's own: on a free port of the loopback address, with a folder of its own.
//!
//! INVARIANT: the process does not outlive the [`Prometheus`].

use std::{
    fmt::Write as _,
    fs, io,
    path::Path,
    process::Stdio,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use reqwest::Url;
use tokio::{
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::answer::{self, Series};
use crate::client::Client;

/// From one scrape to the next. It is also the longest that a scrape may take.
pub const INTERVAL: Duration = Duration::from_millis(250);
/// From one question to the next where an answer is waited for.
pub const POLL: Duration = Duration::from_millis(100);
/// How long it may take to start, on a cold and busy machine.
const STARTING: Duration = Duration::from_secs(30);

/// A running Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    process: Child,
    base: Url,
    http: reqwest::Client,
}

impl Prometheus {
    /// Starts `program`, which keeps its configuration, its data and its log in `folder` and scrapes these ports of the
    /// loopback address. What the folder had is removed.
    ///
    /// # Errors
    /// When it cannot be started, or does not serve in time; with what it logged.
    pub async fn start(program: &Path, folder: &Path, targets: &[(Client, u16)]) -> Result<Self, String> {
        let failed = |what: &Path, error: io::Error| format!("{}: {error}", what.display());
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| failed(folder, error))?;
        }
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let file = folder.join("prometheus.yml");
        fs::write(&file, configuration(targets)).map_err(|error| failed(&file, error))?;
        let log = folder.join("prometheus.log");
        let errors = fs::File::create(&log).map_err(|error| failed(&log, error))?;
        let mut process = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.join("data").display()))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(program, error))?;
        let Ok(Some(address)) = timeout(STARTING, listening(&mut process, &log)).await else {
            let said = fs::read_to_string(&log).unwrap_or_default();
            return Err(format!("{} did not start:\n{said}", program.display()));
        };
        let base = Url::parse(&format!("http://{address}/")).map_err(|error| error.to_string())?;
        let http = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
        let prometheus = Self { process, base, http };
        timeout(STARTING, prometheus.ready())
            .await
            .map_err(|_| format!("Prometheus was not ready after {} s", STARTING.as_secs()))?;
        Ok(prometheus)
    }

    /// Waits until it answers queries.
    async fn ready(&self) {
        loop {
            let url = self.base.join("-/ready").unwrap_or_else(|_| self.base.clone());
            let answered = self.http.get(url).send().await;
            if answered.is_ok_and(|response| response.status().is_success()) {
                return;
            }
            sleep(POLL).await;
        }
    }

    /// Waits until it has scraped every target: it looks for them some seconds after its start.
    ///
    /// # Errors
    /// When it cannot; with what it says of them.
    pub async fn scraping(&self, targets: &[(Client, u16)]) -> Result<(), String> {
        let all = async {
            while self.query("up == 1").await?.len() < targets.len() {
                sleep(POLL).await;
            }
            Ok(())
        };
        match timeout(STARTING, all).await {
            Ok(scraped) => scraped,
            Err(_) => Err(format!(
                "not every client could be scraped within {} s: {}",
                STARTING.as_secs(),
                self.get("api/v1/targets", &[]).await?
            )),
        }
    }

    /// What a query gives now.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn query(&self, query: &str) -> Result<Vec<Series>, String> {
        self.ask("api/v1/query", &[("query", query)]).await
    }

    /// What a query gives at each `step` of a time.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn query_range(
        &self,
        query: &str,
        from: SystemTime,
        lasts: Duration,
        step: Duration,
    ) -> Result<Vec<Series>, String> {
        let seconds = |time: SystemTime| {
            time.duration_since(UNIX_EPOCH).map(|since| format!("{:.3}", since.as_secs_f64()))
        };
        let start = seconds(from).map_err(|error| error.to_string())?;
        let end = seconds(from + lasts).map_err(|error| error.to_string())?;
        let step = format!("{:.3}", step.as_secs_f64());
        let parameters = [("query", query), ("start", &*start), ("end", &*end), ("step", &*step)];
        self.ask("api/v1/query_range", &parameters).await
    }

    async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Vec<Series>, String> {
        let text = self.get(path, parameters).await?;
        answer::parse(&text).map_err(|error| format!("Prometheus, asked {parameters:?}: {error}"))
    }

    async fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<String, String> {
        let failed = |error: &dyn std::fmt::Display| format!("Prometheus, asked {parameters:?}: {error}");
        let url = self.base.join(path).map_err(|error| failed(&error))?;
        let url = Url::parse_with_params(url.as_str(), parameters).map_err(|error| failed(&error))?;
        let response = self.http.get(url).send().await.map_err(|error| failed(&error))?;
        response.text().await.map_err(|error| failed(&error))
    }

    /// Ends it, and returns when it has ended.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn stop(mut self) -> Result<(), String> {
        self.process.kill().await.map_err(|error| format!("Prometheus could not be stopped: {error}"))
    }
}

/// The address that it listens on, once its log tells it; `None` when it ends before.
async fn listening(process: &mut Child, log: &Path) -> Option<String> {
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        let mut whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        if let Some(address) = whole.find_map(address) {
            return Some(address.to_owned());
        }
        if !matches!(process.try_wait(), Ok(None)) {
            return None;
        }
        sleep(POLL).await;
    }
}

/// The address in the line of the log that tells it.
fn address(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("msg=\"Listening on\"")?;
    let (_, rest) = rest.split_once("address=")?;
    rest.split_whitespace().next()
}

fn configuration(targets: &[(Client, u16)]) -> String {
    let interval = INTERVAL.as_millis();
    let mut text = format!(
        "global: {{ scrape_interval: {interval}ms, scrape_timeout: {interval}ms }}\n\
         scrape_configs:\n- job_name: outage\n  static_configs:\n"
    );
    for (client, port) in targets {
        let language = client.language.word();
        let _ = writeln!(text, "  - {{ targets: ['127.0.0.1:{port}'], labels: {{ language: {language} }} }}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Language, Mode};

    #[test]
    fn the_address_is_read_from_the_log() {
        let line = r#"ts=2026 caller=tls_config.go:232 level=info component=web msg="Listening on" address=127.0.0.1:43475"#;
        assert_eq!(address(line), Some("127.0.0.1:43475"));
        assert_eq!(address(r#"msg="Start listening for connections" address=127.0.0.1:0"#), None);
        assert_eq!(address(r#"msg="Listening on""#), None);
    }

    #[test]
    fn each_target_has_its_language() {
        let text = configuration(&[(Client { language: Language::Node, mode: Mode::Guarded }, 4711)]);
        assert!(text.contains("scrape_interval: 250ms"), "{text}");
        assert!(text.ends_with("- { targets: ['127.0.0.1:4711'], labels: { language: node } }\n"), "{text}");
    }

    #[tokio::test]
    async fn one_that_does_not_serve_is_noticed() {
        let folder = std::env::temp_dir().join(format!("overcurrent-observer-{}", std::process::id()));
        let why = Prometheus::start(Path::new("false"), &folder, &[]).await.expect_err("it ends at once");
        assert!(why.starts_with("false did not start"), "{why}");
        let why = Prometheus::start(Path::new("no-such-program"), &folder, &[]).await.expect_err("missing");
        assert!(why.starts_with("no-such-program"), "{why}");
        fs::remove_dir_all(&folder).expect("its folder");
    }
}
