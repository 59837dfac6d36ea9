"""That one interpreter of a process has the extension, as what that keeps is the process's."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Interpreters that share the GIL, as mod_wsgi makes them; Python refuses it to the others by itself.
MAKE = """
import sys
if sys.version_info >= (3, 13):
    import _interpreters as interpreters
    other = interpreters.create("legacy")
    def run(code):
        failed = interpreters.exec(other, code)
        if failed is not None:
            raise SystemExit(failed.formatted)
else:
    import _xxsubinterpreters as interpreters
    other = interpreters.create(isolated=False)
    def run(code):
        interpreters.run_string(other, code)
"""
SAY = "import sys; sys.stdout.write({!r}); sys.stdout.flush()"
USE = "import overcurrent; overcurrent.Guard('g').call(int); " + SAY.format("used,")
REFUSED = f"""
try:
    {USE}
except ImportError as error:
    assert 'in use by another interpreter' in str(error), error
    {SAY.format("refused,")}
"""


@pytest.mark.parametrize(
    "order",
    [(USE, "run(REFUSED)", USE), ("run(USE)", REFUSED, "run(USE)")],
    ids=["main first", "other first"],
)
def test_the_first_interpreter_has_the_extension_and_no_other(order: tuple[str, ...]) -> None:
    code = "\n".join((MAKE, f"USE, REFUSED = {USE!r}, {REFUSED!r}", *order))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("used,refused,used,", 0), done.stderr
