"""Writes seeds for the fuzz targets, made of the vectors and of the refused policies.

    python3 tests/fuzz/seeds.py FOLDER      writes FOLDER/TARGET/NAME

The bytes of `operations` and `retry` are what `src/draw.rs` and the two modules read, field by field.
"""

import contextlib
import json
import re
import struct
import sys
import tomllib
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
UNITS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
WRITTEN = [1, 10**3, 10**6, 10**9, 3600 * 10**9]
WHOLE = 1_000_000
BREAKER_OUTCOMES = {"success": 0, "failure": 3, "ignored": 6, "cancelled": 7}


def nanos(text):
    number, unit = re.fullmatch(r"([0-9.]+)([a-z]+)", text).groups()
    whole, _, part = number.partition(".")
    return int(whole + part) * UNITS[unit] // 10 ** len(part)


def parts(ratio):
    return round(ratio * WHOLE)


def u32(number):
    return struct.pack("<I", number)


def u64(number):
    return struct.pack("<Q", number)


def span(length):
    """One byte for the unit, four for how many: the largest unit that leaves no rest."""
    for unit in reversed(range(len(WRITTEN))):
        count, rest = divmod(length, WRITTEN[unit])
        if rest == 0 and count < 2**32:
            return bytes([unit]) + u32(count)
    return span(length // WRITTEN[1] * WRITTEN[1])


def clock(at):
    return bytes([0, 3]) + u64(at)


def breaker_policy(policy):
    flags = 0
    fields = b""

    def field(bit, name, write, default):
        nonlocal flags, fields
        flags |= (name in policy) << bit
        fields += write(policy.get(name, default))

    window = policy.get("window", {})
    flags |= "window" in policy
    buckets = window.get("buckets", 10)
    fields += bytes(["time" in window]) + u32(buckets - 1) + u32(window.get("calls", 1) - 1)
    fields += span(nanos(window.get("time", "10s")) // buckets)

    def ratio(low):
        return lambda value: u32(parts(value) - low)

    def length(text):
        return span(nanos(text))

    def count(value):
        return u32(value - 1)

    field(1, "failure_rate", ratio(1), 0.5)
    field(2, "minimum_calls", count, 20)
    field(3, "slow_call", length, "1s")
    field(4, "slow_rate", ratio(1), 1.0)
    field(5, "consecutive_failures", count, 10)
    field(6, "abandon_after", length, "1s")
    field(7, "cooldown_max", length, "60s")
    field(8, "cooldown", length, "5s")
    field(9, "cooldown_multiplier", ratio(WHOLE), 2.0)
    field(10, "cooldown_jitter", ratio(0), 0.1)
    field(11, "close_after", count, 1)
    field(12, "reopen_after", count, 1)
    field(13, "probes", count, 1)
    field(14, "probe_timeout", length, "30s")
    return u32(flags) + fields


def operations(vector):
    written = breaker_policy(vector["policy"]) + u64(int(vector["seed"]))
    now = 0
    out = []
    for step in vector["steps"]:
        at = nanos(step["at"])
        if at != now:
            written += clock(at)
            now = at
        word = step["do"]
        if word == "acquire":
            written += bytes([2])
            if step.get("expect", {}).get("granted"):
                out.append(step.get("permit"))
        elif word in BREAKER_OUTCOMES:
            if step["permit"] in out:
                nth = out.index(step["permit"])
                del out[nth]
                took = nanos(step.get("took", "0ns"))
                written += bytes([6, nth, BREAKER_OUTCOMES[word]]) + span(took)
        elif word == "trip":
            written += bytes([10, "for" in step]) + (span(nanos(step["for"])) if "for" in step else b"")
        else:
            written += bytes([["reset", "force_open", "force_closed", "automatic"].index(word) + 11])
    return written


def retry_policy(policy):
    backoff = policy.get("backoff", {"exponential": {"initial": "100ms", "max": "5s"}})
    name, shape = ("none", {}) if backoff == "none" else next(iter(backoff.items()))
    initial = nanos(shape.get("initial", shape.get("delay", "0ns")))
    more = max(0, nanos(shape.get("max", "0ns")) - initial)
    written = bytes([["none", "constant", "linear", "exponential", "schedule"].index(name)])
    written += span(initial) + span(nanos(shape.get("step", "0ns"))) + span(more)
    written += u32(parts(shape.get("multiplier", 2.0)) - WHOLE)
    if name == "schedule":
        written += u32(len(shape["delays"]) - 1) + b"".join(span(nanos(delay)) for delay in shape["delays"])
    jitter = policy.get("jitter", "full")
    share = jitter["proportional"] if isinstance(jitter, dict) else 0.5
    word = "proportional" if isinstance(jitter, dict) else jitter
    written += bytes([["none", "equal", "proportional", "decorrelated", "full"].index(word)])
    written += u32(parts(share) - 1) + u32(policy.get("max_attempts", 3) - 1)
    return written + span(nanos(policy.get("max_hint", "60s"))) + budget_policy(policy.get("budget"))


def budget_policy(policy):
    given = policy or {}
    written = bytes([policy is not None]) + u32(parts(given.get("ratio", 0.2)))
    return written + u32(round(given.get("min_per_second", 1) * 1000)) + u32(given.get("burst", 10) - 1)


def maybe(text):
    return bytes([0]) if text is None else bytes([1]) + span(nanos(text))


def retry(vector):
    alone = vector["kind"] == "budget"
    policy = {"budget": vector["policy"]} if alone else vector["policy"]
    written = retry_policy(policy) + u64(int(vector["seed"]))
    now = 0
    for step in vector["steps"]:
        at = nanos(step["at"])
        if at != now:
            written += clock(at)
            now = at
        match step["do"]:
            case "start":
                written += bytes([2, 0]) + maybe(step.get("deadline"))
            case "failed":
                retryable = step.get("retryable", True)
                written += bytes([3, 0, 0 if retryable else 15]) + maybe(step.get("hint"))
            case "deposit":
                written += bytes([6])
            case "withdraw":
                written += bytes([7])
    return written


def toml(value):
    """A value as TOML has it within one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + " }"
    return json.dumps(value)


def documents(vector):
    kind, policy = vector["kind"], vector["policy"]
    inner = {"retry": {"budget": policy}} if kind == "budget" else {kind: policy}
    yield "toml", "[policy.p]\n" + "".join(f"{name} = {toml(value)}\n" for name, value in inner.items())
    yield "json", json.dumps({"policy": {"p": inner}})


def main():
    folder = Path(sys.argv[1])
    count = 0

    def write(target, seed):
        nonlocal count
        (folder / target).mkdir(parents=True, exist_ok=True)
        (folder / target / f"seed-{count:03}").write_bytes(seed)
        count += 1

    for file in sorted((TESTS / "vectors").glob("*.json")):
        for vector in json.loads(file.read_text()):
            if vector["kind"] == "breaker":
                write("operations", operations(vector))
            else:
                write("retry", retry(vector))
            for form, text in documents(vector):
                write(f"policy_{form}", text.encode())
    for refused in json.loads((TESTS / "bad-policies.json").read_text()):
        if refused.get("format") in ("toml", "json") and isinstance(refused.get("document"), str):
            write(f"policy_{refused['format']}", refused["document"].encode())
            if refused["format"] == "toml":
                with contextlib.suppress(tomllib.TOMLDecodeError):
                    write("policy_json", json.dumps(tomllib.loads(refused["document"]), default=str).encode())
    print(f"{count} seeds in {folder}")


main()
