"""The attempt under way, as seen from inside the function that makes it."""

from __future__ import annotations

import sys
from contextlib import suppress
from contextvars import ContextVar

from overcurrent._core import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from types import FrameType

    from overcurrent._policy import StopReason

LOOPS = {"overcurrent._calls", "overcurrent._items", "overcurrent._tasks"}
"""The modules whose frames make calls, through `self`.

A loop keeps its call in the local variable `call`; where that is a first attempt, `kwargs` keeps what was
lent of it. A frame without that makes a blocking call, which is known by `kwargs`; in place of `self` it may
have its method `run` alone.
"""

running: ContextVar[Call] = ContextVar("overcurrent_running")
"""The call under way, where it is asynchronous and bounded in time."""


def leave(token: Token[Call]) -> None:
    """Leave an attempt; who closes a coroutine that nobody awaits any more is in another context."""
    with suppress(ValueError):
        running.reset(token)


class Attempt:
    """One attempt of a guarded call."""

    __slots__ = ("_call", "number")

    def __init__(self, call: Call) -> None:
        self._call = call
        self.number: int = call.attempts
        """Which one, from 1."""

    @property
    def remaining(self) -> float | None:
        """Seconds left for it; None where nothing bounds it.

        A blocking function should pass it on, as it cannot be cut.
        """
        return self._call.remaining

    @property
    def idempotency_key(self) -> str:
        """A key for the dependency to know the call by: the same on every attempt of one call."""
        return self._call.idempotency_key

    @property
    def elapsed(self) -> float | None:
        """Seconds since the call began; None through a breaker alone, which does not measure it."""
        return self._call.elapsed

    @property
    def stop(self) -> StopReason | None:
        """Why the call was not retried, once that is so."""
        return self._call.stop

    def __repr__(self) -> str:
        return f"<Attempt {self.number}>"


def current_attempt() -> Attempt:
    """Return the attempt that the calling code is a part of; the innermost, where they are nested.

    A generator is a part of its attempt until its first item is out.

    Works anywhere below a guarded function; also in the tasks and threads that an asynchronous one starts,
    where its attempts are bounded in time, as those of a guard are by default. It costs nothing until it is
    asked for: the call is found by looking up the stack.

    Raises:
        LookupError: no attempt is under way.
    """
    caller = sys._getframe(1)
    call = _on_stack(caller, _root()) or running.get(None) or _on_stack(caller, None)
    if call is None:
        raise LookupError("no attempt is under way")
    return Attempt(call)


def _on_stack(frame: FrameType | None, root: FrameType | None) -> Call | None:
    """Return the call of the nearest of our loops on the stack, down to `root`."""
    while frame is not None:
        if frame.f_globals.get("__name__") in LOOPS:
            names = frame.f_locals
            call = names.get("call")
            if type(call) is Call:
                return call
            found: Call | None = None
            if call is not None:
                found = names["self"]._lend(call, names["kwargs"])
            elif "kwargs" in names:
                caller = names["run"].__self__ if "run" in names else names["self"]
                found = caller._running(names["kwargs"])
            if found is not None:
                return found
        if frame is root:
            return None
        frame = frame.f_back
    return None


def _root() -> FrameType | None:
    """Return where the stack of the running task begins; what is below belongs to the event loop."""
    asyncio = sys.modules.get("asyncio")
    try:
        task = asyncio.current_task() if asyncio is not None else None
    except RuntimeError:  # no running event loop
        return None
    return None if task is None else getattr(task.get_coro(), "cr_frame", None)
