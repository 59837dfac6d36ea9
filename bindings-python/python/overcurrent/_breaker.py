"""The breaker."""

from __future__ import annotations

from contextvars import ContextVar

from overcurrent import _core
from overcurrent._calls import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self, Unpack

    from overcurrent._core import Call, ManualClock
    from overcurrent._policy import BreakerPolicy, Classify, Which

_entered: ContextVar[tuple[tuple[Breaker, Call], ...]] = ContextVar("overcurrent_entered", default=())
"""The blocks that are under way, outermost first; so one breaker can be entered many times at once."""


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
        _entered.set((*_entered.get(), (self, self._begin())))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        entered = _entered.get()
        for index in reversed(range(len(entered))):
            breaker, call = entered[index]
            if breaker is self:
                _entered.set(entered[:index] + entered[index + 1 :])
                if error is None:
                    call.succeeded()
                else:
                    call.raised(error)
                return

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
