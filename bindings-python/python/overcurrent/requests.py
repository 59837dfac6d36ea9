"""A guarded adapter for requests: `pip install overcurrent[requests]`.

    session = requests.Session()
    adapter = GuardedAdapter(attempt_timeout="2s")
    session.mount("https://", adapter)
    session.mount("http://", adapter)

An attempt is over with the head of the response; its body is read by whoever asked for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import DEFAULT_POOLBLOCK, DEFAULT_POOLSIZE, HTTPAdapter
from requests.utils import rewind_body
from urllib3.util import Timeout, parse_url

from overcurrent._http import Exchange, Guards, call_key
from overcurrent.urllib3 import bounded

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from requests import PreparedRequest, Response

    from overcurrent._guard import Guard
    from overcurrent._policy import GuardPolicy
    from overcurrent._registry import Registry

__all__ = ["GuardedAdapter"]


class _Exchange(Exchange[requests.Response]):
    failures = (requests.ConnectionError, requests.Timeout)

    def __init__(self, guards: Guards, request: PreparedRequest) -> None:
        in_memory = isinstance(request.body, str | bytes | None)
        self.rewinds = not in_memory and isinstance(request._body_position, int)
        has_key = guards.has_key(request.headers)
        super().__init__(request.method or "", has_key=has_key, replayable=in_memory or self.rewinds)
        self.adds_key = guards.adds_key(request.headers)
        # A request of its own: it is changed, and the caller may send the same again.
        self.sent = request.copy()

    def prepare(self) -> PreparedRequest:
        """Return the request as an attempt sends it."""
        if self.adds_key is not None:
            self.sent.headers[self.adds_key] = call_key()
        self.onward.put(self.sent.headers)
        if self.rewinds:
            rewind_body(self.sent)
        return self.sent

    def answer(self, response: Response) -> tuple[int, str | None]:
        return response.status_code, response.headers.get("Retry-After")

    def close(self, response: Response) -> None:
        response.close()


class GuardedAdapter(HTTPAdapter):
    """Sends requests through guards, each server's own. urllib3's own retries are off."""

    def __init__(
        self,
        *,
        guards: Registry | Guard | None = None,
        idempotency_key: bool | str = False,
        pool_connections: int = DEFAULT_POOLSIZE,
        pool_maxsize: int = DEFAULT_POOLSIZE,
        pool_block: bool = DEFAULT_POOLBLOCK,
        **policy: Unpack[GuardPolicy],
    ) -> None:
        """Make an adapter, to be mounted on a session.

        Args:
            guards: A guard for each server, by host and port; or one guard for all. By default a
                registry of its own.
            idempotency_key: Whether a request without the header `Idempotency-Key`, or the one that is
                named, is sent with one; the same on every attempt.
            pool_connections: As for an `HTTPAdapter`.
            pool_maxsize: As for an `HTTPAdapter`.
            pool_block: As for an `HTTPAdapter`.
            **policy: The policy of the registry of its own, as for a `Guard`.

        Raises:
            InvalidPolicy: a field breaks a rule.
            TypeError: both `guards` and fields of a policy are given.
        """
        self._guards = Guards(guards, idempotency_key, policy)
        super().__init__(pool_connections, pool_maxsize, max_retries=0, pool_block=pool_block)

    def __getstate__(self) -> dict[str, Any]:
        """Refuse to be pickled or copied.

        Raises:
            TypeError: always; breakers and budgets are of one process.
        """
        raise TypeError("a GuardedAdapter cannot be pickled, as its guards are live")

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> Response:
        """Send a request, again and again where the guard says so.

        Raises:
            BreakerOpen: the server's breaker admits no call.
        """
        exchange, url = _Exchange(self._guards, request), parse_url(request.url or "")
        guard = exchange.through(self._guards.guard(url.scheme or "", url.host or "", url.port))
        try:
            return guard.call(
                self._attempt, exchange, super().send, _timeout(timeout), stream, verify, cert, proxies
            )
        except BaseException:
            exchange.discard()
            raise

    def _attempt(
        self, exchange: _Exchange, send: Callable[..., Response], timeout: Timeout, stream: bool, *rest: Any
    ) -> Response:
        exchange.response = send(exchange.prepare(), stream, bounded(timeout), *rest)
        return exchange.response


def _timeout(timeout: Any) -> Timeout:
    """Return what requests calls a timeout as urllib3's."""
    if isinstance(timeout, Timeout):
        return timeout
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    return Timeout(connect=connect, read=read)
