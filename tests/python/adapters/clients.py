"""The guarded HTTP clients under one face, so that one suite holds for all of them."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx
import requests
import urllib3
from overcurrent import Guard, Registry
from overcurrent.aiohttp import GuardMiddleware
from overcurrent.httpx import AsyncGuardedTransport, GuardedTransport
from overcurrent.requests import GuardedAdapter
from overcurrent.urllib3 import GuardedPoolManager


@dataclass
class Reply:
    """A response, read."""

    status: int
    body: bytes


class Client(ABC):
    """A client, which is made anew by `open`."""

    connection_errors: tuple[type[Exception], ...]
    """What it raises where the connection fails."""

    connect_errors: tuple[type[Exception], ...]
    """What it raises where nobody listens."""

    own_errors: tuple[type[Exception], ...]
    """What it raises where a request cannot be sent at all."""

    timeouts: tuple[type[Exception], ...]
    """What it raises where the time of an attempt is up."""

    asynchronous = False

    @abstractmethod
    def open(
        self,
        guards: Registry | Guard | None = None,
        *,
        idempotency_key: bool | str = False,
        connections: int | None = None,
    ) -> None:
        """Make the client; with so many connections, if that is said."""

    @abstractmethod
    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Send a request, and read the response."""

    @abstractmethod
    def stream(self, method: str, url: str, parts: list[bytes]) -> Reply:
        """Send a request whose body can be read once."""

    @abstractmethod
    def close(self) -> None:
        """Close the client, if it was made."""


class Httpx(Client):
    connection_errors = (httpx.NetworkError, httpx.RemoteProtocolError)
    connect_errors = (httpx.ConnectError,)
    own_errors = (httpx.LocalProtocolError,)
    timeouts = (httpx.TimeoutException,)

    def open(
        self,
        guards: Registry | Guard | None = None,
        *,
        idempotency_key: bool | str = False,
        connections: int | None = None,
    ) -> None:
        inner = httpx.HTTPTransport(verify=False, limits=httpx.Limits(max_connections=connections))
        transport = GuardedTransport(inner, guards=guards, idempotency_key=idempotency_key)
        self.client = httpx.Client(transport=transport)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        response = self.client.request(method, url, headers=headers, content=body)
        return Reply(response.status_code, response.content)

    def stream(self, method: str, url: str, parts: list[bytes]) -> Reply:
        response = self.client.request(method, url, content=(part for part in parts))
        return Reply(response.status_code, response.content)

    def close(self) -> None:
        if hasattr(self, "client"):
            self.client.close()


class Asynchronous(Client):
    asynchronous = True

    def __init__(self) -> None:
        self.runner = asyncio.Runner()

    def run(self, coroutine: Coroutine[Any, Any, Reply]) -> Reply:
        return self.runner.run(coroutine, context=copy_context())

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        return self.run(self.asend(method, url, headers, body))

    def stream(self, method: str, url: str, parts: list[bytes]) -> Reply:
        async def body() -> AsyncIterator[bytes]:
            for part in parts:
                yield part

        return self.run(self.asend(method, url, None, body()))

    @abstractmethod
    async def asend(self, method: str, url: str, headers: Mapping[str, str] | None, body: Any) -> Reply:
        """Send a request, and read the response."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close the client, if it was made."""

    def close(self) -> None:
        self.runner.run(self.aclose())
        self.runner.close()


class AsyncHttpx(Asynchronous):
    connection_errors = Httpx.connection_errors
    connect_errors = Httpx.connect_errors
    own_errors = Httpx.own_errors
    timeouts = ()

    def open(
        self,
        guards: Registry | Guard | None = None,
        *,
        idempotency_key: bool | str = False,
        connections: int | None = None,
    ) -> None:
        inner = httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits(max_connections=connections))
        transport = AsyncGuardedTransport(inner, guards=guards, idempotency_key=idempotency_key)
        self.client = httpx.AsyncClient(transport=transport)

    async def asend(self, method: str, url: str, headers: Mapping[str, str] | None, body: Any) -> Reply:
        response = await self.client.request(method, url, headers=headers, content=body)
        return Reply(response.status_code, response.content)

    async def aclose(self) -> None:
        if hasattr(self, "client"):
            await self.client.aclose()


class Aiohttp(Asynchronous):
    connection_errors = (aiohttp.ClientConnectionError,)
    connect_errors = (aiohttp.ClientConnectorError,)
    own_errors = ()
    timeouts = ()

    def open(
        self,
        guards: Registry | Guard | None = None,
        *,
        idempotency_key: bool | str = False,
        connections: int | None = None,
    ) -> None:
        async def main() -> Reply:
            connector = aiohttp.TCPConnector(limit=connections or 100)
            middleware = GuardMiddleware(guards=guards, idempotency_key=idempotency_key)
            self.session = aiohttp.ClientSession(connector=connector, middlewares=[middleware])
            return Reply(0, b"")

        self.run(main())

    async def asend(self, method: str, url: str, headers: Mapping[str, str] | None, body: Any) -> Reply:
        async with self.session.request(method, url, headers=headers, data=body) as response:
            return Reply(response.status, await response.read())

    async def aclose(self) -> None:
        if hasattr(self, "session"):
            await self.session.close()


class Requests(Client):
    connection_errors = (requests.ConnectionError,)
    connect_errors = (requests.ConnectionError,)
    own_errors = (requests.exceptions.InvalidHeader,)
    timeouts = (requests.Timeout,)

    def open(
        self,
        guards: Registry | Guard | None = None,
        *,
        idempotency_key: bool | str = False,
        connections: int | None = None,
    ) -> None:
        self.session = requests.Session()
        adapter = GuardedAdapter(
            guards=guards,
            idempotency_key=idempotency_key,
            pool_maxsize=connections or 10,
            pool_block=connections is not None,
        )
        self.session.mount("http://", adapter)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Reply:
        response = self.session.request(method, url, headers=headers, data=body)
        return Reply(response.status_code, response.content)

    def stream(self, method: str, url: str, parts: list[bytes]) -> Reply:
        return self.send(method, url, body=(part for part in parts))

    def close(self) -> None:
        if hasattr(self, "session"):
            self.session.close()


class Urllib3(Client):
    connection_errors = (urllib3.exceptions.ProtocolError,)
    connect_errors = (urllib3.exceptions.NewConnectionError,)
    own_errors = ()
    timeouts = (urllib3.exceptions.TimeoutError,)

    def open(
        self,
        guards: Registry | Guard | None = None,
        *,
        idempotency_key: bool | str = False,
        connections: int | None = None,
    ) -> None:
        self.manager = GuardedPoolManager(
            guards=guards,
            idempotency_key=idempotency_key,
            maxsize=connections or 1,
            block=connections is not None,
        )

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Reply:
        response = self.manager.request(method, url, headers=headers, body=body, preload_content=False)
        try:
            return Reply(response.status, response.read())
        finally:
            response.release_conn()

    def stream(self, method: str, url: str, parts: list[bytes]) -> Reply:
        def body() -> Iterator[bytes]:
            yield from parts

        return self.send(method, url, body=body())

    def close(self) -> None:
        if hasattr(self, "manager"):
            self.manager.clear()


CLIENTS: tuple[type[Client], ...] = (Httpx, AsyncHttpx, Requests, Urllib3, Aiohttp)
