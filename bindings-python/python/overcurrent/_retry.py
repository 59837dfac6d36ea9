"""The retry."""

from __future__ import annotations

from overcurrent import _core
from overcurrent._blocks import Repeating
from overcurrent._calls import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self, Unpack

    from overcurrent._core import ManualClock
    from overcurrent._policy import Classify, RetryPolicy, Which


class Retry(_core.Retry, Caller, Repeating):
    """Tries again, with waits between, and a budget if it is given one.

    Used as a part of a guard, alone like a guard, or by hand (`start`). `on`, `ignore` and `classify`
    are as for a guard.
    """

    __slots__ = ("__weakref__",)

    def __new__(
        cls,
        *,
        on: Which = Exception,
        ignore: Which = (),
        classify: Classify | None = None,
        clock: ManualClock | None = None,
        seed: int | None = None,
        **policy: Unpack[RetryPolicy],
    ) -> Self:
        """Make a retry.

        Raises:
            InvalidPolicy: a field breaks a rule.
        """
        return _core.Retry.__new__(cls, policy, (on, ignore, classify), clock, seed)
