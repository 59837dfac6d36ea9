"""The errors, each with one stable code. Their messages are the core's."""

from __future__ import annotations

from overcurrent import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from overcurrent._policy import RejectReason


class OvercurrentError(Exception):
    """What every error of this package is."""

    code: ClassVar[str]
    """The same word in every language."""


class InvalidPolicy(OvercurrentError, ValueError):
    """A policy was refused."""

    code = "INVALID_POLICY"

    def __init__(self, path: str, value: str, rule: str) -> None:
        super().__init__(path, value, rule)
        self.path = path
        """Where the value stands: `retry.max_attempts`."""
        self.value = value
        """The value as it was given."""
        self.rule = rule
        """The rule it breaks, in words that follow the value."""

    def __str__(self) -> str:
        return _core.invalid_policy_text(self.path, self.value, self.rule)


class BreakerOpen(OvercurrentError):
    """The breaker admitted no call; the function was not run."""

    code = "BREAKER_OPEN"

    def __init__(self, breaker: str, reason: RejectReason, retry_after: float | None = None) -> None:
        """Make one by hand, for a test say.

        Raises:
            ValueError: `reason` is none, or `retry_after` is not a time in seconds.
        """
        _core.breaker_open_text(breaker, reason, retry_after)
        super().__init__(breaker, reason, retry_after)

    @property
    def breaker(self) -> str:
        """The breaker's name."""
        name: str = self.args[0]
        return name

    @property
    def reason(self) -> RejectReason:
        """`open`, `half_open` or `forced_open`."""
        reason: RejectReason = self.args[1]
        return reason

    @property
    def retry_after(self) -> float | None:
        """Seconds until it will admit a probe, where that is known."""
        seconds: float | None = self.args[2]
        return seconds

    def __str__(self) -> str:
        return _core.breaker_open_text(self.breaker, self.reason, self.retry_after)


class AttemptTimeout(OvercurrentError, TimeoutError):
    """One attempt took longer than `attempt_timeout`."""

    code = "ATTEMPT_TIMEOUT"

    def __init__(self, guard: str, attempt: int, timeout: float) -> None:
        super().__init__(_core.attempt_timeout_text(guard, attempt, timeout))
        self.guard = guard
        """The guard's name."""
        self.attempt = attempt
        """Which attempt, from 1."""
        self.timeout = timeout
        """The seconds it had."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.guard, self.attempt, self.timeout), self.__dict__


class DeadlineExceeded(OvercurrentError, TimeoutError):
    """The whole call took longer than `deadline`; the last error, if any, is its cause."""

    code = "DEADLINE_EXCEEDED"

    def __init__(self, guard: str, attempts: int, deadline: float) -> None:
        super().__init__(_core.deadline_exceeded_text(guard, attempts, deadline))
        self.guard = guard
        """The guard's name."""
        self.attempts = attempts
        """How many attempts had begun."""
        self.deadline = deadline
        """The seconds the whole call had."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.guard, self.attempts, self.deadline), self.__dict__


class RegistryFull(OvercurrentError):
    """A registry has no room for a new key: it is full, and nothing in it is idle."""

    code = "REGISTRY_FULL"

    def __init__(self, name: str, capacity: int) -> None:
        super().__init__(name, capacity)
        self.name = name
        """What the guard would have been named."""
        self.capacity = capacity
        """How many guards the registry may hold."""

    def __str__(self) -> str:
        return _core.registry_full_text(self.name, self.capacity)
