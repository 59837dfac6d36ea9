"""The interceptors, blocking and asynchronous, against a real gRPC server."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import grpc
import grpc.aio
import pytest
from overcurrent import AttemptTimeout, BreakerOpen, Guard, ManualClock, Registry
from overcurrent.grpc import AsyncGuardInterceptor, GuardInterceptor

from .server import until

GET, SEND = "/test.Orders/Get", "/test.Orders/Send"
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
THRICE: Any = {"max_attempts": 3, "backoff": "none", "jitter": "none"}


class Orders(grpc.GenericRpcHandler):
    """A service that echoes, once it has run out of failures."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, bytes]] = []
        self.metadata: list[dict[str, Any]] = []
        self.failures: deque[tuple[grpc.StatusCode, dict[str, str]]] = deque()
        self.remaining: list[float | None] = []
        self.target = ""

    def will(self, *codes: grpc.StatusCode, **trailers: str) -> None:
        named = {f"grpc-retry-{name}".replace("_", "-"): value for name, value in trailers.items()}
        self.failures.extend((code, named) for code in codes)

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        def handle(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.seen.append((details.method, request))
            self.metadata.append(dict[str, Any](context.invocation_metadata()))
            self.remaining.append(context.time_remaining())
            if self.failures:
                code, trailers = self.failures.popleft()
                context.set_trailing_metadata(tuple(trailers.items()))
                context.abort(code, "as told")
            return request

        def stream(request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            yield handle(request, context)
            yield request

        if details.method.endswith("Stream"):
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(handle)


@pytest.fixture
def orders() -> Iterator[Orders]:
    orders = Orders()
    server = grpc.server(ThreadPoolExecutor(4), handlers=[orders])
    orders.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield orders
    server.stop(None).wait(5)


class Caller:
    """Calls through an interceptor; each call on a channel of its own."""

    def __init__(self, target: str, kind: str) -> None:
        self.target = target
        self.kind = kind

    def call(self, method: str = GET, timeout: float | None = 10.0, **options: Any) -> bytes:
        if self.kind == "blocking":
            return self.blocking(method, timeout, options)
        if self.kind == "future":
            return self.blocking(method, timeout, options, future=True)
        return asyncio.run(self.asynchronous(method, options, timeout=timeout))

    def blocking(
        self, method: str, timeout: float | None, options: dict[str, Any], *, future: bool = False
    ) -> bytes:
        interceptor = GuardInterceptor(self.target, **options)
        with grpc.intercept_channel(grpc.insecure_channel(self.target), interceptor) as channel:
            stub: Any = channel.unary_unary(method)
            if future:
                return bytes(stub.future(b"order", timeout=timeout).result())
            return bytes(stub(b"order", timeout=timeout))

    async def asynchronous(self, method: str, options: dict[str, Any], **given: Any) -> bytes:
        interceptor = AsyncGuardInterceptor(self.target, **options)
        async with grpc.aio.insecure_channel(self.target, interceptors=[interceptor]) as channel:
            stub: Any = channel.unary_unary(method)
            return bytes(await stub(b"order", **given))


@pytest.fixture(params=["blocking", "future", "asynchronous"])
def caller(request: pytest.FixtureRequest, orders: Orders) -> Caller:
    return Caller(orders.target, request.param)


def guards(**policy: Any) -> Registry:
    return Registry(**{"retry": THRICE, **policy})


def test_what_may_be_repeated_is_tried_again(caller: Caller, orders: Orders) -> None:
    orders.will(UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert caller.call(guards=guards(), idempotent={GET}) == b"order"
    assert orders.seen == [(GET, b"order")] * 3


@pytest.mark.parametrize("idempotent", [{GET}, lambda method: method == GET])
def test_what_may_not_is_called_once(
    caller: Caller, orders: Orders, idempotent: set[str] | Callable[[str], bool]
) -> None:
    orders.will(UNAVAILABLE)
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(SEND, guards=guards(), idempotent=idempotent)
    assert caught.value.code() is UNAVAILABLE
    assert orders.seen == [(SEND, b"order")]


def test_the_last_error_comes_back(caller: Caller, orders: Orders) -> None:
    orders.will(UNAVAILABLE, UNAVAILABLE, grpc.StatusCode.INTERNAL, UNAVAILABLE)
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(guards=guards(), idempotent={GET})
    assert (caught.value.code(), caught.value.details()) == (grpc.StatusCode.INTERNAL, "as told")
    assert any("not_retryable" in note for note in caught.value.__notes__)
    assert len(orders.seen) == 3


def test_an_answer_is_no_failure(caller: Caller, orders: Orders) -> None:
    registry = guards(breaker={"consecutive_failures": 1})
    orders.will(grpc.StatusCode.NOT_FOUND)
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(guards=registry, idempotent={GET})
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert caller.call(guards=registry) == b"order"
    assert len(orders.seen) == 2


def test_pushback_is_waited_for(caller: Caller, orders: Orders, clock: ManualClock) -> None:
    registry = guards(clock=clock)
    orders.will(UNAVAILABLE, pushback_ms="1500")
    assert caller.call(guards=registry, idempotent={GET}) == b"order"
    assert clock.now_ns == 1_500_000_000
    orders.will(UNAVAILABLE, pushback_ms="-1")
    with pytest.raises(grpc.RpcError):
        caller.call(guards=registry, idempotent={GET})
    assert len(orders.seen) == 3


def test_each_target_has_a_breaker(caller: Caller, orders: Orders) -> None:
    registry = guards(retry=False, breaker={"consecutive_failures": 1})
    orders.will(UNAVAILABLE)
    with pytest.raises(grpc.RpcError):
        caller.call(guards=registry)
    with pytest.raises(BreakerOpen) as caught:
        caller.call(guards=registry)
    assert caught.value.breaker == orders.target
    assert list(registry) == [orders.target]
    assert caller.call(guards=Guard("own")) == b"order"
    assert len(orders.seen) == 2


def test_the_timeout_is_that_of_all_attempts_and_waits(
    caller: Caller, orders: Orders, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The call begins; an attempt, and its failure; another, and its failure; a wait that takes too long.
    times = iter([0.0, 0.0, 1.0, 5.0, 6.0, 11.0])
    monkeypatch.setattr("overcurrent.grpc.time", SimpleNamespace(monotonic=times.__next__))
    orders.will(*[UNAVAILABLE] * 9)
    registry = guards(retry={**THRICE, "max_attempts": 9}, attempt_timeout="60s", deadline=False)
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(guards=registry, idempotent={GET}, timeout=10.0)
    assert isinstance(caught.value, grpc.Call | grpc.aio.AioRpcError)
    assert caught.value.code() == UNAVAILABLE
    first, second = (seconds for seconds in orders.remaining if seconds is not None)
    assert 8 < first < 11
    assert 3 < second < 6
    attempts = next(
        family for family in registry.metrics().families if family.name == "overcurrent_attempts_total"
    )
    ended = {sample.labels["outcome"]: sample.value for sample in attempts.samples}
    assert (ended["failure"], ended["ignored"]) == (2, 1)
    assert next(times, None) is None


def test_a_call_without_any_time_says_nothing_about_the_server(caller: Caller) -> None:
    registry = guards(breaker={"consecutive_failures": 1})
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(guards=registry, idempotent={GET}, timeout=-1.0)
    assert isinstance(caught.value, grpc.Call | grpc.aio.AioRpcError)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    breaker = registry[caller.target].breaker
    assert breaker is not None
    assert breaker.state == "closed"


def test_the_timeout_is_cut_to_what_remains(caller: Caller, orders: Orders) -> None:
    assert caller.call(guards=guards(attempt_timeout="2s"), timeout=None) == b"order"
    assert caller.call(guards=guards(attempt_timeout="2s"), timeout=60.0) == b"order"
    assert caller.call(guards=guards(attempt_timeout="60s", deadline=False), timeout=2.0) == b"order"
    assert all(remaining is not None and 0 < remaining <= 2.1 for remaining in orders.remaining)


def test_a_target_that_nobody_listens_at_is_unavailable(caller: Caller) -> None:
    caller.target = "127.0.0.1:1"
    registry = guards(retry=False, breaker={"consecutive_failures": 1})
    with pytest.raises(grpc.RpcError) as caught:
        caller.call(guards=registry)
    assert caught.value.code() is UNAVAILABLE
    with pytest.raises(BreakerOpen):
        caller.call(guards=registry)


def test_streams_pass_untouched(orders: Orders) -> None:
    guard = Guard("own", retry=THRICE, breaker={"consecutive_failures": 1})
    interceptor = GuardInterceptor(orders.target, guards=guard)
    with grpc.intercept_channel(grpc.insecure_channel(orders.target), interceptor) as channel:
        stub: Any = channel.unary_stream("/test.Orders/Stream")
        assert guard.breaker is not None
        guard.breaker.force_open()
        assert list(stub(b"order")) == [b"order", b"order"]


def test_a_call_that_hangs_is_given_up_in_time(caller: Caller, orders: Orders, monkeypatch: Any) -> None:
    waited: list[bool] = []

    def hang(request: bytes, context: grpc.ServicerContext) -> bytes:
        gone = threading.Event()
        context.add_callback(gone.set)
        waited.append(gone.wait(10))
        return request

    monkeypatch.setattr(orders, "service", lambda details: grpc.unary_unary_rpc_method_handler(hang))
    with pytest.raises((AttemptTimeout, grpc.RpcError)) as caught:
        caller.call(SEND, guards=guards(attempt_timeout=0.2))
    if isinstance(caught.value, grpc.Call):
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    until(lambda: waited == [True])
