"""By which headers a server learns on whose behalf it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import baggage, context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from overcurrent import Guard, Registry, TraceContext
from overcurrent.asgi import TraceContextMiddleware
from overcurrent.fastapi import install
from overcurrent.httpx import AsyncGuardedTransport
from overcurrent.opentelemetry import instrument

from .clients import Client
from .server import RESET, Server, answer
from .test_grpc import Caller, Orders, caller, guards, orders

__all__ = ["caller", "orders"]

NAMES = ("traceparent", "tracestate", "baggage", "x-correlation-id")
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CAME = {
    "traceparent": f"00-{TRACE}-{SPAN}-01",
    "tracestate": "vendor=1",
    "baggage": "tenant=7",
    "x-correlation-id": "order-7",
}


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    """Attempts are traced, into this."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with instrument(provider):
        yield exporter


def spans(exporter: InMemorySpanExporter) -> list[str]:
    """The attempts, as a traceparent names them."""
    named = []
    for span in exporter.get_finished_spans():
        assert span.context is not None
        named.append(
            f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"
        )
    return named


def onward(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name in NAMES}


def send(client: Client, server: Server, **headers: str) -> list[dict[str, str]]:
    """Send a request of three attempts; what each brought."""
    server.will(answer(503), RESET)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    assert client.send("GET", server.url, headers=named).status == 200
    assert len(server.seen) == 3
    return [onward(seen.headers) for seen in server.seen]


def test_without_a_context_nothing_is_added(client: Client, server: Server) -> None:
    client.open(guards())
    assert send(client, server) == [{}] * 3


def test_each_attempt_is_a_span_of_the_trace(client: Client, server: Server) -> None:
    client.open(guards())
    with TraceContext.extract(CAME).scope():
        sent = send(client, server)
    parents = [headers.pop("traceparent").split("-") for headers in sent]
    assert {(version, trace, flags) for version, trace, _, flags in parents} == {("00", TRACE, "01")}
    assert len({span for _, _, span, _ in parents} - {SPAN}) == 3
    assert sent == [{name: value for name, value in CAME.items() if name != "traceparent"}] * 3


def test_what_the_caller_has_set_stays(client: Client, server: Server) -> None:
    client.open(guards())
    with TraceContext.extract(CAME).scope():
        assert send(client, server, Traceparent="mine") == [{"traceparent": "mine"}] * 3
        server.seen.clear()
        sent = send(client, server, Baggage="mine", X_Correlation_Id="mine")
    assert {(headers["baggage"], headers["x-correlation-id"]) for headers in sent} == {("mine", "mine")}
    assert len({headers["traceparent"] for headers in sent}) == 3


def test_a_traced_attempt_sends_its_own_span(
    client: Client, server: Server, exporter: InMemorySpanExporter
) -> None:
    client.open(guards())
    with TraceContext.extract(CAME).scope():
        sent = send(client, server)
    same = {name: value for name, value in CAME.items() if name != "traceparent"}
    assert sent == [{"traceparent": name, **same} for name in spans(exporter)]
    server.seen.clear()
    assert send(client, server, Traceparent="mine") == [{"traceparent": "mine"}] * 3


def test_what_a_propagator_says_of_the_baggage_goes_first(
    client: Client, server: Server, exporter: InMemorySpanExporter
) -> None:
    client.open(guards())
    token = context.attach(baggage.set_baggage("tenant", "8"))
    try:
        with TraceContext.extract(CAME).scope():
            sent = send(client, server)
    finally:
        context.detach(token)
    assert [headers["baggage"] for headers in sent] == ["tenant=8"] * 3
    assert len(spans(exporter)) == 3


def test_the_span_can_be_left_to_the_client(client: Client, server: Server) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    client.open(guards())
    with instrument(provider, propagate=False):
        assert send(client, server) == [{}] * 3
        server.seen.clear()
        with TraceContext.extract(CAME).scope():
            sent = send(client, server)
    assert sent == [{name: CAME[name] for name in ("baggage", "x-correlation-id")}] * 3
    assert len(spans(exporter)) == 6


def test_a_call_of_grpc_says_so_in_its_metadata(
    caller: Caller, orders: Orders, exporter: InMemorySpanExporter
) -> None:
    caller.call(guards=guards())
    assert [onward(brought) for brought in orders.metadata] == [
        {"traceparent": name} for name in spans(exporter)
    ]


def test_an_attempt_of_grpc_is_a_span_of_the_trace(caller: Caller, orders: Orders) -> None:
    caller.call(guards=guards())
    with TraceContext.extract(CAME).scope():
        caller.call(guards=guards())
    assert [sorted(onward(brought)) for brought in orders.metadata] == [[], sorted(NAMES)]
    assert orders.metadata[1]["traceparent"][:36] == f"00-{TRACE}-"


def test_an_application_serves_on_behalf_of_the_request() -> None:
    guard, served = Guard("inner"), []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        served.append(guard.call(TraceContext.current))

    async def main(headers: list[tuple[bytes, bytes]]) -> None:
        await TraceContextMiddleware(application)({"type": "http", "headers": headers}, None, None)  # type: ignore[arg-type]
        await TraceContextMiddleware(application)({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
        assert TraceContext.current() is None

    asyncio.run(main([(name.encode(), value.encode()) for name, value in CAME.items()]))
    asyncio.run(main([(b"traceparent", b"invalid")]))
    assert served == [TraceContext.extract(CAME), None, None, None]


def test_a_route_serves_on_behalf_of_the_request() -> None:
    app, known = FastAPI(), []
    install(app)

    @app.get("/blocking")
    def blocking() -> None:
        known.append(TraceContext.current())

    @app.get("/asynchronous")
    async def asynchronous() -> None:
        known.append(TraceContext.current())

    async def main() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            for path in ("/blocking", "/asynchronous"):
                assert (await client.get(path, headers=CAME)).status_code == 200
                assert (await client.get(path)).status_code == 200

    asyncio.run(main())
    assert known == [TraceContext.extract(CAME), None] * 2


def test_what_came_goes_on_to_the_next_server(server: Server) -> None:
    app = FastAPI()
    install(app)
    registry = Registry()

    @app.get("/")
    async def front() -> int:
        async with httpx.AsyncClient(transport=AsyncGuardedTransport(guards=registry)) as client:
            return (await client.get(server.url)).status_code

    async def main() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            assert (await client.get("/", headers=CAME)).json() == 200

    asyncio.run(main())
    (seen,) = server.seen
    assert seen.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert seen.headers["x-correlation-id"] == "order-7"
