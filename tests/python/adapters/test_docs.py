"""The examples of docs/python/adapters.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .server import Server
from .test_grpc import Orders, orders

__all__ = ["orders"]

PAGE = Path(__file__).parents[3] / "docs/python/adapters.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_there_are_examples() -> None:
    assert len(BLOCKS) > 10


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_runs(block: str, server: Server, orders: Orders) -> None:
    names: dict[str, object] = {"url": server.url, "target": orders.target, "__name__": "example"}
    exec(compile(block, PAGE.name, "exec"), names)
    assert len(server.seen) == (1 if re.search(r"\burl\b", block) else 0)
    assert len(orders.seen) == (1 if re.search(r"\btarget\b", block) else 0)
