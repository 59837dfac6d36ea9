"""On whose behalf the running code makes calls; loaded when somebody says so."""

from __future__ import annotations

from contextlib import suppress
from contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Protocol

    from overcurrent._core import TraceContext

    class Headers(Protocol):
        """Headers that can be set."""

        def __setitem__(self, name: str, value: str, /) -> object: ...


current: ContextVar[TraceContext] = ContextVar("overcurrent_trace")
"""The context of the innermost scope."""


class Scope:
    """A block that makes its calls on behalf of a context; in coroutines and the tasks they start, too."""

    __slots__ = ("_context", "_tokens")

    def __init__(self, context: TraceContext) -> None:
        self._context = context
        self._tokens: list[Token[TraceContext]] = []

    def __enter__(self) -> TraceContext:
        self._tokens.append(current.set(self._context))
        return self._context

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Who closes a coroutine that nobody awaits any more is in another context, which knows nothing of it.
        with suppress(ValueError):
            current.reset(self._tokens.pop())
