"""What is particular to one client."""

from __future__ import annotations

import asyncio
import gc
import io
import pickle
import weakref
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import httpx
import pytest
import requests
import urllib3
from overcurrent import BreakerOpen, Failure, Guard, InvalidPolicy, Registry
from overcurrent.aiohttp import GuardMiddleware
from overcurrent.httpx import AsyncGuardedTransport, GuardedTransport
from overcurrent.requests import GuardedAdapter
from overcurrent.urllib3 import GuardedPoolManager

from .server import HANG, RESET, Answer, Server, answer, until

THRICE: Any = {"max_attempts": 3, "backoff": "none"}
KEY = "idempotency-key"


@pytest.mark.parametrize("make", [GuardedTransport, AsyncGuardedTransport, GuardedAdapter, GuardMiddleware])
def test_guards_and_a_policy_cannot_both_be_given(make: Any) -> None:
    make(deadline="3s")
    with pytest.raises(TypeError, match="either"):
        make(guards=Guard("own"), deadline="3s")
    with pytest.raises(TypeError, match="must be a Registry or a Guard"):
        make(guards="own")
    with pytest.raises(InvalidPolicy, match="deadline"):
        make(deadline=-3)


def test_a_request_of_httpx_can_be_sent_again(server: Server) -> None:
    with httpx.Client(transport=GuardedTransport(idempotency_key=True)) as client:
        request = client.build_request("POST", server.url, content=b"order", extensions={"own": 1})
        for _ in range(2):
            response = client.send(request)
            assert response.request is request
        assert KEY not in request.headers
        assert request.extensions["own"] == 1
        assert request.extensions["timeout"] == httpx.Timeout(5.0).as_dict()
    one, other = (seen.headers[KEY] for seen in server.seen)
    assert one != other, "each is a call of its own"


def test_a_request_of_requests_can_be_sent_again(server: Server) -> None:
    with requests.Session() as session:
        session.mount("http://", GuardedAdapter(idempotency_key=True))
        request = session.prepare_request(requests.Request("POST", server.url, data=b"order"))
        replies = [session.send(request) for _ in range(2)]
        assert KEY not in request.headers
    sent = [seen.headers[KEY] for seen in server.seen]
    assert sent[0] != sent[1], "each is a call of its own"
    assert [reply.request.headers[KEY] for reply in replies] == sent


def test_httpx_reads_the_body_with_its_own_timeout(server: Server) -> None:
    transport = GuardedTransport(attempt_timeout=0.1)
    with httpx.Client(transport=transport, timeout=5.0) as client:
        server.will(Answer(body=(b"one", b"two"), gap=0.25))
        assert client.get(server.url).content == b"onetwo"
        server.will(Answer(body=(b"one", b"two"), gap=0.25))
        with pytest.raises(httpx.ReadTimeout):
            client.get(server.url, timeout=0.1)
    assert len(server.seen) == 2, "what goes wrong with the body is not retried"


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_httpx_closes_a_response_before_the_wait_under_either_library(server: Server, library: str) -> None:
    unread = Answer(503, body=(b"." * 100,), length=1_000_000)
    server.will(unread, unread)

    async def main() -> int:
        inner = httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=1))
        transport = AsyncGuardedTransport(inner, retry=THRICE, attempt_timeout=2.0)
        async with httpx.AsyncClient(transport=transport, timeout=1.0) as client:
            return (await client.get(server.url)).status_code

    assert anyio.run(main, backend=library) == 200, "there is but one connection"
    until(lambda: server.connections == 0)


def test_a_transport_is_opened_and_closed_with_its_guards() -> None:
    closed = []

    class Inner(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200)

        def close(self) -> None:
            closed.append(self)

    with httpx.Client(transport=GuardedTransport(Inner())) as client:
        assert client.get("http://nowhere.example").status_code == 200
    GuardedTransport(Inner()).close()
    assert len(closed) == 2


