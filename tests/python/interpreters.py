"""Runs the tests with the built wheel on every CPython from 3.11 that is found, one of each minor version.

    python tests/python/interpreters.py PYTHON WHEEL

PYTHON is that of an environment which has the wheel and what the tests need; all tests run there. For each
other interpreter, on PATH or among those of pyenv, an environment is made beside that one, and those tests
run that are about the package and not about its files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
REQUIREMENTS = HERE / "requirements.txt"
ABOUT_FILES = ("test_packaging.py", "test_typing.py")
OLDEST, NEWEST = 11, 29

# Answered by what can have the wheel and an environment: no other implementation, no free-threaded build.
ASKED = """
import ensurepip, platform, sys, sysconfig, venv
if platform.python_implementation() == "CPython" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(platform.python_version())
"""


@dataclass(frozen=True)
class Interpreter:
    path: Path
    version: str

    @property
    def minor(self) -> int:
        return int(self.version.split(".")[1])


def main(first: Path, wheel: Path) -> int:
    """Run all; returns how many failed."""
    environments = {}
    for interpreter in found([first, *candidates()]):
        environments[interpreter] = (
            first if interpreter.path == first else environment(interpreter, first.parents[1], wheel)
        )
    lines = []
    failed = 0
    for interpreter, python in environments.items():
        print(f"--- {interpreter.version}, {interpreter.path}", flush=True)
        left_out = () if python == first else ABOUT_FILES
        ignored = [f"--ignore={HERE / name}" for name in left_out]
        done = subprocess.run([python, "-m", "pytest", "-q", str(HERE), *ignored], check=False)
        passed = done.returncode == 0
        failed += not passed
        lines.append(f"CPython {interpreter.version}: {'passed' if passed else 'FAILED'}")
    print("\n".join(lines))
    return failed


def candidates() -> list[Path]:
    """What may be an interpreter, whatever it is."""
    names = ["python3", *(f"python3.{minor}" for minor in range(OLDEST, NEWEST))]
    folders = [Path(folder) for folder in os.get_exec_path()]
    paths = [folder / name for folder in folders for name in names]
    if shutil.which("pyenv") is not None:
        done = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True)
        paths += sorted(Path(done.stdout.strip()).glob("versions/*/bin/python"))
    return [path for path in paths if os.access(path, os.X_OK)]


def found(paths: list[Path]) -> list[Interpreter]:
    """The first of each minor version that can have the wheel, oldest first; but the first of all leads."""
    first: dict[int, Interpreter] = {}
    for path in paths:
        done = subprocess.run([path, "-c", ASKED], capture_output=True, text=True, check=False)
        version = done.stdout.strip()
        if done.returncode == 0 and version.startswith("3."):
            interpreter = Interpreter(path, version)
            first.setdefault(interpreter.minor, interpreter)
    leading, *others = first.values()
    others = [interpreter for interpreter in others if interpreter.minor >= OLDEST]
    return [leading, *sorted(others, key=lambda interpreter: interpreter.minor)]


def environment(interpreter: Interpreter, beside: Path, wheel: Path) -> Path:
    """An environment of this interpreter with the wheel in it; kept while what the tests need is the same."""
    folder = beside.with_name(f"{beside.name}-3.{interpreter.minor}")
    python = folder / "bin/python"
    stamp = folder / "requirements.txt"
    needed = f"{interpreter.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != needed:
        subprocess.run([str(interpreter.path), "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
        stamp.write_text(needed, encoding="utf-8")
    subprocess.run([*pip, "--force-reinstall", "--no-deps", str(wheel)], check=True)
    return python


if __name__ == "__main__":
    sys.exit(min(1, main(*(Path(argument).absolute() for argument in sys.argv[1:]))))
