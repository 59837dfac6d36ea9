//! The client processes: started, held until all are ready, started together, read to their end.
//!
//! INVARIANT: no process outlives the [`Fleet`].

use std::{collections::VecDeque, io, path::PathBuf, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, Command},
    sync::mpsc,
    task::JoinSet,
};

use crate::{
    client::{Client, Language},
    line::{Go, Line},
};

/// How many of the last lines on a client's standard error are kept.
const COMPLAINT_LINES: usize = 40;

/// How the clients are run.
#[derive(Clone, Debug)]
pub struct Commands {
    /// The Rust client.
    pub rust: PathBuf,
    /// The Python interpreter, with httpx and overcurrent.
    pub python: PathBuf,
    /// Node.
    pub node: PathBuf,
    /// The folder of the Python and the Node client.
    pub scripts: PathBuf,
    /// The policy file of the guarded ones.
    pub policy: PathBuf,
    /// Calls in each second.
    pub rate: u32,
    /// For how long new calls begin.
    pub lasts: Duration,
    /// Whether they serve their metrics, and if so, the name of one more guard that they have. Then they run until
    /// they are [released](Fleet::release).
    pub serving: Option<&'static str>,
}

/// What a client has done.
#[derive(Debug)]
pub enum News {
    /// Written a line.
    Line(Line),
    /// Ended well.
    Ended,
    /// Failed; why.
    Failed(String),
}

/// The running clients.
#[derive(Debug)]
pub struct Fleet {
    clients: Vec<Client>,
    inputs: Vec<ChildStdin>,
    metrics: Vec<(Client, u16)>,
    news: mpsc::UnboundedReceiver<(Client, News)>,
    // Dropping it aborts the readers, and each of them owns its process, which is killed on drop.
    _readers: JoinSet<()>,
}

impl Fleet {
    /// Starts these clients against the URLs.
    ///
    /// # Errors
    /// When a process cannot be started; the error names the command.
    pub fn launch(
        commands: &Commands,
        clients: impl Iterator<Item = Client>,
        url: impl Fn(Client) -> String,
    ) -> io::Result<Self> {
        let (post, news) = mpsc::unbounded_channel();
        let (mut inputs, mut readers) = (Vec::new(), JoinSet::new());
        let clients: Vec<_> = clients.collect();
        for client in clients.iter().copied() {
            let mut child = commands.spawn(client, &url(client))?;
            inputs.extend(child.stdin.take());
            readers.spawn(read(client, child, post.clone()));
        }
        Ok(Self { clients, inputs, metrics: Vec::new(), news, _readers: readers })
    }

    /// Waits until every client is ready.
    ///
    /// # Errors
    /// When one of them fails or is not ready in time.
    pub async fn ready(&mut self, within: Duration) -> Result<(), String> {
        let mut waiting = self.clients.clone();
        let all = async {
            while !waiting.is_empty() {
                match self.next().await {
                    Some((client, News::Line(Line::Ready { metrics }))) => {
                        self.metrics.extend(metrics.map(|port| (client, port)));
                        waiting.retain(|other| *other != client);
                    }
                    Some((client, News::Failed(why))) => return Err(format!("the {client} client: {why}")),
                    Some((client, _)) => {
                        return Err(format!("the {client} client did not wait for the start"));
                    }
                    None => return Err("the clients are gone".to_owned()),
                }
            }
            Ok(())
        };
        if let Ok(result) = tokio::time::timeout(within, all).await {
            return result;
        }
        let names: Vec<_> = waiting.iter().map(ToString::to_string).collect();
        Err(format!("not ready after {} s: {}", within.as_secs(), names.join(", ")))
    }

    /// Tells all clients to start at this instant, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// When one of them no longer listens.
    pub async fn go(&mut self, go: f64) -> io::Result<()> {
        let line = serde_json::to_string(&Go { go })? + "\n";
        for input in &mut self.inputs {
            input.write_all(line.as_bytes()).await?;
        }
        Ok(())
    }

    /// The ports on which the clients that are ready serve their metrics.
    pub fn metrics(&self) -> &[(Client, u16)] {
        &self.metrics
    }

    /// Lets clients that serve metrics end.
    pub fn release(&mut self) {
        self.inputs.clear();
    }

    /// What happens next; `None` when every client has ended.
    pub async fn next(&mut self) -> Option<(Client, News)> {
        self.news.recv().await
    }
}

impl Commands {
    fn spawn(&self, client: Client, url: &str) -> io::Result<Child> {
        let (program, script) = match client.language {
            Language::Rust => (&self.rust, None),
            Language::Python => (&self.python, Some("client.py")),
            Language::Node => (&self.node, Some("client.mjs")),
        };
        Command::new(program)
            .args(script.map(|name| self.scripts.join(name)))
            .args(["--url", url, "--mode", client.mode.word()])
            .args(["--rate", &self.rate.to_string(), "--duration", &self.lasts.as_secs_f64().to_string()])
            .arg("--policy")
            .arg(&self.policy)
            .args(self.serving.iter().flat_map(|name| ["--serving", *name]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| {
                io::Error::new(error.kind(), format!("cannot run {}: {error}", program.display()))
            })
    }
}

async fn read(client: Client, mut child: Child, post: mpsc::UnboundedSender<(Client, News)>) {
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let lines = async {
        if let Err(why) = forward(client, output, &post).await {
            // A client that does not speak the protocol cannot be waited for: it may never end.
            let _ = child.start_kill();
            return Some(why);
        }
        None
    };
    let (garbled, said) = tokio::join!(lines, collect(errors));
    let status = child.wait().await;
    let news = match (garbled, status) {
        (None, Ok(status)) if status.success() => News::Ended,
        (Some(why), _) => News::Failed(format!("{why}\n  {said}")),
        (None, Ok(status)) => News::Failed(format!("{status}\n  {said}")),
        (None, Err(error)) => News::Failed(error.to_string()),
    };
    // Nobody listens any more when the run is being given up.
    let _ = post.send((client, news));
}

async fn forward(
    client: Client,
    output: Option<impl AsyncRead + Unpin>,
    post: &mpsc::UnboundedSender<(Client, News)>,
) -> Result<(), String> {
    let Some(output) = output else { return Ok(()) };
    let mut lines = BufReader::new(output).lines();
    while let Some(text) = lines.next_line().await.map_err(|error| error.to_string())? {
        let line = serde_json::from_str(&text).map_err(|error| format!("wrote `{text}`: {error}"))?;
        let _ = post.send((client, News::Line(line)));
    }
    Ok(())
}

/// The last lines of what a client complains about.
async fn collect(errors: Option<impl AsyncRead + Unpin>) -> String {
    let Some(errors) = errors else { return String::new() };
    let mut lines = BufReader::new(errors).lines();
    let mut kept = VecDeque::new();
    while let Ok(Some(text)) = lines.next_line().await {
        if kept.len() == COMPLAINT_LINES {
            kept.pop_front();
        }
        kept.push_back(text);
    }
    kept.make_contiguous().join("\n  ")
}
