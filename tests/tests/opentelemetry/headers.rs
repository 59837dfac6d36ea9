//! What goes on with an attempt in headers, and what comes in.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use axum::{Router, routing::get};
use http::{HeaderMap, Request, Response, StatusCode};
use opentelemetry::{
    global::set_text_map_propagator,
    propagation::{TextMapCompositePropagator, TextMapPropagator},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use overcurrent::{
    TraceContext,
    reqwest_middleware::GuardMiddleware,
    tower::{GuardLayer, HttpRules, TraceContextLayer},
};
use reqwest_middleware::ClientBuilder;
use tokio::net::TcpListener;
use tower::{Layer, ServiceExt, service_fn};

use super::{Traced, builder, ids, turn};

/// Sends a request through a guard to a server that is busy once; the headers of each attempt.
async fn send(request: Request<()>) -> Vec<HeaderMap> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let server = {
        let seen = Arc::clone(&seen);
        service_fn(move |request: Request<()>| {
            let mut seen = seen.lock().expect("nobody panics");
            seen.push(request.headers().clone());
            let status = if seen.len() == 1 { 503 } else { 200 };
            std::future::ready(Ok::<_, Infallible>(
                Response::builder().status(status).body(()).expect("valid"),
            ))
        })
    };
    let guard = builder().build().expect("the policy is valid");
    let service = GuardLayer::http(guard, HttpRules::new()).layer(server);
    service.oneshot(request).await.expect("it answers");
    Arc::into_inner(seen).expect("the server is gone").into_inner().expect("nobody panicked")
}

fn came() -> TraceContext {
    let headers = [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("tracestate", "rojo=1"),
        ("baggage", "tenant=7"),
        ("x-correlation-id", "order-7"),
    ];
    TraceContext::extract(|name| headers.iter().filter(move |header| header.0 == name).map(|header| header.1))
}

fn read(headers: &HeaderMap) -> TraceContext {
    TraceContext::extract(|name| headers.get_all(name))
}

#[tokio::test(start_paused = true)]
async fn each_attempt_tells_of_a_span_of_its_own() {
    let _turn = turn();
    let sent = came().in_scope(send(Request::new(()))).await;
    let contexts: Vec<_> = sent.iter().map(read).collect();
    for context in &contexts {
        assert_eq!(context.trace_id(), came().trace_id());
        assert_ne!(context.span_id(), came().span_id());
        assert_eq!((context.tracestate(), context.baggage()), (Some("rojo=1"), Some("tenant=7")));
        assert_eq!(context.correlation_id(), came().correlation_id());
    }
    assert_eq!(contexts.len(), 2);
    assert_ne!(contexts[0].span_id(), contexts[1].span_id());
    assert!(send(Request::new(())).await.iter().all(HeaderMap::is_empty), "on nobody's behalf");
}

#[tokio::test(start_paused = true)]
async fn what_the_caller_has_set_stays_as_it_is() {
    let _turn = turn();
    let own = Request::builder().header("traceparent", "its own").body(()).expect("valid");
    for headers in came().in_scope(send(own)).await {
        assert_eq!((headers.len(), &headers["traceparent"]), (1, &"its own".parse().expect("valid")));
    }
    let own = Request::builder().header("x-correlation-id", "its-own").body(()).expect("valid");
    for headers in came().in_scope(send(own)).await {
        assert_eq!(headers.get_all("x-correlation-id").iter().collect::<Vec<_>>(), ["its-own"]);
        assert_eq!(headers["baggage"], "tenant=7");
    }
}

#[tokio::test(start_paused = true)]
async fn a_traced_attempt_tells_of_its_span_with_and_without_a_propagator() {
    let propagators: [Vec<Box<dyn TextMapPropagator + Send + Sync>>; 2] =
        [vec![Box::new(TraceContextPropagator::new())], vec![]];
    for propagators in propagators {
        let traced = Traced::new();
        set_text_map_propagator(TextMapCompositePropagator::new(propagators));
        let sent = came().in_scope(send(Request::new(()))).await;
        let spans = traced.spans();
        assert_eq!((sent.len(), spans.len()), (2, 2));
        for (headers, span) in sent.iter().zip(&spans) {
            let context = read(headers);
            assert_eq!((context.trace_id(), context.span_id()), ids(span));
            assert_eq!(context.tracestate(), Some("rojo=1"));
            assert_eq!(context.baggage(), Some("tenant=7"));
            assert_eq!(context.correlation_id(), came().correlation_id());
        }
        let error = spans[0].attributes.iter().find(|fact| fact.key.as_str() == "error.type");
        assert_eq!(error.map(|fact| fact.value.to_string()).as_deref(), Some("503"));
    }
}

#[tokio::test]
async fn a_server_answers_on_behalf_of_what_the_headers_say() {
    let _turn = turn();
    let server = TraceContextLayer.layer(service_fn(|_: Request<()>| {
        let when_called = TraceContext::current();
        async move {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>((when_called, TraceContext::current()))
        }
    }));
    let mut request = Request::new(());
    came().inject(|name, value| {
        request.headers_mut().insert(name, value.parse().expect("it is valid"));
    });
    let (when_called, later) = server.clone().oneshot(request).await.expect("it answers");
    assert_eq!((when_called, later), (Some(came()), Some(came())));
    let (nobodys, _) = server.oneshot(Request::new(())).await.expect("it answers");
    assert_eq!(nobodys, Some(TraceContext::default()));
    assert_eq!(TraceContext::current(), None);
}

/// By the client and the server of others, over a socket.
#[tokio::test]
async fn a_server_learns_of_the_span_of_each_attempt_of_reqwest() {
    let traced = Traced::new();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let answer = {
        let seen = Arc::clone(&seen);
        async move || {
            let mut seen = seen.lock().expect("nobody panics");
            seen.push(TraceContext::current().expect("the layer sets one"));
            if seen.len() == 1 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        }
    };
    let application = Router::new().route("/", get(answer)).layer(TraceContextLayer);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let server = tokio::spawn(axum::serve(listener, application).into_future());

    let guarded = GuardMiddleware::shared(builder().build().expect("the policy is valid"));
    let client = ClientBuilder::new(reqwest::Client::new()).with(guarded).build();
    let response = came().in_scope(client.get(format!("http://{address}/")).send()).await;
    server.abort();
    assert_eq!(response.expect("it answers").status(), 200);

    let spans = traced.spans();
    let seen: Vec<_> =
        seen.lock().expect("nobody panicked").iter().map(|seen| (seen.trace_id(), seen.span_id())).collect();
    assert_eq!(seen, spans.iter().map(ids).collect::<Vec<_>>());
    assert_eq!((seen.len(), seen[0].0), (2, came().trace_id()));
}
