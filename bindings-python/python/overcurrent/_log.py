"""What is logged; loaded when there is something to log.

| event | level |
| --- | --- |
| `state_change` | warning where a breaker opens, else info |
| `retry`, `give_up`, `timeout`, `budget_exhausted` | info |
| `reject` | info, only the first one after a change of state; the next change says how many there were |
| `late_result`, `eviction` | debug |

A record's message begins with the event's name and goes on with its fields. `event` and each field are also
attributes of the record. Nothing of a call's arguments, results or errors is in it.
"""

from __future__ import annotations

import logging

logger = logging.getLogger("overcurrent")

enabled = logger.isEnabledFor


def write(level: int, event: str, fields: dict[str, str | int | float | None]) -> None:
    """Log an event; no field has the name of an attribute that records have anyway."""
    text = " ".join(
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in fields.items()
        if value is not None
    )
    logger.log(level, f"overcurrent.{event} %s", text, extra={"event": event, **fields})


def hook_failed(hook: str, error: Exception) -> None:
    """Log that a hook raised; it was taken for one that had nothing to say."""
    logger.error("the hook `%s` failed and was passed over", hook, exc_info=error)
