"""That the types of the package accept what is right and refuse what is wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def check(file: str) -> list[str]:
    """The complaints of mypy about a file: `LINE: CODE`."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--no-error-summary",
        "--no-color-output",
    ]
    done = subprocess.run([*command, file], cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found = re.findall(r"^[^:]+:(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    assert bool(found) == bool(done.returncode), done.stdout
    return [f"{line}: {code}" for line, code in found]


def test_what_is_right_is_accepted() -> None:
    assert check("typing_ok.py") == []


def test_what_is_wrong_is_refused() -> None:
    lines = (HERE / "typing_bad.py").read_text(encoding="utf-8").splitlines()
    marked = [
        f"{number}: {code}"
        for number, line in enumerate(lines, 1)
        if "# error: " in line
        for code in line.split("# error: ")[1].split(", ")
    ]
    assert len(marked) > 20
    assert sorted(check("typing_bad.py")) == sorted(marked)
