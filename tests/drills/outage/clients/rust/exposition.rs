//! Serves what the process has counted, in the format that is asked for.

use std::{convert::Infallible, io, net::Ipv4Addr};

use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{ACCEPT, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use overcurrent::Metrics;
use tokio::{net::TcpListener, task::spawn_local};

/// Serves on a free port of the loopback address until the process ends; returns the port.
pub(crate) async fn serve() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = http1::Builder::new();
            spawn_local(connection.serve_connection(TokioIo::new(stream), service_fn(answer)));
        }
    });
    Ok(port)
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let accepted = request.headers().get(ACCEPT).map_or(&[][..], HeaderValue::as_bytes);
    let metrics = overcurrent::metrics();
    let (kind, text) = if String::from_utf8_lossy(accepted).contains("application/openmetrics-text") {
        (Metrics::OPENMETRICS, metrics.openmetrics())
    } else {
        (Metrics::PROMETHEUS, metrics.prometheus())
    };
    let mut response = Response::new(Full::new(text.into()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(response)
}
