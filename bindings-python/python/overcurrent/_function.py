"""What type checkers tell a function by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from types import CodeType


class Function(Protocol):
    """A function, a bound method or a lambda; not an object that merely can be called."""

    @property
    def __code__(self) -> CodeType: ...
