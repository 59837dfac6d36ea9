"""The label `le` of a bucket of a histogram, for the bridges; the core's own texts have the same."""

from __future__ import annotations

import math


def le(bound: float) -> str:
    """Return the upper bound of a bucket as the value of that label."""
    return "+Inf" if math.isinf(bound) else repr(bound)
