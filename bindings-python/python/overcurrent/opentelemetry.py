"""Attempts as spans of OpenTelemetry, and metrics: `pip install overcurrent[opentelemetry]`.

    from overcurrent.opentelemetry import instrument

    instrument()  # with the tracer provider that was set for the process

    from overcurrent.opentelemetry import instrument_metrics

    instrument_metrics()  # with the meter provider that was set for the process

Each attempt is a span, a child of that in which the call was made and the parent of what the function does:

| | |
| --- | --- |
| name | the name of the guard, else of the breaker, else `retry`; and `attempt` |
| kind | client |
| `overcurrent.guard`, `overcurrent.breaker` | their names, where there are such |
| `overcurrent.breaker.state` | where the breaker stood when it admitted the attempt |
| `overcurrent.attempt` | which attempt it is, from 1 |
| `http.request.resend_count` | how many came before it, where some did |
| `overcurrent.outcome` | `success`, `failure`, `timeout`, `ignored` or `cancelled` |
| `error.type` | the status of the response; else the code of the error, else its class; else `_OTHER` |
| status | error, of a failure and a timeout |

What was decided is an event of the span: `overcurrent.retry` and so on, with the fields of the event as
attributes (`overcurrent.wait`); of the caller's span where no attempt was under way. Nothing of a call's
arguments, results or error messages is in any of this.
"""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry import context as contexts
from opentelemetry import trace
from opentelemetry.propagate import inject
from opentelemetry.trace import Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from overcurrent._core import TraceContext, __version__, error_type, turn_tracing
from overcurrent._errors import InvalidPolicy
from overcurrent._otel_metrics import Metering, instrument_metrics
from overcurrent._trace import current as scope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextvars import Token
    from types import TracebackType
    from typing import Self

    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer, TracerProvider

    from overcurrent.events import Event

__all__ = ["Instrumentation", "Metering", "instrument", "instrument_metrics"]

FAILED = {"failure", "timeout"}

_innermost: ContextVar[_Attempt] = ContextVar("overcurrent_traced")
"""The attempt under way; who cannot leave it is in another context than who entered it."""


def instrument(tracer_provider: TracerProvider | None = None, *, propagate: bool = True) -> Instrumentation:
    """Trace the attempts of all calls of the process that begin from now on.

    Args:
        tracer_provider: Where the spans go; by default to the provider that was set for the process.
        propagate: Whether the adapters send the context of each attempt's span. `False` is for clients that
            are instrumented themselves, and for servers that are not to learn of it.

    Returns:
        What ends it.

    Raises:
        InvalidPolicy: `propagate` is neither true nor false.
        RuntimeError: they are traced already.

    Example:
        >>> from overcurrent import Guard
        >>> with instrument():
        ...     Guard("payments").call(str.upper, "receipt")
        'RECEIPT'
    """
    if not isinstance(propagate, bool):
        raise InvalidPolicy("propagate", f"{propagate}", "must be true or false")
    if not turn_tracing(_Tracer(trace.get_tracer("overcurrent", __version__, tracer_provider), propagate)):
        raise RuntimeError("calls are traced already, end that first")
    return Instrumentation()


class Instrumentation:
    """Traces attempts until it is closed; attempts that are under way then are traced to their end."""

    __slots__ = ("_on",)

    def __init__(self) -> None:
        """Begin; `instrument` does that."""
        self._on = True

    def close(self) -> None:
        """End it; do nothing where that is done."""
        if self._on:
            self._on = False
            turn_tracing(None)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End it."""
        self.close()


class _Tracer:
    """What the extension asks about calls and attempts."""

    __slots__ = ("_propagates", "_tracer")

    def __init__(self, tracer: Tracer, propagates: bool) -> None:
        self._tracer = tracer
        self._propagates = propagates

    def current(self) -> TraceContext | None:
        """Return the span that is current, if there is one."""
        return _context(trace.get_current_span())

    def begin(self, guard: str | None, breaker: tuple[str, str] | None, attempt: int) -> _Attempt:
        """Begin an attempt, which then is the current span."""
        attributes: dict[str, str | int] = {"overcurrent.attempt": attempt}
        name = "retry"
        if breaker is not None:
            name, attributes["overcurrent.breaker.state"] = breaker
            attributes["overcurrent.breaker"] = name
        if guard is not None:
            name = attributes["overcurrent.guard"] = guard
        if attempt > 1:
            attributes["http.request.resend_count"] = attempt - 1
        parent, kind = _parent(), SpanKind.CLIENT
        span = self._tracer.start_span(f"{name} attempt", parent, kind=kind, attributes=attributes)
        return _Attempt(span)

    def tell(self, events: Iterable[Event]) -> None:
        """Tell the current span what was decided in it."""
        _tell(trace.get_current_span(), events)

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers by which a server learns of the current span, and the rest of the scope's."""
        headers: dict[str, str] = {}
        if self._propagates:
            inject(headers)
        known = scope.get(None)
        if known is not None:
            rest: dict[str, str] = {}
            known.inject(rest)
            for name, value in rest.items():
                # The trace is the tracer's to tell of; of the rest a propagator may know better.
                if not name.startswith("trace"):
                    headers.setdefault(name, value)
        return list(headers.items())


