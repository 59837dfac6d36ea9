//! The upstream: an HTTP server on loopback that follows a script.
//!
//! A request is read in every phase, so that each one is counted under its client. Hanging requests
//! are held until their phase ends or the client leaves; a reset is a real one (RST, by a linger of
//! zero). [`Upstream::stop`] ends every connection before it returns.

use std::{
    convert::Infallible,
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{HeaderMap, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::{JoinHandle, JoinSet},
    time::{sleep, sleep_until},
};

use crate::{
    arrivals::Arrivals,
    client::Client,
    script::{Behaviour, Script},
};

/// The header with the key that all attempts of one call share.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The header of an attempt that began while its breaker was half-open: how many probes had
/// ended without a good answer before.
pub const PROBE_ROUND: &str = "x-probe-round";

/// Which of four requests a busy upstream refuses: half of them, in pairs, so that two probes in a row
/// can succeed.
const REFUSED: [bool; 4] = [false, false, true, true];

/// A running upstream.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    arrivals: Arc<Arrivals>,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Upstream {
    /// Listens on a free port of the loopback address. Until [`begin`](Self::begin) the script stands
    /// at its start.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let arrivals = Arc::new(Arrivals::default());
        let desk = Arc::new(Desk { script, arrivals: Arc::clone(&arrivals), turns: Default::default() });
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(accept(listener, desk, stopped));
        Ok(Self { address, arrivals, stop, server })
    }

    /// The URL of a client.
    pub fn url(&self, client: Client) -> String {
        format!("http://{}{}", self.address, client.path())
    }

    /// What was seen so far.
    pub fn arrivals(&self) -> &Arc<Arrivals> {
        &self.arrivals
    }

    /// Starts the script at this instant.
    pub fn begin(&self, start: Instant) {
        self.arrivals.begin(start);
    }

    /// Ends every connection and the server.
    pub async fn stop(self) {
        // A server that is gone already needs no signal, and a panic in it has been printed.
        let _ = self.stop.send(());
        let _ = self.server.await;
    }
}

/// What all connections share.
struct Desk {
    script: Script,
    arrivals: Arc<Arrivals>,
    turns: [AtomicUsize; Client::COUNT],
}

async fn accept(listener: TcpListener, desk: Arc<Desk>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(serve(stream, Arc::clone(&desk))); }
                // Out of file descriptors, or a client that left too early: the next one may do better.
                Err(_) => sleep(Duration::from_millis(5)).await,
            },
        }
    }
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, desk: Arc<Desk>) {
    // Without this an answer may wait for the acknowledgement of the one before; a failure to set it costs only that.
    let _ = stream.set_nodelay(true);
    let hang_up = Arc::new(Notify::new());
    let signal = Arc::clone(&hang_up);
    let service = service_fn(move |request| answer(Arc::clone(&desk), Arc::clone(&signal), request));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = &mut connection => return,
        () = hang_up.notified() => {}
    }
    // With a linger of zero the close is a reset. Where it cannot be set, it is a plain close.
    let _ = connection.into_parts().io.into_inner().set_zero_linger();
}

async fn answer(
    desk: Arc<Desk>,
    hang_up: Arc<Notify>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(client) = Client::from_path(request.uri().path()) else {
        return Ok(reply(StatusCode::NOT_FOUND, "no such client"));
    };
    let key = text(request.headers(), IDEMPOTENCY_KEY).unwrap_or_default();
    let round = text(request.headers(), PROBE_ROUND).and_then(|round| round.parse().ok());
    let phase = desk.script.at(desk.arrivals.elapsed());
    let _visit = desk.arrivals.visit(client, key, round);
    match phase.behaviour {
        Behaviour::Answer { latency } => {
            sleep(latency).await;
            Ok(reply(StatusCode::OK, "done"))
        }
        Behaviour::Busy { latency, retry_after } => {
            let turn = desk.turns[client.index()].fetch_add(1, Ordering::Relaxed);
            sleep(latency).await;
            if !REFUSED[turn % REFUSED.len()] {
                return Ok(reply(StatusCode::OK, "done"));
            }
            let mut refusal = reply(StatusCode::SERVICE_UNAVAILABLE, "busy");
            refusal.headers_mut().insert(RETRY_AFTER, retry_after.into());
            Ok(refusal)
        }
        Behaviour::Hang => {
            let left = phase.end.saturating_sub(desk.arrivals.elapsed());
            sleep_until((Instant::now() + left).into()).await;
            hang_up.notify_one();
            pending().await
        }
        Behaviour::Reset => {
            hang_up.notify_one();
            pending().await
        }
    }
}

fn reply(status: StatusCode, body: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
