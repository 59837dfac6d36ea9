"""The wheel and the source distribution, as `make python-tests` has left them in target/wheels."""

from __future__ import annotations

import email
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from pathlib import Path

import overcurrent
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "bindings-python/python"
VERSION = overcurrent.__version__
MIB = 1024 * 1024

# What importing the package must not load, as each takes longer to load than the package: it is there when a
# call needs it.
HEAVY = {"asyncio", "concurrent", "dataclasses", "inspect", "json", "logging", "re", "threading", "typing"}


def built(pattern: str) -> Path:
    found = sorted((ROOT / "target/wheels").glob(pattern))
    assert len(found) == 1, f"target/wheels has {len(found)} of {pattern}; `make python-tests` makes it"
    newest = max(file.stat().st_mtime for file in SOURCES.rglob("*") if file.suffix in {".py", ".pyi"})
    assert found[0].stat().st_mtime > newest, f"{found[0]} is older than its sources; make it anew"
    return found[0]


@pytest.fixture(scope="module")
def wheel() -> Path:
    return built("*.whl")


@pytest.fixture(scope="module")
def sdist() -> Path:
    return built("*.tar.gz")


@pytest.fixture(scope="module")
def in_wheel(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


@pytest.fixture(scope="module")
def in_sdist(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as packed:
        names = packed.getnames()
    assert all(name.startswith(f"overcurrent-{VERSION}/") for name in names)
    return {name.partition("/")[2] for name in names}


def metadata(in_wheel: dict[str, bytes], file: str) -> Message:
    return email.message_from_bytes(in_wheel[f"overcurrent-{VERSION}.dist-info/{file}"])


def modules() -> set[str]:
    """What of the Python sources belongs into a package."""
    files = [*SOURCES.rglob("*.py"), *SOURCES.rglob("*.pyi"), *SOURCES.rglob("py.typed")]
    return {file.relative_to(SOURCES).as_posix() for file in files}


def test_one_wheel_is_for_every_cpython_from_3_11(wheel: Path, in_wheel: dict[str, bytes]) -> None:
    assert re.fullmatch(rf"overcurrent-{re.escape(VERSION)}-cp311-abi3-[a-z0-9_.]+\.whl", wheel.name)
    tags = metadata(in_wheel, "WHEEL").get_all("Tag", [])
    assert tags
    assert {tag.rpartition("-")[0] for tag in tags} == {"cp311-abi3"}
    assert metadata(in_wheel, "METADATA")["Requires-Python"] == ">=3.11"


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size <= 2 * MIB


def test_the_wheel_has_the_package_and_nothing_else(in_wheel: dict[str, bytes]) -> None:
    own = {name for name in in_wheel if ".dist-info/" not in name}
    extensions = {name for name in own if name.startswith("overcurrent/_core.") and not name.endswith(".pyi")}
    assert len(extensions) == 1
    assert own - extensions == modules()
    assert {"overcurrent/py.typed", "overcurrent/_core.pyi", "_overcurrent_pytest.py"} <= own


def test_the_wheel_says_what_it_is(in_wheel: dict[str, bytes]) -> None:
    said = metadata(in_wheel, "METADATA")
    assert said["Name"] == "overcurrent"
    assert said["Version"] == VERSION
    assert said["License-Expression"] == "MIT OR Apache-2.0"
    assert said["Description-Content-Type"].startswith("text/markdown")
    licences = {"LICENSE-MIT", "LICENSE-APACHE"}
    assert set(said.get_all("License-File", [])) == licences
    for name in licences:
        packed = in_wheel[f"overcurrent-{VERSION}.dist-info/licenses/{name}"]
        assert packed == (ROOT / name).read_bytes()
    points = in_wheel[f"overcurrent-{VERSION}.dist-info/entry_points.txt"].decode()
    assert points.split() == ["[pytest11]", "overcurrent=_overcurrent_pytest"]


def test_nothing_is_required(in_wheel: dict[str, bytes]) -> None:
    required = metadata(in_wheel, "METADATA").get_all("Requires-Dist", [])
    assert [line for line in required if not re.search(r";\s*extra == ", line)] == []


def test_no_interpreter_is_claimed_that_no_test_runs_on(in_wheel: dict[str, bytes]) -> None:
    claims = metadata(in_wheel, "METADATA").get_all("Classifier", [])
    assert [claim for claim in claims if "Free Threading" in claim or "PyPy" in claim] == []


def test_the_sdist_has_what_it_is_built_from_and_nothing_else(sdist: Path, in_sdist: set[str]) -> None:
    assert sdist.name == f"overcurrent-{VERSION}.tar.gz"
    assert sdist.stat().st_size <= MIB // 2
    crates = {
        file.relative_to(ROOT).as_posix()
        # The manifest names the examples, so cargo wants them.
        for folder in ("core/src", "core/examples", "bindings-python/src")
        for file in (ROOT / folder).rglob("*.rs")
    }
    root = {
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "PKG-INFO",
        "README.md",
        "pyproject.toml",
    }
    manifests = {"core/Cargo.toml", "core/README.md", "bindings-python/Cargo.toml"}
    python = {f"bindings-python/python/{name}" for name in modules()}
    assert in_sdist == root | manifests | crates | python


def test_the_sdist_builds(sdist: Path, tmp_path: Path) -> None:
    """With cargo and Python alone, by the lock file it brings."""
    with tarfile.open(sdist) as packed:
        packed.extractall(tmp_path, filter="data")
    folder = tmp_path / f"overcurrent-{VERSION}"
    for file in folder.rglob("*"):
        os.utime(file)  # else cargo takes the last build for one of these files
    environment = {
        **os.environ,
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
        "CARGO_TARGET_DIR": str(ROOT / "target/sdist"),
        "MATURIN_PEP517_ARGS": "--locked --profile dev",
    }
    pip = [sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [*pip, "--wheel-dir", tmp_path, folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed_wheel:
        assert modules() <= set(packed_wheel.namelist())


def test_the_workflow_is_pinned() -> None:
    """Each action to a commit, with its version beside it; maturin to the version that is tested here."""
    workflow = (ROOT / ".github/workflows/python.yml").read_text(encoding="utf-8")
    uses = re.findall(r"uses: (.*)", workflow)
    assert len(uses) > 5
    assert [line for line in uses if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", line)] == []
    requirements = (ROOT / "tests/python/requirements.txt").read_text(encoding="utf-8")
    (tested,) = re.findall(r"^maturin==(.+)$", requirements, re.MULTILINE)
    assert set(re.findall(r"maturin-version: (.+)", workflow)) == {f"v{tested}"}


def test_importing_it_loads_little() -> None:
    code = "import sys; before = set(sys.modules); import overcurrent; print(*(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code_with_path(code)], capture_output=True, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.decode().split()}
    assert "overcurrent" in loaded
    assert loaded & HEAVY == set()


def code_with_path(code: str) -> str:
    """Without `site`, which may load more than is looked for here, the path must be told."""
    folder = str(Path(overcurrent.__file__).parents[1])
    return f"import sys; sys.path.append({folder!r}); {code}"


def test_the_types_of_policies_come_when_asked_for() -> None:
    for name in overcurrent.__all__:
        assert getattr(overcurrent, name) is not None
    with pytest.raises(AttributeError, match="module 'overcurrent' has no attribute 'Guards'"):
        _ = overcurrent.Guards  # type: ignore[attr-defined]
