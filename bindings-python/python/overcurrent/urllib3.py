"""A guarded pool manager for urllib3: `pip install overcurrent[urllib3]`.

    http = GuardedPoolManager(guards=Registry(attempt_timeout="2s"))

An attempt is over with the body where urllib3 reads it at once, which it does unless it is told not to
(`preload_content=False`), else with the head of the response.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

import urllib3
from urllib3 import exceptions
from urllib3.util import Retry, Timeout

from overcurrent._http import Exchange, Guards, call_key, cut, remaining

if TYPE_CHECKING:
    from collections.abc import Mapping

    from overcurrent._guard import Guard
    from overcurrent._registry import Registry

__all__ = ["GuardedPoolManager"]


def bounded(timeout: Timeout) -> Timeout:
    """Return a timeout that is over when the attempt under way is, if not before."""
    timeout = timeout.clone()
    timeout.total = cut(cast("float | None", timeout.total), remaining())
    return timeout


class _Exchange(Exchange[urllib3.BaseHTTPResponse]):
    failures = (
        exceptions.MaxRetryError,
        exceptions.NewConnectionError,
        exceptions.ProtocolError,
        exceptions.ProxyError,
        exceptions.SSLError,
        exceptions.TimeoutError,
    )

    def answer(self, response: urllib3.BaseHTTPResponse) -> tuple[int, str | None]:
        return response.status, response.headers.get("Retry-After")

    def close(self, response: urllib3.BaseHTTPResponse) -> None:
        response.close()
        response.release_conn()


_attempting: ContextVar[_GuardedPool | None] = ContextVar("overcurrent_urllib3", default=None)
"""The pool whose attempt is under way."""

_POSITIONAL = tuple(signature(urllib3.HTTPConnectionPool.urlopen).parameters)[3:]
"""What may follow method and address without its name."""


class _GuardedPool(urllib3.HTTPConnectionPool):
    """The connections to one server; its guard is looked up for each request.

    A redirect that the pool itself follows is a part of the attempt.
    """

    def __init__(self, *args: Any, guards: Guards, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._guards = guards

    def urlopen(self, method: str, url: str, *args: Any, **kw: Any) -> urllib3.BaseHTTPResponse:
        if _attempting.get() is self:
            return super().urlopen(method, url, *args, **kw)
        kw.update(zip(_POSITIONAL, args, strict=False))
        guards = self._guards
        given: Mapping[str, str] | None = kw.get("headers")
        headers = urllib3.HTTPHeaderDict(self.headers if given is None else given)
        replayable = isinstance(kw.get("body"), str | bytes | None)
        exchange = _Exchange(method, has_key=guards.has_key(headers), replayable=replayable)
        adds_key = guards.adds_key(headers)
        timeout = kw.get("timeout", self.timeout)
        timeout = timeout if isinstance(timeout, Timeout) else Timeout.from_float(timeout)
        retries = Retry.from_int(kw.get("retries"), default=self.retries)
        off = retries.new(
            connect=False, read=False, other=0, status_forcelist=(), respect_retry_after_header=False
        )
        send = super().urlopen

        def attempt() -> urllib3.BaseHTTPResponse:
            if adds_key is not None:
                headers[adds_key] = call_key()
            exchange.onward.put(headers)
            changed = {"headers": headers, "timeout": bounded(timeout), "retries": off}
            pool_timeout = cut(kw.get("pool_timeout"), remaining())
            outer = _attempting.set(self)
            try:
                exchange.response = send(method, url, **{**kw, **changed, "pool_timeout": pool_timeout})
            finally:
                _attempting.reset(outer)
            return exchange.response

        try:
            return exchange.through(guards.guard(self.scheme or "http", self.host, self.port)).call(attempt)
        except BaseException:
            exchange.discard()
            raise


class _GuardedHTTPSPool(_GuardedPool, urllib3.HTTPSConnectionPool):
    """The same, over TLS."""


class GuardedPoolManager(urllib3.PoolManager):
    """A pool manager whose requests go through guards, each server's own.

    urllib3's own retries are off; what a `retries` says of redirects holds.
    """

    def __init__(
        self,
        num_pools: int = 10,
        headers: Mapping[str, str] | None = None,
        *,
        guards: Registry | Guard | None = None,
        idempotency_key: bool | str = False,
        **connection_pool_kw: Any,
    ) -> None:
        """Make a pool manager.

        Args:
            num_pools: How many pools of connections to keep.
            headers: What to send with each request that brings none.
            guards: A guard for each server, by host and port; or one guard for all. By default a
                registry of its own, with the default policy.
            idempotency_key: Whether a request without the header `Idempotency-Key`, or the one that is
                named, is sent with one; the same on every attempt.
            **connection_pool_kw: What urllib3 takes for its connection pools.
        """
        super().__init__(num_pools, headers, **connection_pool_kw)
        own = Guards(guards, idempotency_key, {})
        self.pool_classes_by_scheme: dict[str, Any] = {
            "http": partial(_GuardedPool, guards=own),
            "https": partial(_GuardedHTTPSPool, guards=own),
        }
