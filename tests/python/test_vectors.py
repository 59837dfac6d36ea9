"""The vectors of the project, and that their runner finds what is wrong."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import vectors

FOLDER = Path(__file__).parent.parent / "vectors"


def test_every_vector_passes() -> None:
    summary = vectors.run(FOLDER)
    assert summary.failures == []
    assert set(summary.passed) == set(vectors.KINDS)


def test_the_runner_prints_what_passed() -> None:
    done = subprocess.run(
        [sys.executable, vectors.__file__, str(FOLDER)], capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["python", kind] for kind in vectors.KINDS]
    assert all(line.endswith("steps passed") for line in lines)


def first(kind: str) -> Any:
    return json.loads((FOLDER / f"{kind}.json").read_text(encoding="utf-8"))[0]


def failures(vector: Any, folder: Path) -> list[str]:
    (folder / "changed.json").write_text(json.dumps([vector]), encoding="utf-8")
    return vectors.run(folder).failures


@pytest.mark.parametrize("kind", vectors.KINDS)
def test_an_unknown_field_is_a_failure(kind: str, tmp_path: Path) -> None:
    for where in ("vector", "step"):
        vector = copy.deepcopy(first(kind))
        (vector if where == "vector" else vector["steps"][0])["surprise"] = 1
        assert "surprise" in "".join(failures(vector, tmp_path))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("breaker", {"state": "ajar"}),
        ("budget", {"tokens_micro": 17}),
        ("retry", {"expect": {"wait": "7ns"}}),
    ],
)
def test_what_comes_differently_is_a_failure(kind: str, change: Any, tmp_path: Path) -> None:
    vector = first(kind)
    number = next(index for index, step in enumerate(vector["steps"]) if step["do"] != "start")
    vector["steps"][number] |= change
    (failure,) = failures(vector, tmp_path)
    assert failure.startswith(
        f"{kind} `{vector['name']}`, step {number + 1}: {next(iter(change)) if kind != 'retry' else ''}"
    )
    assert "expected" in failure
    assert "came" in failure


def test_a_folder_without_vectors_is_a_failure(tmp_path: Path) -> None:
    assert vectors.run(tmp_path).failures == [f"{tmp_path}: holds no vectors"]
