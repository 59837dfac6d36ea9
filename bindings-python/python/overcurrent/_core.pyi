"""The extension module, in Rust.

`Budget`, `Failure`, `Family`, `Histogram`, `ManualClock`, `Metrics`, `Permit`, `RetryCall`, `Sample`,
`Stop`, `Subscription`, `TraceContext`, `Wait`, `explain`, `metrics` and `subscribe` are public, in
`overcurrent`; the rest is what the package is built on.
"""

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias, TypeVar, final

from typing_extensions import disjoint_base

import overcurrent
from overcurrent._adapted import Rules
from overcurrent._library import Timer
from overcurrent._policy import (
    Classify,
    Duration,
    RejectReason,
    Snapshot,
    StopReason,
    Verdict,
    Which,
)
from overcurrent._trace import Headers, Scope
from overcurrent.events import Event

__version__: str

_R = TypeVar("_R")

Next: TypeAlias = bool | float
Begun: TypeAlias = "Call | First | int | float"

_Header: TypeAlias = tuple[str, str] | tuple[bytes, bytes] | list[str] | list[bytes]
_Hooks: TypeAlias = tuple[Which, Which, Classify | None]

class Cut(BaseException):
    """Tells a call that its attempt was cut by the guard; never leaves this package."""

def invalid_policy_text(path: str, value: str, rule: str) -> str: ...
def breaker_open_text(breaker: str, reason: RejectReason, retry_after: float | None) -> str: ...
def attempt_timeout_text(guard: str, attempt: int, timeout: float) -> str: ...
def deadline_exceeded_text(guard: str, attempts: int, deadline: float) -> str: ...
def turn_instant(on: bool) -> None: ...
def turn_disabled(on: bool) -> None: ...
def turn_tracing(tracer: object | None) -> bool: ...
def error_type(status: int | None, code: str | None, class_: str | None, /) -> str: ...
def onward_headers() -> list[tuple[str, str]]: ...
def before_fork() -> None: ...
def after_fork() -> None: ...
def registry_full_text(name: str, capacity: int) -> str: ...
def http_authority(scheme: str, host: str, port: int | None) -> str: ...
def http_retry_after_header(wait: Duration) -> str: ...
def grpc_verdict(status: int, pushback: str | None, repeatable: bool) -> Verdict: ...

@final
class ManualClock:
    """A clock for tests: it stands still until it is moved, and sleeping moves it."""

    def __new__(cls) -> Self: ...
    @property
    def now_ns(self) -> int:
        """Nanoseconds since its creation, as it was moved."""

    def advance(self, duration: Duration) -> None:
        """Move it on."""

    def set(self, duration: Duration) -> None:
        """Set it to so long after its creation, also back."""

@final
class TraceContext:
    """On whose behalf calls are made: a trace and a span in it, a correlation id, and what travels with them.

    Each of them may be missing. It is read from the headers of a request and written into those of others,
    by the rules of W3C Trace Context and W3C Baggage; the correlation id is in `x-correlation-id`. False
    where it says nothing.

    Example:
        >>> context = TraceContext.root().with_correlation_id("order-7")
        >>> with context.scope():
        ...     TraceContext.current().correlation_id
        'order-7'
    """

    @staticmethod
    def extract(headers: Mapping[str, str] | Mapping[bytes, bytes] | Iterable[_Header], /) -> TraceContext:
        """Return what the headers of a request say: a mapping, or pairs of a name and a value.

        What is invalid in them is ignored.
        """

    @staticmethod
    def root(*, sampled: bool = True) -> TraceContext:
        """Return a new trace.

        Args:
            sampled: Whether it is to be recorded. Tracers mostly do as the beginning of the trace says, so
                of one that is not sampled they record nothing.
        """

    @staticmethod
    def current() -> TraceContext | None:
        """Return the context that the running code makes calls on behalf of.

        That of the current span, where OpenTelemetry is on; else that of the innermost scope.
        """

    @staticmethod
    def of(trace_id: int, span_id: int, flags: int, tracestate: str) -> TraceContext | None: ...
    def or_root(self, *, sampled: bool = True) -> TraceContext:
        """Return the same where it has a trace, else with a new one.

        Args:
            sampled: Whether a new one is to be recorded.
        """

    def child(self) -> TraceContext:
        """Return the same trace as seen from a new span of it, the parent of what is called."""

    def with_correlation_id(self, id: str) -> TraceContext:
        """Return the same with another correlation id.

        Raises:
            InvalidPolicy: it is not 1 to 128 visible ASCII characters.
        """

    def inject(self, headers: Headers, /) -> None:
        """Set the headers that carry it on, as `headers[name] = value` with names in lower case."""

    def scope(self) -> Scope:
        """Return what to use in `with`: there, this is the current one.

        Calls that are made there have its identifiers in their events and log lines, and the adapters send
        it on. As any context variable, it is seen in what is awaited there, in the tasks that are started
        there, and in threads by `asyncio.to_thread`.
        """

    @property
    def trace_id(self) -> str | None:
        """Which trace, in 32 hexadecimal digits."""

    @property
    def span_id(self) -> str | None:
        """The span on whose behalf calls are made, in 16 hexadecimal digits."""

    @property
    def correlation_id(self) -> str | None:
        """What the request is known by to people and logs."""

    @property
    def sampled(self) -> bool:
        """Whether the span may have been recorded."""

    @property
    def random(self) -> bool:
        """Whether the right half of the trace's id is random."""

    @property
    def tracestate(self) -> str | None:
        """What tracers say to themselves."""

    @property
    def baggage(self) -> str | None:
        """What applications say to each other, unread."""

    def __bool__(self) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...

