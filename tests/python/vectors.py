"""Replays a folder of vectors through the package: `python vectors.py FOLDER`.

Prints what passed per kind and every failure; exits 1 if there is one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overcurrent import Breaker, BreakerOpen, Budget, InvalidPolicy, ManualClock, Permit, Retry

Fields = dict[str, Any]
KINDS = ("breaker", "retry", "budget")


class Mismatch(Exception):
    """A step came to something else than it should have."""


def expect(what: str, expected: object, came: object) -> None:
    if expected != came or type(expected) is not type(came):
        raise Mismatch(f"{what}: expected {expected!r}, came {came!r}")


def known(table: Fields, *names: str) -> None:
    for name in table:
        if name not in names:
            raise Mismatch(f"unknown field `{name}`")


def nanos(duration: str) -> int:
    clock = ManualClock()
    clock.set(duration)
    return clock.now_ns


def maybe_nanos(duration: str | float | None) -> int | None:
    if isinstance(duration, float):
        return round(duration * 1e9)
    return None if duration is None else nanos(duration)


def breaker(vector: Fields) -> Iterator[None]:
    clock = ManualClock()
    breaker = Breaker("vector", clock=clock, seed=int(vector["seed"]), **vector["policy"])
    permits: dict[str, Permit] = {}
    granted: list[Permit] = []  # kept, as letting go of one is a cancellation

    def acquire(step: Fields) -> None:
        expected = step.get("expect", {})
        known(expected, "granted", "rejected", "retry_after")
        rejection = None
        try:
            permit = breaker.acquire()
        except BreakerOpen as error:
            rejection = error
        else:
            granted.append(permit)
            if "permit" in step:
                permits[step["permit"]] = permit
        if "expect" not in step:
            return
        if "granted" in expected:
            expect("granted", expected["granted"], rejection is None)
        expect("rejected", expected.get("rejected"), rejection and rejection.reason)
        if "retry_after" in expected and rejection is not None:
            expect("retry_after", maybe_nanos(expected["retry_after"]), maybe_nanos(rejection.retry_after))

    for step in vector["steps"]:
        known(step, "at", "do", "permit", "took", "for", "expect", "state", "reason", "late")
        clock.set(step["at"])
        match step["do"]:
            case "acquire":
                acquire(step)
            case "trip":
                breaker.trip(step.get("for"))
            case "reset" | "force_open" | "force_closed" | "automatic" as command:
                getattr(breaker, command)()
            case "success" | "failure" | "ignored" | "cancelled" as outcome:
                if step["permit"] in permits:
                    getattr(permits[step["permit"]], outcome)(step.get("took", "0ns"))
            case word:
                raise Mismatch(f"`{word}` is nothing to do")
        for name in ("state", "reason", "late"):
            if name in step:
                expect(name, step[name], getattr(breaker, name))
        yield


def retry(vector: Fields) -> Iterator[None]:
    clock = ManualClock()
    retry = Retry(clock=clock, seed=int(vector["seed"]), **vector["policy"])
    call = None
    for step in vector["steps"]:
        known(step, "at", "do", "deadline", "retryable", "hint", "expect")
        clock.set(step["at"])
        match step["do"]:
            case "start":
                call = retry.start(step.get("deadline"))
            case "failed" if call is not None:
                decision = call.failed(retryable=step.get("retryable", True), hint=step.get("hint"))
                expected = step.get("expect")
                if expected is not None:
                    known(expected, "wait", "stop")
                    expect("stop", expected.get("stop"), getattr(decision, "reason", None))
                    expect("wait", maybe_nanos(expected.get("wait")), getattr(decision, "delay_ns", None))
            case "failed":
                raise Mismatch("no call was started")
            case word:
                raise Mismatch(f"`{word}` is nothing to do")
        yield


def budget(vector: Fields) -> Iterator[None]:
    clock = ManualClock()
    budget = Budget(clock=clock, **vector["policy"])
    for step in vector["steps"]:
        known(step, "at", "do", "expect", "tokens_micro")
        clock.set(step["at"])
        match step["do"]:
            case "deposit":
                budget.deposit()
            case "withdraw":
                granted = budget.withdraw()
                if "expect" in step:
                    expect("granted", step["expect"], granted)
            case word:
                raise Mismatch(f"`{word}` is nothing to do")
        if "tokens_micro" in step:
            expect("tokens_micro", step["tokens_micro"], budget.tokens_micro)
        yield


REPLAYS: dict[str, Callable[[Fields], Iterator[None]]] = {
    "breaker": breaker,
    "retry": retry,
    "budget": budget,
}


@dataclass
class Summary:
    """What passed, by kind: vectors and steps; and what did not."""

    passed: dict[str, list[int]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def replay(self, vector: Fields) -> None:
        known(vector, "name", "kind", "policy", "seed", "steps")
        kind, name = vector["kind"], vector["name"]
        if kind not in REPLAYS:
            raise Mismatch(f"unknown kind `{kind}`")
        passed = self.passed.setdefault(kind, [0, 0])
        steps = 0
        try:
            for _ in REPLAYS[kind](vector):
                steps += 1
        except (Mismatch, InvalidPolicy) as error:
            self.failures.append(f"{kind} `{name}`, step {steps + 1}: {error}")
        except (KeyError, TypeError, ValueError) as error:
            self.failures.append(f"{kind} `{name}`, step {steps + 1}: malformed, {error!r}")
        else:
            passed[0] += 1
        passed[1] += steps


def run(folder: Path) -> Summary:
    """Replay every vector in the `.json` files of a folder, in the order of their names."""
    summary = Summary()
    files = sorted(folder.glob("*.json"))
    if not files:
        summary.failures.append(f"{folder}: holds no vectors")
    for file in files:
        try:
            for vector in json.loads(file.read_text(encoding="utf-8")):
                summary.replay(vector)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, Mismatch) as error:
            summary.failures.append(f"{file}: {error!r}")
    return summary


def main() -> int:
    if len(sys.argv) != 2:
        print("usage: vectors.py FOLDER", file=sys.stderr)
        return 2
    summary = run(Path(sys.argv[1]))
    for kind in KINDS:
        if kind in summary.passed:
            vectors, steps = summary.passed[kind]
            print(f"python  {kind:8} {vectors:5} vectors {steps:7} steps passed")
    for failure in summary.failures:
        print(f"python  FAILED {failure}")
    return 1 if summary.failures else 0


if __name__ == "__main__":
    sys.exit(main())