def test_a_response_is_held_by_nobody_but_the_caller() -> None:
    transport = GuardedTransport(httpx.MockTransport(lambda request: httpx.Response(200)))
    gc.collect()
    gc.disable()
    try:
        response = transport.handle_request(httpx.Request("GET", "http://nowhere.example"))
        gone = weakref.ref(response)
        del response
        assert gone() is None
    finally:
        gc.enable()


def test_a_scheme_that_nobody_speaks_is_the_callers_own_fault() -> None:
    guards = Registry(breaker={"consecutive_failures": 1})
    with httpx.Client(transport=GuardedTransport(guards=guards)) as client:
        for _ in range(2):
            with pytest.raises(httpx.UnsupportedProtocol):
                client.get("gopher://nowhere.example")


def test_a_file_is_sent_from_where_it_stood_each_time(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "order"
    path.write_bytes(b"head and body")
    server.will(answer(503), RESET)
    with requests.Session() as session, path.open("rb") as file:
        session.mount("http://", GuardedAdapter(retry=THRICE))
        file.seek(5)
        assert session.put(server.url, data=file).status_code == 200
    assert [seen.body for seen in server.seen] == [b"and body"] * 3


@pytest.mark.parametrize("field", [{"files": {"file": io.BytesIO(b"text")}}, {"json": {"order": 7}}])
def test_bodies_that_requests_has_in_memory_are_sent_again(server: Server, field: dict[str, Any]) -> None:
    server.will(answer(503))
    with requests.Session() as session:
        session.mount("http://", GuardedAdapter(retry=THRICE))
        assert session.put(server.url, **field).status_code == 200
    one, other = server.seen
    assert one.body == other.body != b""


@pytest.mark.parametrize("timeout", [None, 5, (5, 5), urllib3.Timeout(5)])
def test_the_timeouts_of_requests_are_cut(server: Server, timeout: Any) -> None:
    with requests.Session() as session:
        session.mount("http://", GuardedAdapter(attempt_timeout=0.1, retry=False))
        server.will(HANG)
        with pytest.raises((requests.Timeout, TimeoutError)):
            session.get(server.url, timeout=timeout)
    with requests.Session() as session:
        session.mount("http://", GuardedAdapter(attempt_timeout="60s", retry=False))
        server.will(HANG)
        with pytest.raises(requests.ReadTimeout):
            session.get(server.url, timeout=(5, 0.1))


def test_an_adapter_of_requests_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="live"):
        pickle.dumps(GuardedAdapter())


def test_urllib3_reads_the_body_in_the_attempt(server: Server) -> None:
    guards = Registry(retry=THRICE)
    with GuardedPoolManager(guards=guards) as http:
        server.will(Answer(body=(b"less",), length=1000), Answer(body=(b"less",), length=1000))
        server.will(HANG)
        with pytest.raises(urllib3.exceptions.HTTPError):
            http.request("GET", server.url, timeout=0.1)
    assert len(server.seen) == 3


def test_urllib3_follows_redirects_and_no_retries_of_its_own(server: Server) -> None:
    with GuardedPoolManager(guards=Registry(retry=False)) as http:
        server.will(answer(302, Location=f"{server.url}/there"))
        assert http.request("GET", server.url).status == 200
        assert [seen.path for seen in server.seen] == ["/", "/there"]
        server.will(answer(302, Location=f"{server.url}/there"))
        assert http.request("GET", server.url, redirect=False).status == 302
        retries = urllib3.Retry(5, status_forcelist=[503], backoff_factor=0)
        server.will(RESET, answer(503), answer(503, Retry_After="1"))
        with pytest.raises(urllib3.exceptions.ProtocolError):
            http.request("GET", server.url, retries=retries)
        assert http.request("GET", server.url, retries=retries).status == 503
        assert http.request("GET", server.url, retries=retries).status == 503
    assert len(server.seen) == 6


