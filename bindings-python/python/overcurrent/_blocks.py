"""`for attempt in guard: with attempt: …`, blocking and asynchronous."""

from __future__ import annotations

from overcurrent._attempt import Attempt
from overcurrent._core import Call, Cut
from overcurrent._library import library

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import TracebackType
    from typing import Any

    from overcurrent._core import Next

UNUSED = "the attempt was not made, use `with attempt:` in the body of the loop"


class BlockAttempt(Attempt):
    """An attempt that is made by the block under its `with`.

    A failure that will be retried does not leave the block. The block cannot be cut: it is judged when
    it ends, by the same rules.
    """

    __slots__ = ("made",)

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.made: bool = False

    def __enter__(self) -> BlockAttempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.made = True
        if error is None:
            self._call.succeeded()
            return False
        return self._call.raised(error) is True


class BlockAttempts:
    """The attempts of one blocking call."""

    __slots__ = ("_attempt", "_subject")

    def __init__(self, subject: Repeating) -> None:
        self._subject = subject
        self._attempt: BlockAttempt | None = None

    def __iter__(self) -> Iterator[BlockAttempt]:
        return self

    def __next__(self) -> BlockAttempt:
        last = self._attempt
        if last is None:
            call = self._subject._begin()
        elif not last.made:
            raise RuntimeError(UNUSED)
        elif (call := last._call).over:
            raise StopIteration
        attempt = self._attempt = BlockAttempt(call)
        return attempt


class AsyncBlockAttempt(Attempt):
    """An attempt that is made by the block under its `with` or `async with`.

    A failure that will be retried does not leave the block. The block is cut by cancelling it, as
    `asyncio.timeout` or a cancel scope does, and waited for.
    """

    __slots__ = ("_scope", "error", "next")

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._scope: Any = None
        self.next: Next | None = None
        """What follows, once the block has ended."""
        self.error: BaseException | None = None
        """What the block raised, while it is to be retried after a sleep."""

    def __enter__(self) -> AsyncBlockAttempt:
        self._scope = library().Scope(self._call)
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        end = self._end(kind, error, trace)
        self.next = self._call.succeeded() if end is None else self._call.raised(end)
        return self._holds(error)

    async def __aenter__(self) -> AsyncBlockAttempt:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        end = self._end(kind, error, trace)
        self.next = self._call.succeeded() if end is None else self._call.raised(end)
        return self._holds(error)

    def _end(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> BaseException | None:
        """Return what the block ended with: its error, a cut, or nothing."""
        self.next = False
        scope, self._scope = self._scope, None
        try:
            if scope is not None:
                scope.__exit__(kind, error, trace)
        except Cut as cut:
            return cut
        return error

    def _holds(self, error: BaseException | None) -> bool:
        """Whether the error of the block does not leave it."""
        if self.next is not True and self.next is not False:
            self.error = error
        return error is not None and self.next is not False


class AsyncBlockAttempts:
    """The attempts of one asynchronous call."""

    __slots__ = ("_attempt", "_subject")

    def __init__(self, subject: Repeating) -> None:
        self._subject = subject
        self._attempt: AsyncBlockAttempt | None = None

    def __aiter__(self) -> AsyncIterator[AsyncBlockAttempt]:
        return self

    async def __anext__(self) -> AsyncBlockAttempt:
        last, error = self._attempt, None
        step: Next
        if last is None:
            call = self._subject._begin_async()
            step = call.resume()
        elif last.next is None:
            raise RuntimeError(UNUSED)
        elif (call := last._call).over:
            raise StopAsyncIteration
        else:
            step = last.next
            error, last.error = last.error, None
        try:
            while step is not True:
                if step is False:
                    if error is None:
                        raise StopAsyncIteration
                    raise error
                await library().sleep(call, step)
                step = call.resume()
        finally:
            del error  # its traceback holds this frame
        attempt = self._attempt = AsyncBlockAttempt(call)
        return attempt


class Repeating:
    """Gives out the attempts of a call one by one."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _begin(self) -> Call: ...
        def _begin_async(self) -> Call: ...

    def __iter__(self) -> BlockAttempts:
        """Begin a call, each attempt of which is made by `with attempt:`."""
        return BlockAttempts(self)

    def __aiter__(self) -> AsyncBlockAttempts:
        """Begin a call, each attempt of which is made by `async with attempt:`."""
        return AsyncBlockAttempts(self)
