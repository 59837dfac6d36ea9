"""What the adapters of HTTP clients have in common. What an answer means is the core's to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from overcurrent._adapted import Adapted
from overcurrent._attempt import current_attempt
from overcurrent._core import HttpRequest, http_authority, onward_headers
from overcurrent._guard import Guard
from overcurrent._registry import Registry

if TYPE_CHECKING:
    from collections.abc import Container
    from typing import Any, Protocol

    from overcurrent._policy import GuardPolicy, Verdict

    class Headers(Protocol):
        """The headers of a request, by their names in any case."""

        def __contains__(self, name: object, /) -> bool: ...
        def __setitem__(self, name: str, value: str, /) -> None: ...


R = TypeVar("R")

IDEMPOTENCY_KEY = "Idempotency-Key"
TRACEPARENT = "traceparent"


class Guards:
    """Which guard a request goes through, and by which header a server knows it again."""

    __slots__ = ("_guards", "_key_header", "_sends_key")

    def __init__(
        self, guards: Registry | Guard | None, idempotency_key: bool | str, policy: GuardPolicy
    ) -> None:
        if guards is not None and policy:
            raise TypeError("the fields of a policy are for guards of its own, give either them or `guards`")
        if not (guards is None or isinstance(guards, Guard | Registry)):
            raise TypeError("`guards` must be a Registry or a Guard")
        self._guards = Registry(**policy) if guards is None else guards
        self._key_header = idempotency_key if isinstance(idempotency_key, str) else IDEMPOTENCY_KEY
        self._sends_key = bool(idempotency_key)

    def keyed(self, key: str) -> Guard:
        """Return the guard of a key."""
        return self._guards if isinstance(self._guards, Guard) else self._guards.guard(key)

    def guard(self, scheme: str, host: str, port: int | None) -> Guard:
        """Return the guard of a server."""
        return self.keyed(http_authority(scheme, host, port))

    def adds_key(self, headers: Container[str]) -> str | None:
        """Return the header to put the call's own key into, if that is to be done."""
        return self._key_header if self._sends_key and self._key_header not in headers else None

    def has_key(self, headers: Container[str]) -> bool:
        """Whether a request with these headers will be sent with a key."""
        return self._sends_key or self._key_header in headers


class Onward:
    """Tells servers on whose behalf they are asked: by headers, anew for each attempt.

    What its caller has set himself stays as it is; with a `traceparent` of his own, nothing is added.
    """

    __slots__ = ("_own",)

    def __init__(self) -> None:
        self._own: set[str] = set()

    def put(self, headers: Headers) -> None:
        """Put the headers of the attempt under way among others, in the place of the last attempt's."""
        for name, value in self.among(headers):
            headers[name] = value

    def among(self, headers: Container[str]) -> list[tuple[str, str]]:
        """Return those that go with others."""
        if TRACEPARENT in headers and TRACEPARENT not in self._own:
            return []
        onward = [
            (name, value) for name, value in onward_headers() if name in self._own or name not in headers
        ]
        self._own.update(name for name, _ in onward)
        return onward


class Exchange(Generic[R]):
    """One request and its attempts: the rules by which they are judged."""

    failures: ClassVar[tuple[type[Exception], ...]]
    """The errors that mean that there was no answer."""

    faults: ClassVar[tuple[type[Exception], ...]] = ()
    """Those of them that are the caller's own."""

    def __init__(self, method: str, *, has_key: bool, replayable: bool) -> None:
        self.request = HttpRequest(method, has_idempotency_key=has_key, has_replayable_body=replayable)
        self.onward = Onward()
        self.response: R | None = None
        """What the last attempt returned, until it is let go of."""

    def through(self, guard: Guard) -> Adapted:
        """Return the guard to call through, which holds the exchange; so that is not to hold it."""
        return Adapted(guard, self, repeatable=self.request.repeatable)

    def answer(self, response: R) -> tuple[int, str | None]:
        """Return the status and the Retry-After header of a response."""
        raise NotImplementedError

    def close(self, response: R) -> None:
        """Close a response that nobody will see."""
        raise NotImplementedError

    def classify(self, result: Any) -> Verdict:
        """Say what a response or an error means."""
        if not isinstance(result, Exception):
            return self.request.answered(*self.answer(result))
        if isinstance(result, self.failures) and not isinstance(result, self.faults):
            return self.request.failed()
        return "ignored"

    def discard(self) -> None:
        """Close the last response, if there is one."""
        response, self.response = self.response, None
        if response is not None:
            self.close(response)


def call_key() -> str:
    """Return the idempotency key of the call under way."""
    return current_attempt().idempotency_key


def remaining() -> float | None:
    """Return the seconds left for the attempt under way; None where nothing bounds it."""
    return current_attempt().remaining


def cut(timeout: float | None, left: float | None) -> float | None:
    """Return the shorter of two times in seconds; None is for ever."""
    return left if timeout is None or (left is not None and left < timeout) else timeout
