"""A real HTTP server on this machine that misbehaves as it is told, and tells what it saw.

It speaks just enough of HTTP/1.1: one answer for each request, in the order in which the answers were
lined up, 200 where none is left.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Seen:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What the server does with a request."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = (b"well",)
    length: int | None = None
    """The length that is announced; that of the body, unless it is to be a lie."""
    gap: float = 0.0
    """The seconds between the parts of the body."""
    resets: bool = False
    """Whether the connection is reset instead."""
    hangs: bool = False
    """Whether there is no answer at all."""


RESET = Answer(resets=True)
HANG = Answer(hangs=True)


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with a status."""
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, (body,))


class Server:
    """The server, in a thread of its own."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.answers: deque[Answer] = deque()
        self.connections = 0
        """How many connections are open now."""
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def will(self, *answers: Answer) -> None:
        """Line up answers."""
        self.answers.extend(answers)

    def methods(self) -> list[str]:
        return [seen.method for seen in self.seen]

    @contextmanager
    def running(self) -> Iterator[Server]:
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(10)
            assert not thread.is_alive()

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    async def _serve(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            async with self._counted(writer):
                while (seen := await self._read(reader)) is not None:
                    self.seen.append(seen)
                    following = self.answers.popleft() if self.answers else Answer()
                    await self._write(seen, following, reader, writer)
                    if following.resets:
                        break

    @asynccontextmanager
    async def _counted(self, writer: asyncio.StreamWriter) -> AsyncIterator[None]:
        self.connections += 1
        try:
            yield
        finally:
            self.connections -= 1
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Seen | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while size := int(await reader.readline(), 16):
                body += (await reader.readexactly(size + 2))[:-2]
            await reader.readline()
        else:
            body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Seen(method, path, headers, body)

    async def _write(
        self, seen: Seen, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if answer.resets:
            # Closing with data unsent and no patience resets the connection.
            sock: socket.socket = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        if answer.hangs:
            await reader.read()  # until the client has gone
            return
        parts = list(answer.body)
        length = sum(map(len, parts)) if answer.length is None else answer.length
        headers = {"content-length": str(length), **answer.headers}
        head = f"HTTP/1.1 {answer.status} Told\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers.items())
        writer.write(head.encode("latin-1") + b"\r\n")
        if seen.method != "HEAD":
            for part in parts:
                await writer.drain()
                if answer.gap:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._stop.wait(), answer.gap)
                writer.write(part)
        await writer.drain()


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until something is so."""
    pause = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never was so")
