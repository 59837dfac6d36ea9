"""Guarded transports for httpx: `pip install overcurrent[httpx]`.

    client = httpx.Client(transport=GuardedTransport(attempt_timeout="2s"))
    client = httpx.AsyncClient(transport=AsyncGuardedTransport(attempt_timeout="2s"))

An attempt is over with the head of the response; its body is read by whoever asked for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

from overcurrent._http import Exchange, Guards, call_key, cut, remaining
from overcurrent._library import library

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, Unpack

    from overcurrent._guard import Guard
    from overcurrent._policy import GuardPolicy
    from overcurrent._registry import Registry

__all__ = ["AsyncGuardedTransport", "GuardedTransport"]

UNLIMITED = httpx.Limits(max_connections=None, max_keepalive_connections=20)
"""As many connections at once as are asked for; what is kept is as by httpx's own default."""


class _Exchange(Exchange[httpx.Response]):
    failures = (httpx.TransportError,)
    faults = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)

    def __init__(self, guards: Guards, request: httpx.Request) -> None:
        has_key = guards.has_key(request.headers)
        super().__init__(
            request.method, has_key=has_key, replayable=isinstance(request.stream, httpx.ByteStream)
        )
        self.adds_key = guards.adds_key(request.headers)
        # A request of its own: it is changed, and the caller may send the same again.
        self.sent = httpx.Request(
            request.method,
            request.url,
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )

    def prepare(self) -> httpx.Request:
        """Return the request as an attempt sends it."""
        if self.adds_key is not None:
            self.sent.headers[self.adds_key] = call_key()
        self.onward.put(self.sent.headers)
        return self.sent

    def answer(self, response: httpx.Response) -> tuple[int, str | None]:
        return response.status_code, response.headers.get("retry-after")

    def close(self, response: httpx.Response) -> None:
        response.close()


class _AsyncExchange(_Exchange):
    def close(self, response: httpx.Response) -> None:
        library().spawn(response.aclose)


class GuardedTransport(httpx.BaseTransport):
    """Sends requests through guards, each server's own."""

    def __init__(
        self,
        transport: httpx.BaseTransport | None = None,
        *,
        guards: Registry | Guard | None = None,
        idempotency_key: bool | str = False,
        **policy: Unpack[GuardPolicy],
    ) -> None:
        """Surround a transport.

        Args:
            transport: What sends the requests; an `httpx.HTTPTransport` by default.
            guards: A guard for each server, by host and port; or one guard for all. By default a
                registry of its own.
            idempotency_key: Whether a request without the header `Idempotency-Key`, or the one that is
                named, is sent with one; the same on every attempt.
            **policy: The policy of the registry of its own, as for a `Guard`.

        Raises:
            InvalidPolicy: a field breaks a rule.
            TypeError: both `guards` and fields of a policy are given.
        """
        self._guards = Guards(guards, idempotency_key, policy)
        self._transport = httpx.HTTPTransport() if transport is None else transport

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, again and again where the guard says so.

        Raises:
            BreakerOpen: the server's breaker admits no call.
        """
        exchange, url = _Exchange(self._guards, request), request.url
        guard = exchange.through(self._guards.guard(url.scheme, url.host, url.port))
        try:
            return guard.call(self._attempt, exchange)
        except BaseException:
            exchange.discard()
            raise

    def _attempt(self, exchange: _Exchange) -> httpx.Response:
        request = exchange.prepare()
        timeout, left = request.extensions.get("timeout", {}), remaining()
        each = ("connect", "read", "write", "pool")
        request.extensions["timeout"] = {name: cut(timeout.get(name), left) for name in each}
        try:
            exchange.response = self._transport.handle_request(request)
        finally:
            request.extensions["timeout"] = timeout  # for the body
        return exchange.response

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def __enter__(self) -> Self:
        """Enter the transport."""
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Leave the transport."""
        self._transport.__exit__(exc_type, exc_value, traceback)


class AsyncGuardedTransport(httpx.AsyncBaseTransport):
    """Sends requests through guards, each server's own. An attempt whose time is up is cut."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        guards: Registry | Guard | None = None,
        idempotency_key: bool | str = False,
        **policy: Unpack[GuardPolicy],
    ) -> None:
        """Surround a transport; else as `GuardedTransport`.

        By default it is an `httpx.AsyncHTTPTransport` that opens as many connections as there are requests.
        Where requests wait for one, one that is cut meanwhile can use it up for good, up to httpcore 1.0.9.
        """
        self._guards = Guards(guards, idempotency_key, policy)
        self._transport = httpx.AsyncHTTPTransport(limits=UNLIMITED) if transport is None else transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, again and again where the guard says so.

        Raises:
            BreakerOpen: the server's breaker admits no call.
        """
        exchange, url = _AsyncExchange(self._guards, request), request.url
        guard = exchange.through(self._guards.guard(url.scheme, url.host, url.port))
        try:
            return await guard.acall(self._attempt, exchange)
        except BaseException:
            exchange.discard()
            raise

    async def _attempt(self, exchange: _Exchange) -> httpx.Response:
        exchange.response = await self._transport.handle_async_request(exchange.prepare())
        return exchange.response

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        """Enter the transport."""
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        """Leave the transport."""
        await self._transport.__aexit__(exc_type, exc_value, traceback)
