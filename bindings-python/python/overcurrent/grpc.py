"""Guarded client interceptors for gRPC: `pip install overcurrent[grpc]`.

    interceptor = GuardInterceptor(target, idempotent={"/shop.Orders/Get"})
    channel = grpc.intercept_channel(grpc.insecure_channel(target), interceptor)

    interceptor = AsyncGuardInterceptor(target, idempotent={"/shop.Orders/Get"})
    channel = grpc.aio.insecure_channel(target, interceptors=[interceptor])

Calls with one request and one response are guarded. Streams are not: they pass untouched.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import grpc
import grpc.aio

from overcurrent._adapted import Adapted
from overcurrent._core import grpc_verdict
from overcurrent._http import Guards, Onward, cut, remaining

if TYPE_CHECKING:
    from collections.abc import Callable, Container
    from typing import TypeAlias, Unpack

    from overcurrent._guard import Guard
    from overcurrent._policy import GuardPolicy, Verdict
    from overcurrent._registry import Registry

    Idempotent: TypeAlias = Container[str] | Callable[[str], bool]

__all__ = ["AsyncGuardInterceptor", "GuardInterceptor"]

PUSHBACK = "grpc-retry-pushback-ms"


class _Details(NamedTuple):
    """What a call is made with, in a form that both kinds of channels take."""

    method: Any
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: Any
    compression: Any

    @classmethod
    def of_attempt(cls, given: grpc.ClientCallDetails, left: float | None) -> _Details:
        """Return what was given, as the attempt under way is made with it.

        With a timeout that is over when the attempt is, or the call, which has so many seconds left; and
        saying on whose behalf it is made.
        """
        metadata = getattr(given, "metadata", None)
        pairs = [*(metadata or ())]
        onward = Onward().among([name for name, _ in pairs])
        if onward:
            metadata = grpc.aio.Metadata(*pairs, *((name.lower(), value) for name, value in onward))
        rest = (getattr(given, field, None) for field in cls._fields[3:])
        return cls(given.method, cut(left, remaining()), metadata, *rest)


class _Rules:
    """How the attempts of one call are judged."""

    def __init__(self, details: grpc.ClientCallDetails, *, repeatable: bool) -> None:
        self._details = details
        self._until = None if details.timeout is None else time.monotonic() + details.timeout
        self._repeatable = repeatable
        self._failed: Exception | None = None
        self._late = False

    def _left(self) -> float | None:
        """Return what is left of the caller's time, which is that of all attempts and waits, in seconds."""
        return None if self._until is None else self._until - time.monotonic()

    def begin(self) -> _Details:
        """Return what an attempt is made with.

        Raises:
            Exception: what the last one failed with, if a wait has taken the rest of the time.
        """
        left = self._left()
        self._late = left is not None and left <= 0
        if self._late and self._failed is not None:
            raise self._failed
        return _Details.of_attempt(self._details, left)

    def classify(self, result: Any) -> Verdict:
        if not isinstance(result, Exception):
            return "success"
        if self._late:
            # A caller without time says nothing about who is called.
            return "ignored"
        error: Exception = result
        if not (isinstance(result, grpc.RpcError) and isinstance(result, grpc.Call | grpc.aio.AioRpcError)):
            return "ignored"
        self._failed = error
        trailers = dict(result.trailing_metadata() or ())
        left = self._left()
        repeatable = self._repeatable and (left is None or left > 0)
        return grpc_verdict(result.code().value[0], trailers.get(PUSHBACK), repeatable)

    def discard(self) -> None:
        """Do nothing: a call that failed holds nothing."""


class _Guarding:
    """Which guard the calls of a channel go through, and which of them may be repeated."""

    def __init__(
        self,
        target: str,
        *,
        guards: Registry | Guard | None = None,
        idempotent: Idempotent = (),
        **policy: Unpack[GuardPolicy],
    ) -> None:
        """Make an interceptor for the channel to `target`.

        Args:
            target: What the channel is made for; the key of its guard.
            guards: A registry with a guard for the target, or the guard itself. By default a registry of
                its own.
            idempotent: The full names of the methods that may be repeated (`/package.Service/Method`), or
                a predicate of them. Others are called once.
            **policy: The policy of the registry of its own, as for a `Guard`.

        Raises:
            InvalidPolicy: a field breaks a rule.
            TypeError: both `guards` and fields of a policy are given.
        """
        self._guards = Guards(guards, idempotency_key=False, policy=policy)
        self._target = target
        self._is_idempotent = idempotent if callable(idempotent) else idempotent.__contains__

    def _guard(self, details: grpc.ClientCallDetails) -> tuple[Adapted, _Rules]:
        # Asynchronous channels tell the method in bytes.
        method: str | bytes = details.method
        name = method.decode() if isinstance(method, bytes) else method
        repeatable = bool(self._is_idempotent(name))
        rules = _Rules(details, repeatable=repeatable)
        return Adapted(self._guards.keyed(self._target), rules, repeatable=repeatable), rules


class GuardInterceptor(_Guarding, grpc.UnaryUnaryClientInterceptor):
    """Guards the calls of a blocking channel.

    A call by `.future()` blocks too, until it is decided.
    """

    def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Make a call, again and again where the guard says so.

        Raises:
            BreakerOpen: the target's breaker admits no call.
        """
        guard, rules = self._guard(client_call_details)

        def attempt() -> Any:
            call = continuation(rules.begin(), request)
            error = call.exception()
            if error is not None:
                raise error
            return call

        return guard.call(attempt)


class AsyncGuardInterceptor(_Guarding, grpc.aio.UnaryUnaryClientInterceptor):
    """Guards the calls of an asyncio channel."""

    async def intercept_unary_unary(self, continuation: Any, client_call_details: Any, request: Any) -> Any:
        """Make a call, again and again where the guard says so.

        Raises:
            BreakerOpen: the target's breaker admits no call.
        """
        guard, rules = self._guard(client_call_details)

        async def attempt() -> Any:
            call = await continuation(rules.begin(), request)
            await call
            return call

        return await guard.acall(attempt)
