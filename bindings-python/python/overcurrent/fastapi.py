"""Guards in FastAPI: `pip install overcurrent[fastapi]`.

app = FastAPI()
install(app)  # a breaker that is open is answered with 503 and Retry-After; traces are read from requests

@app.get("/orders/{tenant}")
async def orders(guard: Annotated[Guard, Depends(guarded(tenants, key="tenant"))]): ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import HTTPException, Request
from fastapi.responses import JSONResponse

from overcurrent._errors import BreakerOpen
from overcurrent._guard import Guard
from overcurrent.asgi import TraceContextMiddleware, retry_after

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from fastapi import FastAPI

    from overcurrent._registry import Registry

__all__ = ["guarded", "install"]

DETAIL = "Service Unavailable"


def install(app: FastAPI) -> None:
    """Have an application answer 503 where a route raises `BreakerOpen`, with Retry-After if known.

    Each request is handled on behalf of the trace and the correlation id that its headers name.
    """
    app.add_exception_handler(BreakerOpen, _unavailable)
    app.add_middleware(TraceContextMiddleware)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    headers = retry_after(error) if isinstance(error, BreakerOpen) else None
    return JSONResponse({"detail": DETAIL}, status_code=503, headers=headers)


def guarded(guards: Guard | Registry, *, key: str | None = None) -> Callable[[Request], AsyncIterator[Guard]]:
    """Return a dependency that gives a guard to a route.

    Where the route raises `BreakerOpen`, it is answered with 503, and with Retry-After if that is known;
    `install` is not needed for that.

    Args:
        guards: The guard; or a registry, for one that depends on the request.
        key: The parameter of the path whose text is the key of the guard in a registry.

    Raises:
        TypeError: there is a registry without a key, or a guard with one.
        LookupError: when a request is served: its path has no such parameter.
    """
    if isinstance(guards, Guard) is not (key is None):
        raise TypeError("`key` is needed for a registry, and only there")

    async def dependency(request: Request) -> AsyncIterator[Guard]:
        try:
            yield guards if isinstance(guards, Guard) else guards.guard(_key(request, key))
        except BreakerOpen as error:
            raise HTTPException(503, DETAIL, headers=retry_after(error)) from error

    return dependency


def _key(request: Request, name: str | None) -> str:
    if name not in request.path_params:
        raise LookupError(f"the path has no parameter `{name}` to find a guard by")
    return str(request.path_params[name])