@final
class Alarm:
    """A callback that waits for a manual clock."""

    def cancel(self) -> None: ...

@final
class Failure:
    """What `classify` answers for a failure that is more than the word.

    It says whether trying again can cure it, and how long the server asked to wait.
    """

    def __new__(cls, *, retryable: bool = True, hint: Duration | None = None) -> Self: ...
    @property
    def retryable(self) -> bool:
        """Whether trying again can cure it."""

    @property
    def hint(self) -> float | None:
        """How long the server asked to wait, in seconds."""

@final
class Permit:
    """The right to make one call. Letting go of it says that the call was cancelled.

    It is used up by one outcome; using it again does nothing. The duration of the call is measured,
    unless it is given.
    """

    def success(self, took: Duration | None = None) -> None:
        """The call succeeded."""

    def failure(self, took: Duration | None = None) -> None:
        """The call failed."""

    def ignored(self, took: Duration | None = None) -> None:
        """The call ended in a way that says nothing of the dependency."""

    def cancelled(self, took: Duration | None = None) -> None:
        """The caller gave up."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Literal[False]: ...

@final
class Budget:
    """A retry budget, to be shared by all that may add retries to one dependency."""

    def __new__(
        cls,
        *,
        ratio: float | None = None,
        min_per_second: float | None = None,
        burst: int | None = None,
        clock: ManualClock | None = None,
    ) -> Self: ...
    def deposit(self) -> None:
        """Deposit for one call."""

    def withdraw(self) -> bool:
        """Take a token for one retry, if there is one."""

    @property
    def tokens_micro(self) -> int:
        """The micro-tokens held; a token is 1,000,000."""

@final
class Wait:
    """The decision to try again, after a wait."""

    __match_args__ = ("delay",)
    @property
    def delay(self) -> float:
        """The wait in seconds."""

    @property
    def delay_ns(self) -> int:
        """The wait in nanoseconds."""

@final
class Stop:
    """The decision not to try again."""

    __match_args__ = ("reason",)
    @property
    def reason(self) -> StopReason:
        """Why not."""

@final
class RetryCall:
    """The retries of one call, for a loop of one's own."""

    def failed(self, *, retryable: bool = True, hint: Duration | None = None) -> Wait | Stop:
        """Decide what follows an attempt that failed now."""

    @property
    def remaining(self) -> float | None:
        """The seconds left for the call."""

