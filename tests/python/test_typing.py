"""That the types of the package accept what is right and refuse what is wrong, under mypy and pyright."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import overcurrent

HERE = Path(__file__).parent
PYRIGHT = HERE.parents[1] / "node_modules/pyright/index.js"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a checker, with this interpreter as the one whose packages it looks at."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(
        command, cwd=HERE, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done


def mypy(file: str) -> list[tuple[int, str]]:
    """What mypy complains of: lines and codes."""
    done = run(
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--no-error-summary",
        "--no-color-output",
        file,
    )
    found = re.findall(r"^[^:]+:(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    assert bool(found) == bool(done.returncode), done.stdout
    return [(int(line), code) for line, code in found]


def pyright(*arguments: str) -> Any:
    assert PYRIGHT.is_file(), "pyright is installed by `npm ci`"
    return json.loads(run("node", PYRIGHT, "--outputjson", *arguments).stdout)


def lines_of_pyright(file: str) -> list[int]:
    """The lines that pyright complains of."""
    found = pyright(file)
    assert found["summary"]["filesAnalyzed"] == 1
    return sorted({problem["range"]["start"]["line"] + 1 for problem in found["generalDiagnostics"]})


def marked() -> list[tuple[int, str]]:
    """The lines of the file of misuses that are marked, and the codes they are marked with."""
    lines = (HERE / "typing_bad.py").read_text(encoding="utf-8").splitlines()
    found = [
        (number, code)
        for number, line in enumerate(lines, 1)
        if "# error: " in line
        for code in line.split("# error: ")[1].split(", ")
    ]
    assert len(found) > 60
    return found


def test_mypy_accepts_what_is_right() -> None:
    assert mypy("typing_ok.py") == []


def test_mypy_refuses_what_is_wrong() -> None:
    assert sorted(mypy("typing_bad.py")) == sorted(marked())


def test_pyright_accepts_what_is_right() -> None:
    assert lines_of_pyright("typing_ok.py") == []


def test_pyright_refuses_what_is_wrong() -> None:
    assert lines_of_pyright("typing_bad.py") == sorted({line for line, _ in marked()})


def test_every_public_name_is_used() -> None:
    text = (HERE / "typing_ok.py").read_text(encoding="utf-8").partition("\n# --- policies")[2]
    assert [name for name in overcurrent.__all__ if not re.search(rf"\b{name}\b", text)] == []


def test_every_public_type_is_known() -> None:
    """Nothing that can be reached from a public name is left for a type checker to guess."""
    found = pyright("--verifytypes", "overcurrent", "--ignoreexternal")["typeCompleteness"]
    doubts = [
        symbol["name"] for symbol in found["symbols"] if symbol["isExported"] and not symbol["isTypeKnown"]
    ]
    assert doubts == []
    assert found["completenessScore"] == 1
    assert {module["name"] for module in found["modules"]} >= {"overcurrent", "overcurrent.testing"}


def test_the_stubs_are_those_of_the_extension(tmp_path: Path) -> None:
    # Types of stubs alone, and a list that only the extension has.
    names = ("Begun", "Next", "__all__")
    allowed = tmp_path / "allowed"
    allowed.write_text("".join(f"overcurrent._core.{name}\n" for name in names), encoding="utf-8")
    done = run(sys.executable, "-m", "mypy.stubtest", "--allowlist", allowed, "overcurrent._core")
    assert done.returncode == 0, done.stdout
