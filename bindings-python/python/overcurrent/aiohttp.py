"""A guarded client middleware for aiohttp: `pip install overcurrent[aiohttp]`.

    session = aiohttp.ClientSession(middlewares=[GuardMiddleware(attempt_timeout="2s")])

An attempt is over with the head of the response; its body is read by whoever asked for it. An attempt
whose time is up is cut.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from overcurrent._http import Exchange, Guards, call_key

if TYPE_CHECKING:
    from typing import Unpack

    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

    from overcurrent._guard import Guard
    from overcurrent._policy import GuardPolicy
    from overcurrent._registry import Registry

__all__ = ["GuardMiddleware"]


class _Exchange(Exchange[aiohttp.ClientResponse]):
    failures = (aiohttp.ClientConnectionError, aiohttp.ClientResponseError, OSError)

    def answer(self, response: ClientResponse) -> tuple[int, str | None]:
        return response.status, response.headers.get("Retry-After")

    def close(self, response: ClientResponse) -> None:
        response.close()


class GuardMiddleware:
    """Sends requests through guards, each server's own."""

    def __init__(
        self,
        *,
        guards: Registry | Guard | None = None,
        idempotency_key: bool | str = False,
        **policy: Unpack[GuardPolicy],
    ) -> None:
        """Make a middleware.

        Args:
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

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Send a request, again and again where the guard says so.

        Raises:
            BreakerOpen: the server's breaker admits no call.
        """
        guards, url = self._guards, request.url
        replayable = not request.body or isinstance(request.body, aiohttp.BytesPayload)
        exchange = _Exchange(request.method, has_key=guards.has_key(request.headers), replayable=replayable)
        adds_key = guards.adds_key(request.headers)

        async def attempt() -> ClientResponse:
            if adds_key is not None:
                request.headers[adds_key] = call_key()
            exchange.onward.put(request.headers)
            await request.close()  # what still writes the body of the last attempt
            exchange.response = await handler(request)
            return exchange.response

        try:
            return await exchange.through(guards.guard(url.scheme, url.host or "", url.port)).acall(attempt)
        except BaseException:
            exchange.discard()
            raise