class _Attempt:
    """The span of an attempt."""

    __slots__ = ("_entered", "_mark", "_span", "context")

    def __init__(self, span: Span) -> None:
        self._span = span
        self.context = _context(span)
        """Its identifiers."""
        self._entered: Token[Context] = contexts.attach(trace.set_span_in_context(span))
        self._mark = _innermost.set(self)

    def tell(self, events: Iterable[Event]) -> None:
        """Tell the span what was decided in it."""
        _tell(self._span, events)

    def end(self, events: Iterable[Event], outcome: str, result: object) -> None:
        """End the span, after what was decided in it.

        Args:
            events: What was decided.
            outcome: How the attempt ended.
            result: Its error, or the class of one that was never made; else the value that it returned.
        """
        try:
            _tell(self._span, events)
            self._span.set_attribute("overcurrent.outcome", outcome)
            if outcome in FAILED:
                self._span.set_status(Status(StatusCode.ERROR))
            if outcome in FAILED or (outcome == "ignored" and isinstance(result, BaseException)):
                self._span.set_attribute("error.type", _type(result))
        finally:
            try:
                self._span.end()
            finally:
                self._leave()

    def _leave(self) -> None:
        # Who closes a coroutine that nobody awaits any more is in another context, with another current span.
        with suppress(ValueError):
            _innermost.reset(self._mark)
            contexts.detach(self._entered)


def _parent() -> Context | None:
    """Return where a span begins that no span is around: in the trace that the request came with."""
    came = scope.get(None)
    if came is None or came.trace_id is None or trace.get_current_span().get_span_context().is_valid:
        return None
    return trace.set_span_in_context(trace.NonRecordingSpan(_remote(came, came.trace_id, came.span_id or "")))


def _remote(came: TraceContext, trace_id: str, span_id: str) -> SpanContext:
    """Return a context as OpenTelemetry has it."""
    state = TraceState.from_header([came.tracestate or ""])
    flags = TraceFlags(came.sampled + 2 * came.random)
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=flags, trace_state=state
    )


def _context(span: Span) -> TraceContext | None:
    """Return the identifiers of a span, if it has any."""
    said = span.get_span_context()
    if not said.is_valid:
        return None
    return TraceContext.of(said.trace_id, said.span_id, said.trace_flags, said.trace_state.to_header())


def _tell(span: Span, events: Iterable[Event]) -> None:
    """Tell a span of those events that were decided in it, unless it has ended."""
    if not span.is_recording():
        return
    id_ = format(span.get_span_context().span_id, "016x")
    for event in events:
        fields = event.fields
        if fields.pop("span_id", None) == id_:
            fields.pop("trace_id")
            attributes = {f"overcurrent.{name}": value for name, value in fields.items() if value is not None}
            span.add_event(f"overcurrent.{event.name}", attributes)


def _type(result: object) -> str:
    """Return what an error, or its class, or a value that is a failure is called: the core chooses."""
    if isinstance(result, type):
        return error_type(None, getattr(result, "code", None), None)
    status = _status(result)
    if not isinstance(result, BaseException):
        return error_type(status, None, None)
    kind = type(result)
    module, name = kind.__module__, kind.__qualname__
    name = name if module == "builtins" else f"{module}.{name}"
    return error_type(status, _code(result, module), name)


def _status(result: object) -> int | None:
    """Return the status of a response, or of the response that an error tells of."""
    for holder, name in (
        (result, "status_code"),
        (result, "status"),
        (_read(result, "response"), "status_code"),
    ):
        status = _read(holder, name)
        if isinstance(status, int) and not isinstance(status, bool):
            return status
    return None


def _code(error: BaseException, module: str) -> str | None:
    """Return the code that an error carries; of gRPC the name of its status."""
    code = _read(error, "code")
    if callable(code) and module.partition(".")[0] == "grpc":
        with suppress(Exception):
            code = _read(code(), "name")
    return code if isinstance(code, str) else None


def _read(holder: object, name: str) -> object:
    """Return an attribute; None where there is none, or where reading it raises."""
    with suppress(Exception):
        return getattr(holder, name, None)
    return None
