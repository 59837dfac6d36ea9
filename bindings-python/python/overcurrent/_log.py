"""What is logged; loaded when there is something to log."""

import logging

logger = logging.getLogger("overcurrent")


def hook_failed(hook: str, error: Exception) -> None:
    """Log that a hook raised; it was taken for one that had nothing to say."""
    logger.error("the hook `%s` failed and was passed over", hook, exc_info=error)
