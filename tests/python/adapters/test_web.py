"""The ASGI middleware and the FastAPI dependency."""

import asyncio
from collections.abc import MutableMapping
from contextlib import nullcontext
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI, HTTPException
from overcurrent import BreakerOpen, Guard, ManualClock, Registry
from overcurrent.asgi import BreakerOpenMiddleware, retry_after
from overcurrent.fastapi import guarded, install

Messages = list[MutableMapping[str, Any]]


def serve(error: Exception | None, *, begun: bool = False, kind: str = "http") -> Messages:
    """Serve one connection by an application that raises; what it sent."""
    sent: Messages = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        if error is not None:
            raise error
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    escapes = error is not None and (begun or kind != "http" or not isinstance(error, BreakerOpen))
    with pytest.raises(type(error)) if escapes and error is not None else nullcontext() as caught:
        asyncio.run(BreakerOpenMiddleware(app)({"type": kind}, receive, send))
    assert caught is None or caught.value is error
    return sent


@pytest.mark.parametrize(("seconds", "header"), [(0.001, "1"), (1.0, "1"), (1.2, "2"), (60, "60")])
def test_a_rejection_is_answered_with_503(seconds: float, header: str) -> None:
    start, body = serve(BreakerOpen("payments", "open", seconds))
    assert (start["type"], start["status"]) == ("http.response.start", 503)
    headers = dict(start["headers"])
    assert headers[b"retry-after"] == header.encode()
    assert int(headers[b"content-length"]) == len(body["body"])
    assert b"payments" not in body["body"]


def test_a_rejection_of_unknown_length_says_no_time() -> None:
    start, _ = serve(BreakerOpen("payments", "half_open"))
    assert start["status"] == 503
    assert b"retry-after" not in dict(start["headers"])
    assert retry_after(BreakerOpen("payments", "forced_open")) == {}


def test_anything_else_passes() -> None:
    assert serve(ValueError("own")) == []
    assert serve(None)[0]["status"] == 204
    assert serve(BreakerOpen("b", "open", 1), kind="websocket") == []


def test_a_response_that_has_begun_is_not_begun_again() -> None:
    sent = serve(BreakerOpen("b", "open", 1), begun=True)
    assert [message["status"] for message in sent] == [200]


def get(app: FastAPI, path: str) -> httpx.Response:
    async def main() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.get(path)

    return asyncio.run(main())


def opened(clock: ManualClock) -> Guard:
    guard = Guard("payments", clock=clock)
    assert guard.breaker is not None
    guard.breaker.trip("1500ms")
    return guard


def test_an_application_answers_for_its_breakers(clock: ManualClock) -> None:
    app, payments = FastAPI(), opened(clock)
    install(app)

    @app.get("/pay")
    async def pay() -> str:
        return payments.call(lambda: "paid")

    response = get(app, "/pay")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.json() == {"detail": "Service Unavailable"}
    clock.advance("1500ms")
    assert get(app, "/pay").json() == "paid"


def test_a_route_is_given_its_guard(clock: ManualClock) -> None:
    app, payments = FastAPI(), opened(clock)

    @app.get("/pay")
    async def pay(guard: Annotated[Guard, Depends(guarded(payments))]) -> str:
        assert guard is payments
        return guard.call(lambda: "paid")

    response = get(app, "/pay")
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    clock.advance("1500ms")
    assert get(app, "/pay").json() == "paid"


def test_the_guard_of_a_route_may_depend_on_the_path() -> None:
    app, tenants = FastAPI(), Registry("tenants")

    @app.get("/orders/{tenant}")
    async def orders(guard: Annotated[Guard, Depends(guarded(tenants, key="tenant"))]) -> str:
        return guard.name

    assert get(app, "/orders/one").json() == "tenants/one"
    assert get(app, "/orders/two").json() == "tenants/two"
    assert list(tenants) == ["one", "two"]

    @app.get("/numbers/{tenant:int}")
    async def numbers(guard: Annotated[Guard, Depends(guarded(tenants, key="tenant"))]) -> str:
        return guard.name

    @app.get("/none")
    async def none(guard: Annotated[Guard, Depends(guarded(tenants, key="tenant"))]) -> str:
        return guard.name

    assert get(app, "/numbers/7").json() == "tenants/7"
    with pytest.raises(LookupError, match="no parameter `tenant`"):
        get(app, "/none")
    with pytest.raises(TypeError):
        guarded(tenants)
    with pytest.raises(TypeError):
        guarded(Guard("own"), key="tenant")


def test_other_errors_of_a_route_are_its_own() -> None:
    app = FastAPI()

    @app.get("/pay")
    async def pay(guard: Annotated[Guard, Depends(guarded(Guard("own")))]) -> str:
        raise HTTPException(404, guard.name)

    response = get(app, "/pay")
    assert (response.status_code, response.json()) == (404, {"detail": "own"})
