"""The Python client of the outage: httpx, through a guard or in a plain retry loop.

One task a call, begun on schedule whatever became of the earlier ones. Lines go to standard output,
as src/line.rs describes them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol

import httpx

if TYPE_CHECKING:
    from overcurrent import Guard

SAMPLING = 0.05
NAIVE_ATTEMPTS = 3
NAIVE_PAUSE = 0.1
NAIVE_TIMEOUT = 2.0
IDEMPOTENCY_KEY = "idempotency-key"
PROBE_ROUND = "x-probe-round"


def write(event: str, **fields: object) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps({"event": event, **fields}) + "\n")
    sys.stdout.flush()


class Report:
    """Time since the start, and the lines about calls."""

    def __init__(self, start: float) -> None:
        self.start = start

    def now(self) -> float:
        """Milliseconds since the start."""
        return (time.monotonic() - self.start) * 1000

    def call(self, start: float, result: str, attempts: int, retried: Sequence[float] = ()) -> None:
        """Write that a call has ended now."""
        write("call", start=start, end=self.now(), result=result, attempts=attempts, retried=retried)


class Caller(Protocol):
    """Something that makes one call and reports it."""

    async def call(self, report: Report) -> None:
        """Make one call."""

    async def sample(self, report: Report) -> None:
        """Write what there is to see beside the calls, until cancelled."""


class Naive:
    """A plain retry loop, as many services have one: three attempts, a short pause, no breaker."""

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self.http = http
        self.url = url
        self.calls = 0

    async def call(self, report: Report) -> None:
        """Make one call."""
        start = report.now()
        self.calls += 1
        headers = {IDEMPOTENCY_KEY: f"{os.getpid()}-{self.calls}"}
        for attempt in range(1, NAIVE_ATTEMPTS + 1):
            try:
                async with asyncio.timeout(NAIVE_TIMEOUT):
                    response = await self.http.post(self.url, headers=headers)
                result = "ok" if response.is_success else "error"
            except TimeoutError:
                result = "timeout"
            except httpx.HTTPError:
                result = "error"
            if result == "ok" or attempt == NAIVE_ATTEMPTS:
                report.call(start, result, attempt)
                return
            await asyncio.sleep(NAIVE_PAUSE)

    async def sample(self, report: Report) -> None:
        """Nothing to see here."""


class Guarded:
    """Calls through a guard, and a close watch on its probes."""

    def __init__(self, http: httpx.AsyncClient, url: str, policy: str) -> None:
        self.http = http
        self.url = url
        self.guard = load_guard(policy)
        self.state: str | None = None
        self.retries = 0
        self.rejections = 0
        self.round = 0  # probes that have ended without a good answer
        self.under_way: list[tuple[int, float]] = []  # of probes: the round, and when its time is up

    async def call(self, report: Report) -> None:
        """Make one call."""
        from overcurrent import BreakerOpen

        start = report.now()
        begun: list[float] = []  # when each attempt began

        def attempt(key: str) -> Awaitable[httpx.Response]:
            # Called right after its admission, so the state it reads is the one that admitted it.
            begun.append(report.now())
            self.retries += len(begun) > 1
            self.see(report)
            return self.attempt(report, key, len(begun), probe=self.state == "half_open")

        try:
            response = await call_guarded(self.guard, attempt)
            result = "ok" if response.is_success else "error"
        except BreakerOpen:
            self.rejections += 1
            result = "rejected"
        except TimeoutError:
            result = "timeout"
        except httpx.HTTPError:
            result = "error"
        report.call(start, result, len(begun), begun[1:])
        self.see(report)

    async def attempt(self, report: Report, key: str, number: int, *, probe: bool) -> httpx.Response:
        """Make one attempt."""
        headers = {IDEMPOTENCY_KEY: key}
        if not probe:
            return await self.http.post(self.url, headers=headers)
        from overcurrent import current_attempt

        start, current, ok = report.now(), self.round, False
        left = current_attempt().remaining
        this = current, math.inf if left is None else start + left * 1000
        self.under_way.append(this)
        # One whose time is up has been cut, though it may take a turn of the loop to notice.
        in_flight = sum(of == current and ends > start for of, ends in self.under_way)
        try:
            response = await self.http.post(self.url, headers={**headers, PROBE_ROUND: str(current)})
            ok = response.is_success
            return response
        finally:  # also when the guard cuts it
            self.under_way.remove(this)
            self.round += not ok
            seen = {"start": start, "end": report.now(), "ok": ok, "in_flight": in_flight}
            write("probe", **seen, attempt=number, round=current)

    async def sample(self, report: Report) -> None:
        """Write the state every 50 ms, until cancelled."""
        while True:
            await asyncio.sleep(SAMPLING)
            self.see(report, always=True)

    def see(self, report: Report, *, always: bool = False) -> None:
        """Write the state if it is not the one written last."""
        assert self.guard.breaker is not None
        state = self.guard.breaker.state
        if always or state != self.state:
            self.state = state
            write("state", at=report.now(), state=state, retries=self.retries, rejections=self.rejections)


def load_guard(policy: str) -> Guard:
    """Load the guard: with `call_guarded` all that knows how overcurrent is called."""
    from overcurrent import Failure, Guard

    def classify(response: object) -> Failure | None:
        """Say that a 503 is a failure that may be retried, no earlier than its Retry-After says."""
        if isinstance(response, httpx.Response) and response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            seconds = response.headers.get("retry-after")
            return Failure(hint=int(seconds) if seconds else None)
        return None

    return Guard.from_file(policy, "upstream", on=httpx.HTTPError, classify=classify, durations=True)


async def call_guarded(guard: Guard, attempt: Callable[[str], Awaitable[httpx.Response]]) -> httpx.Response:
    """Call through the guard; every attempt is given the call's idempotency key."""
    from overcurrent import current_attempt

    return await guard.acall(lambda: attempt(current_attempt().idempotency_key))