@final
class Subscription:
    """A callback that hears of events until it is closed."""

    def close(self) -> None:
        """End it; does nothing where that is done."""

    @property
    def dropped(self) -> int:
        """How many events were forgotten, as the callback was too slow."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> Literal[False]: ...

def subscribe(
    callback: Callable[[Event], object], *, guard: Guard | None = None, breaker: Breaker | None = None
) -> Subscription:
    """Have `callback` called with each event from now on, until the subscription is closed.

    It runs in the thread that made the decision, after it and before the call goes on (before a wait, and
    before a result or an error is handed over), with no lock held. It never runs twice at once: while it
    runs, what other threads decide, or it itself, waits for its end. Of more than 1024 events that wait the
    oldest are forgotten and counted. A callback that raises is logged and cannot change a decision.

    Letting go of the subscription does not end it.

    Args:
        callback: is given the event.
        guard: only its events and those of its breaker.
        breaker: only its events. Without either, those of the whole process.

    Raises:
        TypeError: `callback` cannot be called.
        ValueError: both a guard and a breaker are given.
    """

@final
class Histogram:
    """How long calls took, counted by size."""

    @property
    def buckets(self) -> tuple[tuple[float, int], ...]:
        """The upper bound of each bucket in seconds, the last infinite; and how many there were up to it."""

    @property
    def sum(self) -> float:
        """All of them together, in seconds."""

    @property
    def count(self) -> int:
        """How many there are."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Sample:
    """One value of a metric."""

    @property
    def labels(self) -> dict[str, str]:
        """Its labels, each with its value."""

    @property
    def value(self) -> int | float | Histogram:
        """Its value: an integer of a counter, a float of a gauge."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Family:
    """A metric with its samples."""

    @property
    def name(self) -> str:
        """Its name, the same in every language; that of a counter ends in `_total`."""

    @property
    def kind(self) -> Literal["counter", "gauge", "histogram"]:
        """How it moves."""

    @property
    def help(self) -> str:
        """What it tells, in a sentence."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels, the first of which is whose it is."""

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Its samples, in one order."""

    def __eq__(self, other: object, /) -> bool: ...

@final
class Metrics:
    """What guards, breakers and registries have counted, read at one moment. As text it is `prometheus()`."""

    PROMETHEUS: Final[str]
    """The content type of `prometheus()`."""
    OPENMETRICS: Final[str]
    """The content type of `openmetrics()`."""

    @property
    def families(self) -> tuple[Family, ...]:
        """The metrics that have samples, in one order."""

    def prometheus(self) -> str:
        """Return them as Prometheus text, version 0.0.4."""

    def openmetrics(self) -> str:
        """Return them as OpenMetrics text, version 1.0.0."""

    def __eq__(self, other: object, /) -> bool: ...

def metrics() -> Metrics:
    """Return what all guards, breakers and registries of the process have counted.

    Each is there from when it is made, with everything at zero, until nothing holds it any more. Of several
    with the same name the values are added up. A child of a fork begins at zero.

        import overcurrent

        guard = overcurrent.Guard("refunds")
        guard.call(print, "paid")
        assert 'overcurrent_calls_total{guard="refunds",outcome="success"} 1' in str(overcurrent.metrics())
    """

def all_metrics() -> tuple[Family, ...]: ...
def explain(error: BaseException, /) -> str | None:
    """Say what became of the call that ended with an error, and why it was not tried again.

    In words for people, the same in every language, with nothing of the error's own text. None where no call
    was given up with it.

        import overcurrent

        try:
            overcurrent.Guard("payments", retry=False).call(open, "/nowhere")
        except OSError as error:
            print(overcurrent.explain(error))  # failed in 1 attempt within 104 us, not tried again: …
    """

@final
class Policy:
    """A validated policy from a document."""

    def __new__(cls, file_name: str, text: str, name: str) -> Self: ...

@final
class Call:
    """One guarded call under way; see the source for how it is driven."""

    def resume(self) -> Next: ...
    def returned(self, value: object, /) -> Next: ...
    def succeeded(self) -> Next: ...
    def raised(self, error: BaseException, /) -> Next: ...
    def cut(self) -> None: ...
    def cancelled(self) -> None: ...
    def arm(self, event_loop: object, callback: Callable[[], None]) -> Timer | None: ...
    @property
    def limit(self) -> float | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def remaining(self) -> float | None: ...
    @property
    def elapsed(self) -> float | None: ...
    @property
    def stop(self) -> StopReason | None: ...
    @property
    def over(self) -> bool: ...
    @property
    def idempotency_key(self) -> str: ...

@final
class First:
    """A first attempt, where a number does not say all of it."""

@final
class Part:
    """The breaker that a guard made for itself."""

@disjoint_base
class Caller:
    """What calls go through: the state of a guard, breaker, retry or adapted guard."""

    @property
    def _bounded(self) -> bool: ...
    def _run(self, function: Callable[..., _R], args: tuple[Any, ...], kwargs: dict[str, Any], /) -> _R: ...
    def _running(self, kwargs: dict[Any, Any], /) -> Call | None: ...
    def _begin(self) -> Call: ...
    def _first(self) -> Begun | None: ...
    def _begin_async(self) -> Call: ...
    def _ended(self, begun: Begun, /) -> bool: ...
    def _full(self, begun: Begun, kwargs: dict[Any, Any], /) -> Call: ...
    def _lend(self, begun: Begun, kwargs: dict[Any, Any], /) -> Call: ...

@disjoint_base
class Guard(Caller):
    """The state of a guard."""

    def __new__(
        cls,
        source: str | Kept,
        policy: Mapping[str, Any] | Policy,
        hooks: _Hooks,
        clock: ManualClock | None,
        seed: int | None,
        durations: bool,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """Its name."""

    @property
    def given_breaker(self) -> Breaker | None: ...
    @property
    def own_breaker(self) -> Part | None: ...
    @property
    def budget(self) -> Budget | None:
        """Its retry budget; None where retries are not limited so."""

    def subscribe(self, callback: Callable[[Event], object]) -> Subscription:
        """Have `callback` called with its events and its breaker's; see `overcurrent.subscribe`."""

    def metrics(self) -> Metrics:
        """Return what it and its breaker have counted; see `overcurrent.metrics`."""

    def explain(self) -> str:
        """Say what its calls have come to, and what `Breaker.explain` says of its breaker.

        In words for people, the same in every language; nothing that a program should look into.
        """

