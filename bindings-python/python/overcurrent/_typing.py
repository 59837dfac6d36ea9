"""What the types of wrappers are written with; loading `typing` takes longer than all of this package."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Protocol
    from typing import overload as overload

    class Function(Protocol):
        """A function, a bound method or a lambda; not an object that merely can be called."""

        @property
        def __code__(self) -> CodeType: ...

else:

    def overload(signature: object) -> None:
        """Leave a signature to type checkers."""
