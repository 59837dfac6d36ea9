"""A program that ends while daemon threads make calls ends well, whatever they are in the middle of."""

import subprocess
import sys

import pytest

PREAMBLE = """
import itertools
import logging
import threading
import time

from overcurrent import Breaker, Guard, Registry, Retry, TraceContext, constant, subscribe
from overcurrent.testing import disabled

log = logging.getLogger("overcurrent")
log.addHandler(logging.NullHandler())

repeated = {"max_attempts": 100, "backoff": "none", "budget": False}
slow = {"max_attempts": 100, "backoff": constant("20ms"), "budget": False}


def fail():
    raise ConnectionError("reset by peer")


def nap(*_):
    time.sleep(0.01)


entered = threading.Semaphore(0)


def again_and_again(call):
    def repeat():
        while True:
            entered.release()
            try:
                call()
            except Exception:
                pass

    for _ in range(20):
        threading.Thread(target=repeat, daemon=True).start()
    for _ in range(200):
        entered.acquire()
"""

CASES = {
    "an attempt that waits": """
guard = Guard("g")
again_and_again(lambda: guard.call(nap))
""",
    "an attempt that computes": """
guard = Guard("g")
again_and_again(lambda: guard.call(lambda: sum(range(1000))))
""",
    "an attempt with keyword arguments": """
guard = Guard("g")
again_and_again(lambda: guard.call(lambda *, seconds: time.sleep(seconds), seconds=0.01))
""",
    "an attempt through a breaker": """
breaker = Breaker("b")
again_and_again(lambda: breaker.call(nap))
""",
    "an attempt of a retry": """
retry = Retry()
again_and_again(lambda: retry.call(nap))
""",
    "an attempt while guards are disabled": """
guard = Guard("g")
disabled().__enter__()
again_and_again(lambda: guard.call(nap))
""",
    "an attempt on behalf of a trace": """
guard = Guard("g")
def call():
    with TraceContext.root().scope():
        guard.call(nap)
again_and_again(call)
""",
    "a wait": """
guard = Guard("g", retry=slow, breaker=False)
again_and_again(lambda: guard.call(fail))
""",
    "a wait between blocks": """
guard = Guard("g", retry=slow, breaker=False)
def call():
    for attempt in guard:
        with attempt:
            fail()
again_and_again(call)
""",
    "a subscriber": """
guard = Guard("g", retry=repeated, breaker=False)
subscribe(nap)
again_and_again(lambda: guard.call(fail))
""",
    "the loading of a module": """
import sys

class Slow:
    def find_spec(self, *_):
        time.sleep(0.2)

sys.meta_path.insert(0, Slow())
guard = Guard("g", retry=repeated, breaker=False)
subscribe(nap)
again_and_again(lambda: guard.call(fail))
""",
    "a handler of the log": """
handler = logging.Handler()
handler.emit = nap
log.addHandler(handler)
log.setLevel(logging.DEBUG)
guard = Guard("g", retry=repeated, breaker=False)
again_and_again(lambda: guard.call(fail))
""",
    "`classify`": """
guard = Guard("g", classify=nap)
again_and_again(lambda: guard.call(int))
""",
    "`on`": """
guard = Guard("g", on=nap)
again_and_again(lambda: guard.call(fail))
""",
    "the making of an error": """
registry, keys = Registry("r", capacity=10), itertools.count()
again_and_again(lambda: registry[str(next(keys))].call(nap))
""",
}


@pytest.mark.parametrize("case", CASES)
def test_a_program_ends_while_daemon_threads_are_in_the_middle_of(case: str) -> None:
    run = [sys.executable, "-c", PREAMBLE + CASES[case]]
    ended = subprocess.run(run, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
