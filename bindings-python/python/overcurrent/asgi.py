"""ASGI middlewares: one answers for a breaker that is open, one says on whose behalf a request makes calls.

    app = TraceContextMiddleware(BreakerOpenMiddleware(app))

They need nothing but this package.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from overcurrent._core import TraceContext, http_retry_after_header
from overcurrent._errors import BreakerOpen

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping
    from typing import TypeAlias

    Message: TypeAlias = MutableMapping[str, Any]
    Receive: TypeAlias = Callable[[], Awaitable[Message]]
    Send: TypeAlias = Callable[[Message], Awaitable[None]]
    App: TypeAlias = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

__all__ = ["BreakerOpenMiddleware", "TraceContextMiddleware", "retry_after"]

TEXT = b"Service Unavailable"


def retry_after(error: BreakerOpen) -> dict[str, str]:
    """Return the headers of an answer to a call that a breaker rejected: Retry-After, where it is known.

    It is in whole seconds, rounded up.
    """
    return {} if error.retry_after is None else {"retry-after": http_retry_after_header(error.retry_after)}


class BreakerOpenMiddleware:
    """Answers 503 where the application raises `BreakerOpen`, with Retry-After where that is known.

    Once the response has begun, the error goes on to the server.
    """

    def __init__(self, app: App) -> None:
        """Surround an application."""
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except BreakerOpen as error:
            if begun:
                raise
            headers = {
                "content-type": "text/plain; charset=utf-8",
                "content-length": str(len(TEXT)),
                **retry_after(error),
            }
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            await send({"type": "http.response.start", "status": 503, "headers": raw})
            await send({"type": "http.response.body", "body": TEXT})


class TraceContextMiddleware:
    """Handles each request on behalf of the trace and the correlation id that its headers name.

    A span of OpenTelemetry that is current where a call is made goes before them.
    """

    def __init__(self, app: App) -> None:
        """Surround an application."""
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection."""
        context = TraceContext.extract(scope.get("headers", ()))
        with context.scope() if context else nullcontext():
            await self.app(scope, receive, send)