@disjoint_base
class Breaker(Caller):
    """The state of a breaker."""

    def __new__(
        cls,
        source: str | Part | None,
        fields: Mapping[str, Any],
        hooks: _Hooks,
        clock: ManualClock | None,
        seed: int | None,
    ) -> Self: ...
    @property
    def name(self) -> str:
        """Its name."""

    # Text: type checkers would take what a `Literal` was found to be for what it still is.
    @property
    def state(self) -> str:
        """Where it stands: closed, open, half_open, forced_open or forced_closed.

        Open shows as open until a call makes it half-open.
        """

    @property
    def reason(self) -> str | None:
        """Why it is open; None while it is not.

        One of consecutive_failures, failure_rate, slow_rate, probe_failed, probe_timeout and manual.
        """

    @property
    def late(self) -> int:
        """How many outcomes came after their epoch was over, and changed nothing."""

    @property
    def retry_after(self) -> float | None:
        """Seconds until it admits a probe; None while it is not open."""

    def acquire(self) -> Permit:
        """Ask for admission.

        Raises:
            BreakerOpen: no call is admitted.
        """

    def trip(self, for_: Duration | None = None) -> None:
        """Open it by hand, for so long (at most 24 h) or for the policy's cooldown."""

    def reset(self) -> None:
        """Close it, with everything forgotten."""

    def force_open(self) -> None:
        """Reject every call until `automatic`."""

    def force_closed(self) -> None:
        """Admit every call until `automatic`."""

    def automatic(self) -> None:
        """Take an override back; does nothing without one."""

    def snapshot(self) -> Snapshot:
        """Return the state in portable form, to restore in another process."""

    def restore(self, snapshot: Snapshot) -> None:
        """Go to the state of a snapshot.

        Raises:
            InvalidPolicy: it is not one.
        """

    def subscribe(self, callback: Callable[[Event], object]) -> Subscription:
        """Have `callback` called with its events; see `overcurrent.subscribe`."""

    def metrics(self) -> Metrics:
        """Return what it has counted; see `overcurrent.metrics`."""

    def explain(self) -> str:
        """Say where it stands, why, what would change that, and which changes of state were the last.

        In words for people, the same in every language; nothing that a program should look into.
        """

@disjoint_base
class Retry(Caller):
    """The state of a retry."""

    def __new__(
        cls,
        fields: Mapping[str, Any],
        hooks: _Hooks,
        clock: ManualClock | None,
        seed: int | None,
    ) -> Self: ...
    @property
    def budget(self) -> Budget | None:
        """Its retry budget, if it has one."""

    def start(self, deadline: Duration | None = None) -> RetryCall:
        """Begin a call that must be over `deadline` from now, for a loop of one's own."""

@final
class Kept:
    """A guard that a registry keeps, on its way to become an `overcurrent.Guard`."""

@disjoint_base
class Registry:
    """The state of a registry."""

    def __new__(
        cls,
        name: str | None,
        capacity: int,
        policy: Mapping[str, Any] | Policy,
        hooks: _Hooks,
        clock: ManualClock | None,
        seed: int | None,
        durations: bool,
    ) -> Self: ...
    def enter(self, key: str) -> overcurrent.Guard | Kept: ...
    def find(self, key: str) -> overcurrent.Guard | Kept | None: ...
    def see(self, guard: overcurrent.Guard) -> overcurrent.Guard: ...
    def keys(self) -> list[str]:
        """Return the keys that are there now."""

    def __len__(self) -> int:
        """How many guards are there."""

    @property
    def capacity(self) -> int:
        """How many guards it may hold."""

    def metrics(self) -> Metrics:
        """Return what its guards have counted; see `overcurrent.metrics`."""

    @property
    def evictions(self) -> int:
        """How many guards have made room for others."""

class Adapted(Caller):
    """The state of a guard adapted to one call."""

    def __new__(cls, guard: Guard, rules: Rules, repeatable: bool) -> Self: ...

@final
class HttpRequest:
    """What there is to know of a request."""

    def __new__(cls, method: str, *, has_idempotency_key: bool, has_replayable_body: bool) -> Self: ...
    @property
    def repeatable(self) -> bool: ...
    def answered(self, status: int, retry_after: str | None, *, now: Duration | None = None) -> Verdict: ...
    def failed(self) -> Verdict: ...
