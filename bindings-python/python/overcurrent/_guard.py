"""The guard."""

from __future__ import annotations

import os

from overcurrent import _core
from overcurrent._blocks import Repeating
from overcurrent._breaker import Breaker
from overcurrent._calls import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal, Self, Unpack

    from overcurrent._core import ManualClock
    from overcurrent._policy import Classify, GuardPolicy, Which


class Guard(_core.Guard, Caller, Repeating):
    """Surrounds calls of one dependency: `deadline(retry(breaker(attempt_timeout(fn))))`.

    A call is made by `call` or `acall`, through a function it decorates, or attempt by attempt:

        for attempt in guard:
            with attempt:
                ...

    When it is not retried any more, the function's own last error comes back, with a note of how often
    and how long it was tried and why no more; or its last value, where `classify` had called that a
    failure.

    `on` says which errors are failures and retried, `ignore` which of them are not; other errors tell
    nothing about the dependency, are not counted and not retried. `classify` is asked first, about
    every result. Where a guard has none of these, those of its retry or breaker hold.

    `durations` has it measure how long its calls take, for `metrics`. `clock` and `seed` are for tests.
    """

    __slots__ = ("__weakref__", "_breaker")

    _breaker: Breaker | None

    def __new__(
        cls,
        name: str,
        *,
        on: Which = Exception,
        ignore: Which = (),
        classify: Classify | None = None,
        clock: ManualClock | None = None,
        seed: int | None = None,
        durations: bool = False,
        **policy: Unpack[GuardPolicy],
    ) -> Self:
        """Make a guard of the fields of its policy.

        Raises:
            InvalidPolicy: a field breaks a rule.
        """
        return cls._of(name, policy, on, ignore, classify, clock, seed, durations)

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        name: str,
        *,
        on: Which = Exception,
        ignore: Which = (),
        classify: Classify | None = None,
        clock: ManualClock | None = None,
        seed: int | None = None,
        durations: bool = False,
    ) -> Self:
        """Make the guard `name` of a policy file, TOML or JSON by its ending.

        Raises:
            InvalidPolicy: the policy is not there or breaks a rule.
            OSError: the file cannot be read.
        """
        path = os.fspath(path)
        with open(path, encoding="utf-8") as file:
            policy = _core.Policy(path, file.read(), name)
        return cls._of(name, policy, on, ignore, classify, clock, seed, durations)

    @classmethod
    def from_text(
        cls,
        text: str,
        name: str,
        *,
        format: Literal["toml", "json"] = "toml",
        on: Which = Exception,
        ignore: Which = (),
        classify: Classify | None = None,
        clock: ManualClock | None = None,
        seed: int | None = None,
        durations: bool = False,
    ) -> Self:
        """Make the guard `name` of the text of a policy document.

        Raises:
            InvalidPolicy: the policy is not there or breaks a rule.
        """
        policy = _core.Policy(f"document.{format}", text, name)
        return cls._of(name, policy, on, ignore, classify, clock, seed, durations)

    @classmethod
    def _of(
        cls,
        name: str | _core.Kept,
        policy: GuardPolicy | _core.Policy,
        on: Which,
        ignore: Which,
        classify: Classify | None,
        clock: ManualClock | None,
        seed: int | None,
        durations: bool,
    ) -> Self:
        guard = _core.Guard.__new__(cls, name, policy, (on, ignore, classify), clock, seed, durations)
        given, own = guard.given_breaker, guard.own_breaker
        if isinstance(given, Breaker):
            guard._breaker = given
        elif own is not None:
            guard._breaker = _core.Breaker.__new__(Breaker, own, {}, (on, ignore, classify), None, None)
        else:
            guard._breaker = None
        return guard

    @property
    def breaker(self) -> Breaker | None:
        """Its breaker; the one it was given, if so."""
        return self._breaker
