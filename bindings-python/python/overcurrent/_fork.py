"""What happens around a fork, on the side of Python; `fork.rs` tells what the extension does.

What the package keeps in Python is copied with the process, and is sound there. But a module that another
thread is loading at the moment of a fork stays half loaded in the child, and whoever needs it there waits
for ever. So what calls load when they first need it is loaded under a lock, which a fork takes first.
"""

from __future__ import annotations

import os
from _thread import RLock

from overcurrent import _core

loading = RLock()
"""Held while anything is loaded that calls need, which may come to load more."""


def before_fork() -> None:
    """Let nothing be half loaded."""
    loading.acquire()
    _core.before_fork()


def after_fork() -> None:
    """Begin as a child."""
    loading.release()
    _core.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=before_fork, after_in_parent=loading.release, after_in_child=after_fork)
