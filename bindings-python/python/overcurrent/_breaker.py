"""The breaker."""

from __future__ import annotations

from contextvars import ContextVar

from overcurrent import _core
from overcurrent._calls import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Reversible
    from types import TracebackType
    from typing import Self, Unpack

    from overcurrent._core import Call, ManualClock
    from overcurrent._policy import BreakerPolicy, Classify, Which

_entered: ContextVar[tuple[Block, ...]] = ContextVar("overcurrent_entered", default=())
"""The blocks that were entered in this context, outermost first. So a breaker can be entered many times."""

_under_way: dict[Block, None] = {}
"""The blocks of all contexts that have not been left, oldest first.

What is entered in one context may be left in another: a generator goes on in that of whoever asks it to.
Which of a breaker's blocks that was cannot be told then, and the newest is taken for it. So each is left
once, and the outcome counts.
"""


class Block:
    """A block under a breaker."""

    __slots__ = ("breaker", "call")

    def __init__(self, breaker: Breaker, call: Call) -> None:
        self.breaker = breaker
        self.call = call


class Breaker(_core.Breaker, Caller):
    """The live state of one dependency, to be shared by all that call it.

    Used through a guard, alone by `call`, `acall` or as a decorator, around a block (`with breaker:`),
    or by hand (`acquire`). Without a name, clock or seed of its own it takes those of the first guard
    it is given to.

    `on`, `ignore` and `classify` are as for a guard.
    """

    __slots__ = ("__weakref__",)

    def __new__(
        cls,
        name: str | None = None,
        *,
        on: Which = Exception,
        ignore: Which = (),
        classify: Classify | None = None,
        clock: ManualClock | None = None,
        seed: int | None = None,
        **policy: Unpack[BreakerPolicy],
    ) -> Self:
        """Make a closed breaker.

        Raises:
            InvalidPolicy: a field breaks a rule.
        """
        return _core.Breaker.__new__(cls, name, policy, (on, ignore, classify), clock, seed)

    def __enter__(self) -> Self:
        """Ask for admission of a block.

        Raises:
            BreakerOpen: none is admitted.
        """
        block = Block(self, self._begin())
        _entered.set((*filter(_under_way.__contains__, _entered.get()), block))
        # Last, as an interruption before it leaves nothing under way.
        _under_way[block] = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        block = self._left(_entered.get()) or self._left(_under_way.copy())
        if block is None:
            return
        _entered.set(tuple(filter(_under_way.__contains__, _entered.get())))
        if error is None:
            block.call.succeeded()
        else:
            block.call.raised(error)

    def _left(self, blocks: Reversible[Block]) -> Block | None:
        """Take the newest block of this breaker that is still under way; it is not any more."""
        for block in reversed(blocks):
            if block.breaker is self and _under_way.pop(block, block) is None:
                return block
        return None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
