"""What attempts that are cut leave behind in the pools of connections of the clients."""

from __future__ import annotations

import asyncio

import httpx
from overcurrent.httpx import AsyncGuardedTransport

AT_ONCE = 300
"""More than the connections that httpx opens by itself."""


def test_attempts_that_are_cut_use_up_no_connections_of_httpx() -> None:
    hangs = True

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readline() and hangs:
                pass
            if not hangs:
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                await writer.drain()
        finally:
            writer.close()

    async def main() -> None:
        nonlocal hangs
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1000)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        transport = AsyncGuardedTransport(
            attempt_timeout="300ms", breaker=False, retry={"backoff": "none", "budget": False}
        )
        async with server, httpx.AsyncClient(transport=transport) as client:
            requests = (client.get(url) for _ in range(AT_ONCE))
            cut = await asyncio.gather(*requests, return_exceptions=True)
            assert {type(error).__name__ for error in cut} == {"AttemptTimeout"}
            hangs = False
            assert (await client.get(url)).status_code == 200

    asyncio.run(main())
