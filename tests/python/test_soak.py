"""A short form of the soak, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_the_memory_stays_flat() -> None:
    soak = Path(__file__).with_name("soak.py")
    process = subprocess.run([sys.executable, soak, "200_000"], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    assert "the memory grew by" in process.stdout
    assert process.stderr == ""
