"""A way to guard a function: one policy of one library, as a decorator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

Fn: TypeAlias = Callable[..., Any]
Wrap: TypeAlias = Callable[[Fn], Fn]

Style: TypeAlias = Literal["sync", "async"]
Kind: TypeAlias = Literal["floor", "breaker", "retry", "guard", "guard, timeouts"]

BOTH: tuple[Style, ...] = ("sync", "async")


@dataclass(frozen=True)
class Way:
    """Guards a function; `wrap`, `retrying` and `breaking` make new state each time.

    A library that has both styles tells plain and coroutine functions apart by itself.
    """

    library: str
    """Whose it is: a package, or what stands in for one among the floors."""
    kind: Kind
    policy: str
    """What it does, in a few words."""
    wrap: Wrap
    """Decorates a function, by a policy that is never put to the test."""
    styles: tuple[Style, ...] = BOTH
    """The kinds of functions it can decorate."""
    own: bool = False
    """Whether it is overcurrent's."""
    retrying: Wrap | None = None
    """Decorates a function that fails with `ConnectionError`: two more attempts, without waiting."""
    breaking: Callable[[float], Wrap] | None = None
    """Decorates by a breaker that opens after some failures, for so many seconds, with one probe."""

    @property
    def title(self) -> str:
        """Library, kind and policy, by which it is chosen."""
        return f"{self.library} {self.kind} {self.policy}"
