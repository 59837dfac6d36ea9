"""Deliberate weakenings: each makes one mistake in a copy of the project, and a check must notice.

    python3 tests/proof/weaken.py [NAME...]      all of weaken.toml, or those named

A weakening is a change or several, each of a text that stands exactly once in its file. The check must
pass without it, and with it must compile, so that what fails is a test.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUT = ROOT / "target" / "proof"
COPY = OUT / "weaken"
LEFT_OUT = shutil.ignore_patterns(
    "target", "node_modules", ".git", ".venv*", "__pycache__", "dist", ".*_cache"
)
# A weakened loop may never end; longer than this no check takes.
MOST_SECONDS = 900

CHECKS = {
    "models": (
        ["cargo", "test", "--quiet", "--package", "overcurrent", "--lib", "--release"],
        {"RUSTFLAGS": "--cfg overcurrent_loom", "CARGO_TARGET_DIR": str(OUT / "weaken-models")},
    ),
    "units": (
        ["cargo", "test", "--quiet", "--package", "overcurrent", "--lib"],
        {"CARGO_TARGET_DIR": str(OUT / "weaken-properties")},
    ),
    "properties": (
        ["cargo", "test", "--quiet", "--package", "overcurrent-tests", "--test", "breaker_model"],
        {"CARGO_TARGET_DIR": str(OUT / "weaken-properties"), "PROPTEST_CASES": "2000"},
    ),
}


class Broken(Exception):
    """The proof itself cannot be carried out."""


def run(check, tests, *, only_build=False):
    """Whether it passed, and what it said."""
    command, env = CHECKS[check]
    command = [*command, "--no-run"] if only_build else [*command, "--", *tests]
    try:
        done = subprocess.run(
            command,
            cwd=COPY,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=MOST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, "hung"
    return done.returncode == 0, done.stdout


def failed_tests(said):
    """The names of the tests that failed, as cargo lists them at the end."""
    if said == "hung":
        return ["(hung)"]
    return sorted(
        {name.removeprefix("cells::") for name in re.findall(r"^    (\w[\w:]*)$", said, re.MULTILINE)}
    )


def changed(weakening):
    """The files that it changes, each with its text before and after."""
    before, after = {}, {}
    for change in weakening.get("changes", [weakening]):
        file = COPY / change["file"]
        before.setdefault(file, file.read_text())
        text = after.get(file, before[file])
        count = text.count(change["text"])
        if count != 1:
            raise Broken(
                f"`{weakening['name']}`: its text stands {count} times in {change['file']}, not once"
            )
        after[file] = text.replace(change["text"], change["instead"])
    return before, after


def write(texts):
    for file, text in texts.items():
        file.write_text(text)


def weaken(weakening):
    """Makes the mistake, runs the check and takes the mistake back; the tests that noticed."""
    before, after = changed(weakening)
    try:
        write(after)
        built, said = run(weakening["check"], [], only_build=True)
        if not built:
            raise Broken(f"`{weakening['name']}` does not compile:\n{said}")
        passed, said = run(weakening["check"], weakening["tests"])
        if passed:
            return []
        noticed = failed_tests(said)
        if not noticed:
            raise Broken(f"`{weakening['name']}`: the check failed, but no test:\n{said}")
        return noticed
    finally:
        write(before)


def main():
    """Runs them all; 1 if one went unnoticed or could not be tried."""
    weakenings = tomllib.loads((Path(__file__).parent / "weaken.toml").read_text())["weakening"]
    names = {weakening["name"] for weakening in weakenings}
    if unknown := set(sys.argv[1:]) - names:
        sys.exit(f"no such weakening: {', '.join(sorted(unknown))}")
    chosen = [one for one in weakenings if not sys.argv[1:] or one["name"] in sys.argv[1:]]

    shutil.rmtree(COPY, ignore_errors=True)
    shutil.copytree(ROOT, COPY, ignore=LEFT_OUT)
    troubles = []
    for check in sorted({one["check"] for one in chosen}):
        tests = sorted({test for one in chosen if one["check"] == check for test in one["tests"]})
        print(f"proof: {check} without any weakening", file=sys.stderr)
        passed, said = run(check, tests)
        if not passed:
            sys.exit(f"{said}\nweakenings: {check} fails as it is, so it proves nothing")

    width = max(len(one["name"]) for one in chosen)
    for one in chosen:
        try:
            noticed = weaken(one)
        except Broken as trouble:
            troubles.append(str(trouble))
            print(f"{one['name']:{width}}  NOT TRIED", flush=True)
            continue
        if not noticed:
            troubles.append(f"`{one['name']}` went unnoticed")
        shown = ", ".join(noticed) if noticed else "NOTHING"
        print(f"{one['name']:{width}}  {one['check']}: {shown}", flush=True)
    for trouble in troubles:
        print(trouble, file=sys.stderr)
    bad = f", {len(troubles)} not" if troubles else ""
    print(f"weakenings: {len(chosen) - len(troubles)} of {len(chosen)} noticed{bad}")
    sys.exit(bool(troubles))


main()