class Exposition(BaseHTTPRequestHandler):
    """Serves what the process has counted, in the format that is asked for."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer a scrape."""
        from overcurrent import Metrics, metrics

        if "application/openmetrics-text" in self.headers.get("accept", ""):
            kind, text = Metrics.OPENMETRICS, metrics().openmetrics()
        else:
            kind, text = Metrics.PROMETHEUS, metrics().prometheus()
        body = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: what is written to standard error is a complaint."""


def serve() -> int:
    """Serve on a free port of the loopback address until the process ends; returns the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Exposition)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def call_once(name: str) -> Guard:
    """Make a guard of this name, and call it once, with success."""
    from overcurrent import Guard

    guard = Guard(name, durations=True)
    guard.call(int)
    return guard


async def steadily(rate: int, duration: float, report: Report, caller: Caller) -> None:
    """Begin a call at each multiple of 1 / rate, and wait until the last one has ended."""
    async with asyncio.TaskGroup() as calls:
        for number in range(round(rate * duration)):
            await asyncio.sleep(report.start + number / rate - time.monotonic())
            calls.create_task(caller.call(report))


def wait_for_start(**metrics: int) -> float:
    """Say that all is set up, and read the instant at which all clients start."""
    write("ready", **metrics)
    go = json.loads(sys.stdin.readline())["go"]
    return time.monotonic() + float(go) / 1000 - time.time()


async def main() -> None:
    """Call until the time is over."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--policy", required=True)
    parser.add_argument("--mode", choices=["guarded", "naive"], required=True)
    parser.add_argument("--rate", type=int, required=True)
    parser.add_argument("--duration", type=float, required=True)
    parser.add_argument("--serving", help="serve metrics, and have one more guard of this name")
    options = parser.parse_args()
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    # Time is limited by the guard or by the loop, so that all is cut at one place.
    async with httpx.AsyncClient(limits=limits, timeout=None, trust_env=False) as http:
        guarded = options.mode == "guarded"
        caller: Caller = Guarded(http, options.url, options.policy) if guarded else Naive(http, options.url)
        # Not counted: the first call that is finds all in place.
        await http.post(f"{options.url}/warm-up")
        serving = {} if options.serving is None else {"metrics": serve()}
        beside = call_once(options.serving) if serving else None
        report = Report(wait_for_start(**serving))
        sampler = asyncio.create_task(caller.sample(report))
        await steadily(options.rate, options.duration, report, caller)
        sampler.cancel()
    if beside is not None:
        write("idle")
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
