//! Whether what a client serves is what the formats want: read by the tools of Prometheus itself, and the same in each
//! language.
//!
//! promtool checks the text format, and its names. Of `OpenMetrics` it knows nothing: that is read by the strict parser of
//! `prometheus_client`, and by Prometheus, which asks for it whenever it scrapes.

use std::{collections::BTreeSet, path::Path, process::Stdio};

use overcurrent::Metrics;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use tokio::{io::AsyncWriteExt, process::Command};

use super::prometheus::Prometheus;
use crate::client::{Client, Language};

/// What reads the formats.
#[derive(Clone, Copy, Debug)]
pub struct Readers<'p> {
    /// promtool.
    pub promtool: &'p Path,
    /// A Python with `prometheus_client`.
    pub python: &'p Path,
    /// The program for it that reads `OpenMetrics`.
    pub openmetrics: &'p Path,
}

impl Readers<'_> {
    /// Reads what a client serves in both formats.
    ///
    /// # Errors
    /// What a reader objects to.
    pub async fn read(self, client: Client, port: u16) -> Result<(), String> {
        let objected = |what: &str, why: String| format!("the {client} client's {what}: {why}");
        let text = served(port, "text/plain", Metrics::PROMETHEUS).await;
        let text = text.map_err(|why| objected("Prometheus text", why))?;
        let mut check = Command::new(self.promtool);
        let said = read_by(check.args(["check", "metrics"]), &text).await;
        said.map_err(|why| objected("Prometheus text", why))?;

        let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
        let text = served(port, accept, Metrics::OPENMETRICS).await;
        let text = text.map_err(|why| objected("OpenMetrics text", why))?;
        let mut parse = Command::new(self.python);
        let said = read_by(parse.arg(self.openmetrics), &text).await;
        said.map_err(|why| objected("OpenMetrics text", why))
    }
}

/// What is served on a port to who accepts this; it must be said to be of that kind.
async fn served(port: u16, accept: &str, kind: &str) -> Result<String, String> {
    let url = format!("http://127.0.0.1:{port}/metrics");
    let http = reqwest::Client::builder().no_proxy().build().map_err(|error| error.to_string())?;
    let response = http.get(url).header(ACCEPT, accept).send().await.map_err(|error| error.to_string())?;
    let said = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if said != kind {
        return Err(format!("has the content type `{said}`, not `{kind}`"));
    }
    response.text().await.map_err(|error| error.to_string())
}

/// Has a program read a text; whatever it says is an objection.
async fn read_by(command: &mut Command, text: &str) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let piped =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut reader = piped.spawn().map_err(failed)?;
    if let Some(mut input) = reader.stdin.take() {
        // One that has seen enough closes its input, and says why below.
        let _ = input.write_all(text.as_bytes()).await;
    }
    let output = reader.wait_with_output().await.map_err(failed)?;
    let said = [output.stdout, output.stderr].concat();
    if output.status.success() && said.is_empty() {
        return Ok(());
    }
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&said).trim_end()))
}

/// Holds the series of the languages against each other: the same metrics with the same labels.
///
/// # Errors
/// The series that not all of them have.
pub async fn same_series(prometheus: &Prometheus) -> Result<usize, String> {
    let series = prometheus.query(r#"{__name__=~"overcurrent_.+"}"#).await?;
    let [rust, python, node] = Language::ALL.map(|language| {
        let own = series.iter().filter(|series| series.label("language") == language.word());
        own.map(|series| {
            let mut labels = series.labels.clone();
            labels.retain(|name, _| name != "language" && name != "instance");
            labels
        })
        .collect::<BTreeSet<_>>()
    });
    for (language, own) in [(Language::Python, &python), (Language::Node, &node)] {
        if let Some(odd) = own.symmetric_difference(&rust).next() {
            return Err(format!("{} and rust do not both have the series {odd:?}", language.word()));
        }
    }
    Ok(rust.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_reader_says_is_an_objection() {
        assert_eq!(read_by(&mut Command::new("true"), "text").await, Ok(()));
        let why = read_by(&mut Command::new("cat"), "a lint").await;
        assert!(why.is_err_and(|why| why.ends_with("a lint")));
        assert!(read_by(&mut Command::new("false"), "text").await.is_err());
    }
}
