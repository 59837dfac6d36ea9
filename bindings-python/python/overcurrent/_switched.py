"""A block in which a switch of the process is on."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Switched:
    """A block, `with` or `async with`, in which a switch is on.

    It may be entered again inside itself, by other threads at the same time, and be used again
    afterwards: the switch is off when all have left.
    """

    __slots__ = ("_turn",)

    def __init__(self, turn: Callable[[bool], None]) -> None:
        self._turn = turn

    def __enter__(self) -> None:
        self._turn(True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn(False)

    async def __aenter__(self) -> None:
        self._turn(True)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn(False)
