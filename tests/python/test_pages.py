"""The pages about Python: each of their blocks runs, in the order in which they stand, as one session.

Nobody waits: ours by its own means, and other libraries find that sleeping takes no time.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import re
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from overcurrent.testing import instant

DOCS = Path(__file__).parents[2] / "docs"
FOLDER = DOCS / "python"
MIGRATING = sorted((FOLDER / "migrating").glob("*.md"))
PAGES = [FOLDER / "guide.md", DOCS / "tracing.md", DOCS / "metrics.md", *MIGRATING]
LINKED = [FOLDER / "README.md", FOLDER / "adapters.md", *PAGES]

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#]*)(#[^)]*)?\)")


def named(page: Path) -> str:
    return page.stem


@pytest.fixture(autouse=True)
def nobody_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the place of the fixture that forbids sleeping: it is what these libraries do."""
    later = asyncio.sleep

    async def turn(delay: float, result: Any = None) -> Any:
        return await later(0, result)

    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(asyncio, "sleep", turn)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_the_blocks_of_a_page_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = page.read_text(encoding="utf-8")
    module = ModuleType(f"page_{page.stem}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    blocks = list(BLOCK.finditer(text))
    assert blocks
    with instant():
        for block in blocks:
            # A traceback names the line of the page.
            above = "\n" * text.count("\n", 0, block.start(1))
            exec(compile(above + block[1], page, "exec", dont_inherit=True), vars(module))


@pytest.mark.parametrize("page", MIGRATING, ids=named)
def test_a_page_says_which_version_it_speaks_of(page: Path) -> None:
    version = importlib.metadata.version(page.stem)
    assert f"{page.stem} {version};" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", LINKED, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{path} leads nowhere"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {
                "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
            }
            assert anchor in anchors, f"{path}{anchor} leads nowhere"
