"""`for attempt in guard: with attempt: …`, blocking and asynchronous."""

from __future__ import annotations

from overcurrent._attempt import Attempt

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import TracebackType

    from overcurrent._core import Alarm, Call, Next

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

    __slots__ = ("_attempt", "_begin")

    def __init__(self, begin: Callable[[], Call]) -> None:
        self._begin = begin
        self._attempt: BlockAttempt | None = None

    def __iter__(self) -> Iterator[BlockAttempt]:
        return self

    def __next__(self) -> BlockAttempt:
        last = self._attempt
        if last is None:
            call = self._begin()
        elif not last.made:
            raise RuntimeError(UNUSED)
        elif (call := last._call).over:
            raise StopIteration
        attempt = self._attempt = BlockAttempt(call)
        return attempt


class AsyncBlockAttempt(Attempt):
    """An attempt that is made by the block under its `with` or `async with`.

    A failure that will be retried does not leave the block. The block is cut by cancelling it, as
    `asyncio.timeout` does.
    """

    __slots__ = ("_cancelling", "_cut", "_task", "_timer", "error", "next")

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._cut = False
        self._task: asyncio.Task[object] | None = None
        self._timer: asyncio.TimerHandle | Alarm | None = None
        self.next: Next | None = None
        """What follows, once the block has ended."""
        self.error: BaseException | None = None
        """What the block raised, while it is to be retried after a sleep."""

    def __enter__(self) -> AsyncBlockAttempt:
        import asyncio

        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an attempt must be made inside a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._timer = self._call.arm(task.get_loop(), self._cut_block)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        import asyncio

        from overcurrent._core import Cut

        task, self._task = self._task, None
        if self._timer is not None:
            self._timer.cancel()
        self.next = False
        if self._cut and task is not None:
            if task.uncancel() > self._cancelling and isinstance(error, asyncio.CancelledError):
                self._call.cancelled()  # by somebody else, too
                return False
            self.next = self._call.raised(Cut())
        elif error is None:
            self.next = self._call.succeeded()
        else:
            self.next = self._call.raised(error)
        if self.next is False:
            return False
        if self.next is not True:
            self.error = error
        return error is not None

    async def __aenter__(self) -> AsyncBlockAttempt:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, trace)

    def _cut_block(self) -> None:
        if self._task is not None:
            self._call.cut()
            self._cut = True
            self._task.cancel()


class AsyncBlockAttempts:
    """The attempts of one asynchronous call."""

    __slots__ = ("_attempt", "_begin")

    def __init__(self, begin: Callable[[], Call]) -> None:
        self._begin = begin
        self._attempt: AsyncBlockAttempt | None = None

    def __aiter__(self) -> AsyncIterator[AsyncBlockAttempt]:
        return self

    async def __anext__(self) -> AsyncBlockAttempt:
        from asyncio import sleep

        last, error = self._attempt, None
        if last is None:
            call = self._begin()
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
                await sleep(step)
                step = call.resume()
        finally:
            del error  # its traceback holds this frame
        attempt = self._attempt = AsyncBlockAttempt(call)
        return attempt


class Repeating:
    """Gives out the attempts of a call one by one."""

    __slots__ = ()

    if TYPE_CHECKING:

        def begin(self) -> Call: ...
        def begin_async(self) -> Call: ...

    def __iter__(self) -> BlockAttempts:
        """Begin a call, each attempt of which is made by `with attempt:`."""
        return BlockAttempts(self.begin)

    def __aiter__(self) -> AsyncBlockAttempts:
        """Begin a call, each attempt of which is made by `async with attempt:`."""
        return AsyncBlockAttempts(self.begin_async)