def test_a_pool_of_urllib3_can_be_used_by_itself(server: Server) -> None:
    with GuardedPoolManager(guards=Registry(retry=THRICE)) as http:
        pool: Any = http.connection_from_url(server.url)
        server.will(RESET, answer(302, Location="/there"), answer(503))
        assert pool.request("GET", "/").status == 200
        # A pool follows redirects within the attempt: it is the attempt that is made anew.
        assert [seen.path for seen in server.seen] == ["/", "/", "/there", "/"]
        server.will(answer(503))
        assert pool.urlopen("PUT", "/", b"order", {"Own": "1"}).status == 200
        assert [(seen.body, seen.headers["own"]) for seen in server.seen[-2:]] == [(b"order", "1")] * 2
        with pytest.raises(urllib3.exceptions.HostChangedError):
            pool.urlopen("GET", "http://elsewhere.example/")


def run(transport: httpx.AsyncBaseTransport, server: Server, *, after: float) -> BaseException | None:
    """Send a request to a server that hangs, and cancel it."""

    async def main() -> BaseException | None:
        async with httpx.AsyncClient(transport=transport) as client:
            task = asyncio.create_task(client.get(server.url))
            while not server.seen:
                await asyncio.wait([task], timeout=after)
            task.cancel()
            await asyncio.wait([task])
            return None if task.cancelled() else task.exception()

    return asyncio.run(main())


def test_a_call_that_is_cancelled_counts_for_nothing(server: Server) -> None:
    guards = Registry(breaker={"consecutive_failures": 1})
    server.will(HANG)
    assert run(AsyncGuardedTransport(guards=guards), server, after=0.05) is None
    until(lambda: server.connections == 0)
    [guard] = guards.values()
    assert guard.breaker is not None
    assert guard.breaker.state == "closed"
    assert len(server.seen) == 1


def test_the_own_timeout_of_aiohttp_is_a_cancellation(server: Server) -> None:
    guards = Registry(breaker={"consecutive_failures": 1})

    async def main() -> None:
        timeout = aiohttp.ClientTimeout(total=0.1)
        middleware = GuardMiddleware(guards=guards)
        async with aiohttp.ClientSession(middlewares=[middleware], timeout=timeout) as session:
            with pytest.raises(TimeoutError):
                await session.get(server.url)

    server.will(HANG)
    asyncio.run(main())
    [guard] = guards.values()
    assert guard.breaker is not None
    assert guard.breaker.state == "closed"


def test_forms_and_json_of_aiohttp_are_sent_again(server: Server) -> None:
    async def main() -> None:
        async with aiohttp.ClientSession(middlewares=[GuardMiddleware(retry=THRICE)]) as session:
            for field in ({"json": {"order": 7}}, {"data": {"order": "7"}}, {"data": "text"}):
                server.will(answer(503))
                async with session.put(server.url, **field) as response:
                    assert response.status == 200

    asyncio.run(main())
    bodies = [seen.body for seen in server.seen]
    assert bodies[::2] == bodies[1::2] == [b'{"order": 7}', b"order=7", b"text"]


def test_a_hook_that_makes_a_wait_cannot_make_a_request_repeatable(server: Server) -> None:
    guards = Registry(retry=THRICE, classify=lambda _: Failure(retryable=True))
    with httpx.Client(transport=GuardedTransport(guards=guards)) as client:
        assert client.post(server.url).status_code == 200
        assert client.get(server.url).status_code == 200
    assert [seen.method for seen in server.seen] == ["POST", "GET", "GET", "GET"]


def test_guards_can_be_shared_by_clients(server: Server) -> None:
    guards = Registry(retry=False, breaker={"consecutive_failures": 1})
    server.will(answer(500))
    with httpx.Client(transport=GuardedTransport(guards=guards)) as client:
        assert client.get(server.url).status_code == 500
    with requests.Session() as session:
        session.mount("http://", GuardedAdapter(guards=guards))
        with pytest.raises(BreakerOpen):
            session.get(server.url)
    assert len(server.seen) == 1
