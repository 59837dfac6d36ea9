"""A guard as an adapter calls through it: judging by the rules of a protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from overcurrent import _core
from overcurrent._calls import Caller

if TYPE_CHECKING:
    from typing import Any, Self

    from overcurrent._guard import Guard
    from overcurrent._policy import Verdict


class Rules(Protocol):
    """What an adapter knows of one call."""

    def classify(self, result: Any) -> Verdict:
        """Say what a value or an error means that the guard's own hooks leave open."""

    def discard(self) -> None:
        """Let go of what the last attempt returned: another one follows, after a wait."""


class Adapted(_core.Adapted, Caller):
    """A guard for one call of a protocol.

    Unless the call is `repeatable`, no failure of it is retried, not even a timeout.
    """

    __slots__ = ()

    def __new__(cls, guard: Guard, rules: Rules, *, repeatable: bool) -> Self:
        """Adapt a guard, which keeps its state, policy and hooks."""
        return _core.Adapted.__new__(cls, guard, rules, repeatable)
