//! A server that does what a test says, request by request.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    serve::Listener,
};
use http_body_util::channel::Channel;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};

/// How one request is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its connection is reset.
    Reset,
    /// It is never answered.
    Hang,
    /// 503, with this `Retry-After`.
    Busy(&'static str),
    /// The body begins, and does not go on.
    SlowBody,
    /// The body begins, and breaks off when that is said.
    BrokenBody,
    /// It is sent to the same place again.
    Redirect,
}

/// A server of one test; it ends with it.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<Log>>,
    task: JoinHandle<io::Result<()>>,
}

#[derive(Debug, Default)]
struct Log {
    faults: VecDeque<Fault>,
    requests: Vec<HeaderMap>,
    hanging: usize,
    breaking: Arc<Notify>,
}

type Shared = Arc<Mutex<Log>>;

fn locked(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().expect("nobody panics with it")
}

impl Server {
    /// Starts one that treats its first requests so, and answers all others with 200.
    pub(crate) async fn start(faults: &[Fault]) -> Self {
        let state = Shared::default();
        locked(&state).faults.extend(faults);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let application = Router::new().fallback(answer).with_state(Arc::clone(&state));
        let resets = Resets { listener, state: Arc::clone(&state) };
        let task = tokio::spawn(axum::serve(resets, application).into_future());
        Self { address, state, task }
    }

    /// Treats the next requests so.
    pub(crate) fn then(&self, faults: &[Fault]) {
        locked(&self.state).faults.extend(faults);
    }

    /// Has the body that is being sent break off.
    pub(crate) fn break_off(&self) {
        locked(&self.state).breaking.notify_one();
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> usize {
        locked(&self.state).requests.len()
    }

    /// What each request had in this header.
    pub(crate) fn headers(&self, name: &str) -> Vec<Option<String>> {
        let text = |headers: &HeaderMap| Some(headers.get(name)?.to_str().expect("it is ASCII").to_owned());
        locked(&self.state).requests.iter().map(text).collect()
    }

    /// How many requests are never answered, their connections open.
    pub(crate) fn hanging(&self) -> usize {
        locked(&self.state).hanging
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A request that hangs.
struct Hanging(Shared);

impl Hanging {
    fn begin(state: Shared) -> Self {
        locked(&state).hanging += 1;
        Self(state)
    }
}

impl Drop for Hanging {
    fn drop(&mut self) {
        locked(&self.0).hanging -= 1;
    }
}

async fn answer(State(state): State<Shared>, request: Request) -> Response {
    let (fault, breaking) = {
        let mut log = locked(&state);
        log.requests.push(request.headers().clone());
        (log.faults.pop_front(), Arc::clone(&log.breaking))
    };
    // Each request comes by a connection of its own, so that the next one can be reset.
    let close = [(header::CONNECTION, "close")];
    match fault {
        None | Some(Fault::Reset) => (close, "fine").into_response(),
        Some(Fault::Hang) => {
            let _hanging = Hanging::begin(state);
            pending().await
        }
        Some(Fault::Busy("")) => (StatusCode::SERVICE_UNAVAILABLE, close).into_response(),
        Some(Fault::Busy(wait)) => {
            (StatusCode::SERVICE_UNAVAILABLE, close, [(header::RETRY_AFTER, wait)]).into_response()
        }
        Some(Fault::Redirect) => (close, Redirect::temporary(request.uri().path())).into_response(),
        Some(fault @ (Fault::SlowBody | Fault::BrokenBody)) => {
            let (mut body, channel) = Channel::<Bytes, io::Error>::new(1);
            tokio::spawn(async move {
                body.send_data(Bytes::from_static(b"first")).await.expect("somebody reads");
                if fault == Fault::BrokenBody {
                    breaking.notified().await;
                    body.abort(io::Error::other("it breaks off"));
                } else {
                    pending::<()>().await;
                }
            });
            (close, Body::new(channel)).into_response()
        }
    }
}

/// Resets connections where that is their turn.
struct Resets {
    listener: TcpListener,
    state: Shared,
}

impl Listener for Resets {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            let (stream, address) = Listener::accept(&mut self.listener).await;
            let mut log = locked(&self.state);
            if log.faults.front() != Some(&Fault::Reset) {
                return (stream, address);
            }
            log.faults.pop_front();
            stream.set_zero_linger().expect("the connection is open");
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}
