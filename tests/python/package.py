"""Prints what is shipped: the sizes of the wheel and the source distribution, and how long importing takes.

    python tests/python/package.py WHEELS PYTHON...

The time is what `-X importtime` gives for the package with all that it loads, in a fresh interpreter without
`site`; the least and the median of many, as other programs on the machine only ever add to it.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 40
KIB = 1024


def main(wheels: Path, interpreters: list[str]) -> None:
    for file in sorted(wheels.iterdir()):
        print(f"{file.name:64} {file.stat().st_size / KIB:6.0f} KiB")
    for interpreter in interpreters:
        said = "import sys, sysconfig; print(sys.version.split()[0], sysconfig.get_path('platlib'))"
        version, folder = ask(interpreter, "-c", said).stdout.split()
        code = f"import sys; sys.path.append({folder!r}); import overcurrent"
        times = []
        for _ in range(RUNS):
            told = ask(interpreter, "-I", "-S", "-X", "importtime", "-c", code).stderr
            (total,) = re.findall(r"\|\s*(\d+) \| overcurrent$", told, re.MULTILINE)
            times.append(int(total) / 1000)
        label = f"import on CPython {version}"
        print(f"{label:64} {min(times):6.1f} ms, median {statistics.median(times):.1f} ms")


def ask(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
