"""The registry."""

from __future__ import annotations

import os

from overcurrent import _core
from overcurrent._guard import Guard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Self, TypeVar, Unpack, overload

    from overcurrent._core import ManualClock
    from overcurrent._policy import Classify, GuardPolicy, Which

    D = TypeVar("D")

CAPACITY = 10_000
"""How many guards a registry may hold, unless it is told."""


class Registry(_core.Registry):
    """Guards by key, all of one policy and no more than so many: one for each host, tenant or shard.

        hosts = Registry("hosts", attempt_timeout="2s")
        page = hosts[host].call(fetch, host)

    A key's guard is made when it is first asked for. Where there is no room, a new key takes the place
    of one that is idle: nobody holds its guard, it has not been asked for lately, and its breaker is
    closed. So a breaker that rejects is never forgotten; what is forgotten and made anew has counted
    nothing. While anybody holds a guard, its key gives the same object.

    The name of a guard is that of the registry, a slash and the key (`hosts/api.example:443`), or the key
    alone where the registry has no name. As a registry is bounded, so are the names in logs and metrics.

    The keyword arguments are those of a `Guard`, and hold for each; the budget that a `Retry` among them
    brings along is shared by all keys.
    """

    __slots__ = ("__weakref__",)

    def __new__(
        cls,
        name: str | None = None,
        *,
        capacity: int = CAPACITY,
        on: Which = Exception,
        ignore: Which = (),
        classify: Classify | None = None,
        clock: ManualClock | None = None,
        seed: int | None = None,
        durations: bool = False,
        **policy: Unpack[GuardPolicy],
    ) -> Self:
        """Make an empty registry for at most `capacity` guards (at least 1).

        Raises:
            InvalidPolicy: a field breaks a rule, or is a live `Breaker`: each key has one of its own.
        """
        return _core.Registry.__new__(
            cls, name, capacity, policy, (on, ignore, classify), clock, seed, durations
        )

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        name: str,
        *,
        capacity: int = CAPACITY,
        on: Which = Exception,
        ignore: Which = (),
        classify: Classify | None = None,
        clock: ManualClock | None = None,
        seed: int | None = None,
        durations: bool = False,
    ) -> Self:
        """Make an empty registry for guards of the policy `name` of a policy file, TOML or JSON.

        Raises:
            InvalidPolicy: the policy is not there or breaks a rule.
            OSError: the file cannot be read.
        """
        path = os.fspath(path)
        with open(path, encoding="utf-8") as file:
            policy = _core.Policy(path, file.read(), name)
        return _core.Registry.__new__(
            cls, name, capacity, policy, (on, ignore, classify), clock, seed, durations
        )

    def guard(self, key: str) -> Guard:
        """Return the guard of a key, which is made if it is not there.

        Raises:
            RegistryFull: there is no room, and no guard is idle.
        """
        return self._seen(self.enter(key))

    def __getitem__(self, key: str) -> Guard:
        """As `guard`."""
        return self._seen(self.enter(key))

    if TYPE_CHECKING:

        @overload
        def get(self, key: str) -> Guard | None: ...
        @overload
        def get(self, key: str, default: D) -> Guard | D: ...

    def get(self, key: str, default: Any = None) -> Any:
        """Return the guard of a key if it is there, else `default`; none is made."""
        found = self.find(key)
        return default if found is None else self._seen(found)

    def __contains__(self, key: object) -> bool:
        """Whether the guard of a key is there."""
        return isinstance(key, str) and self.find(key) is not None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys that are there now."""
        return iter(self.keys())

    def values(self) -> Iterator[Guard]:
        """Iterate over the guards that are there now; one that makes room meanwhile is left out."""
        return (guard for key in self.keys() if (guard := self.get(key)) is not None)

    def _seen(self, found: Guard | _core.Kept) -> Guard:
        if isinstance(found, Guard):
            return found
        return self.see(Guard._of(found, {}, Exception, (), None, None, None, False))
