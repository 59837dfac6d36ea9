"""A process that forks, and its children."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_children_forked_under_load_begin_with_a_sound_state_of_their_own() -> None:
    # Python warns of a fork among threads, which is what is tested.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(HERE / "forking.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "forks" in done.stdout
