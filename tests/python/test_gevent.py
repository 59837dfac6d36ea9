"""Greenlets: a wait is slept by what gevent has made of `time.sleep`, with no lock of ours held."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_greenlets_share_guards() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "gevent.monkey", str(HERE / "greenlets.py")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
