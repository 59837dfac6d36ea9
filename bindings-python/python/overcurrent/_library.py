"""Which asynchronous library runs the calling code: trio where it is inside a trio task, else asyncio.

Neither is imported before it is in use. anyio runs on either.

Each has a module of this package, and in it:

- `sleep(call, seconds)`: sleep between the attempts of a call
- `spawn(fn)`: await what a function returns, beside the running task; what it raises is passed over
- `carry(call, attempt)`: run an attempt that is bounded in time, and return what has its `result()` once it
  has ended; or raise `Cut`
- `Scope(call)`: a block that is cut by cancelling it, and waited for; leaving it raises `Cut` if it was
  cut, and by nothing else
"""

from __future__ import annotations

import sys
from functools import cache

from overcurrent._fork import loading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from overcurrent._core import Call

    class Timer(Protocol):
        """What can be cancelled."""

        def cancel(self) -> object: ...


def library() -> Any:
    """Return what there is of the library of the running task."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_task():
        return _of_trio()
    return _of_asyncio()


def refuse(call: Call, attempt: object) -> None:
    """End a call whose function made nothing that can be awaited; more attempts would make no more of it."""
    import inspect

    if not inspect.isawaitable(attempt):
        call.cancelled()
        raise TypeError("`acall` is for coroutine functions; use `call` for a blocking function")


@cache
def _of_asyncio() -> Any:
    with loading:
        from overcurrent import _tasks

    return _tasks


@cache
def _of_trio() -> Any:
    with loading:
        from overcurrent import _trio

    return _trio
