"""Traceback frames: how many a library puts between the caller and the function that failed."""

from __future__ import annotations

import asyncio
import traceback
from typing import TYPE_CHECKING

import functions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from way import Fn, Style, Way

SEEN = 2
"""The frames there are anyway: the caller's and the function's."""


def frames(ways: Iterable[Way]) -> dict[tuple[Way, Style], int]:
    """Count the frames that each way adds to an error, once it has given up."""
    added = {}
    for way in ways:
        for style in way.styles:
            fn = functions.fail if style == "sync" else functions.fail_later
            added[way, style] = _added((way.retrying or way.wrap)(fn), style)
    return added


def _added(fn: Fn, style: Style) -> int:
    async def later() -> None:
        try:
            await fn(0)
        except Exception as error:  # noqa: BLE001 - some raise another error than the function's
            seen.append(error)

    seen: list[Exception] = []
    if style == "async":
        asyncio.run(later())
    else:
        try:
            fn(0)
        except Exception as error:  # noqa: BLE001
            seen.append(error)
    return len(traceback.extract_tb(seen[0].__traceback__)) - SEEN
