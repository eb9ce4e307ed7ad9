"""Layer `tiered` of the key `cache`: copies of what was found, in this process, for a moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from contextlib import contextmanager
from math import inf
from time import monotonic

from oneiric import component
from oneiric.adapters.cache import (
    Cache,
    CacheClosed,
    CacheMisconfigured,
    check_amount,
    check_entries,
    check_key,
    check_keys,
    check_ttl,
    check_value,
)


@component(
    "adapter",
    "cache",
    provider="tiered",
    priority=0,
    layer=True,
    port="oneiric.adapters.cache:Cache",
)
class TieredCache:
    """Answers reads of what was found a moment ago from this process; all else is the wrapped cache's.

    `ttl`: seconds that a copy is kept. What others change, or lets expire, is seen so much later at most.
    `max_entries`: how many copies are kept; the least recently read one goes first.

    What goes through it is seen at once: a change drops the copies before and after it, and no read that it overtook
    is kept. An entry that was written through it with a ttl leaves no copy behind. That nothing is there is not kept.
    """

    def __init__(self, *, inner: Cache, ttl: float, max_entries: int = 10_000) -> None:
        if not 0 < ttl < inf:
            raise CacheMisconfigured(f"{ttl!r} is not a number of seconds above 0", provider="tiered", setting="ttl")
        if max_entries < 1:
            raise CacheMisconfigured(f"{max_entries!r} is not above 0", provider="tiered", setting="max_entries")
        self._inner = inner
        self._ttl = ttl
        self._max_entries = max_entries
        self._copies: dict[str, tuple[bytes, float]] = {}  # value and deadline, least recently read first
        self._ends: dict[str, float] = {}  # when entries expire that were written here, oldest first
        self._reads: dict[str, object] = {}  # reads under way that no change has overtaken
        self._closed = False

    async def aclose(self) -> None:
        self._closed = True
        for held in (self._copies, self._ends, self._reads):
            held.clear()

    async def get(self, key: str) -> bytes | None:
        check_key(key)
        value = self._known(key)
        if value is None:
            with self._reading((key,)) as keep:
                value = await self._inner.get(key)
                if value is not None:
                    keep(key, value)
        return value

    async def get_many(self, keys: Collection[str]) -> dict[str, bytes]:
        check_keys(keys)
        asked = dict.fromkeys(keys)
        values = {key: value for key in asked if (value := self._known(key)) is not None}
        missing = [key for key in asked if key not in values]
        if missing:
            with self._reading(missing) as keep:
                found = await self._inner.get_many(missing)
                for key, value in found.items():
                    keep(key, value)
            values |= found
        return {key: values[key] for key in asked if key in values}

    async def exists(self, key: str) -> bool:
        check_key(key)
        return self._known(key) is not None or await self._inner.exists(key)

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        check_key(key)
        check_value(value)
        with self._changing(lambda: (key,)), self._writing((key,), ttl):
            await self._inner.set(key, value, ttl=ttl)

    async def set_many(self, entries: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        check_entries(entries)
        keys = tuple(entries)
        with self._changing(lambda: keys), self._writing(keys, ttl):
            await self._inner.set_many(entries, ttl=ttl)

    async def add(self, key: str, value: bytes, *, ttl: float | None = None) -> bool:
        check_key(key)
        check_value(value)
        with self._changing(lambda: (key,)), self._writing((key,), ttl, unless_there=True):
            return await self._inner.add(key, value, ttl=ttl)

    async def increment(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        check_key(key)
        check_amount(amount)
        with self._changing(lambda: (key,)), self._writing((key,), ttl, unless_there=True):
            return await self._inner.increment(key, amount, ttl=ttl)

    async def delete(self, key: str) -> bool:
        check_key(key)
        with self._changing(lambda: (key,)):
            return await self._inner.delete(key)

    async def delete_prefix(self, prefix: str) -> int:
        check_key(prefix)
        with self._changing(lambda: [key for key in {*self._copies, *self._reads} if key.startswith(prefix)]):
            return await self._inner.delete_prefix(prefix)

    async def clear(self) -> None:
        with self._changing(lambda: {*self._copies, *self._reads}):
            await self._inner.clear()

    def _known(self, key: str) -> bytes | None:
        """The copy, where one is kept and its time is not over."""
        self._check_open()
        kept = self._copies.pop(key, None)
        if kept is None or kept[1] <= monotonic():
            return None
        self._copies[key] = kept
        return kept[0]

    def _check_open(self) -> None:
        if self._closed:
            raise CacheClosed("the layer is closed", provider="tiered")

    @contextmanager
    def _reading(self, keys: Iterable[str]) -> Generator[Callable[[str, bytes], None], None, None]:
        """Reads of the wrapped cache: what is found may be kept, unless it is changed meanwhile."""
        read, asked = object(), monotonic()
        self._reads.update(dict.fromkeys(keys, read))

        def keep(key: str, value: bytes) -> None:
            if self._reads.get(key) is read:
                self._keep(key, value, asked)

        try:
            yield keep
        finally:
            for key in keys:
                if self._reads.get(key) is read:
                    del self._reads[key]

    def _keep(self, key: str, value: bytes, asked: float) -> None:
        end = self._ends.get(key, inf)
        if end <= asked:  # somebody else has written it since
            del self._ends[key]
            end = inf
        self._copies[key] = value, min(asked + self._ttl, end)
        while len(self._copies) > self._max_entries:
            del self._copies[next(iter(self._copies))]

    @contextmanager
    def _changing(self, keys: Callable[[], Iterable[str]]) -> Generator[None, None, None]:
        """A change of these, which may have happened even if it fails."""
        self._check_open()
        self._drop(keys())
        try:
            yield
        finally:
            self._drop(keys())

    def _drop(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._copies.pop(key, None)
            self._reads.pop(key, None)

    @contextmanager
    def _writing(
        self, keys: Iterable[str], ttl: float | None, *, unless_there: bool = False
    ) -> Generator[None, None, None]:
        """A change that lets these expire: at the end that is known already where one may be there, and stays."""
        if ttl is not None:
            check_ttl(ttl)
        now = monotonic()
        try:
            yield
        finally:
            for key in keys:
                end = self._ends.get(key, 0.0)
                if not (unless_there and end > now):
                    self._ends.pop(key, None)
                    if ttl is not None:
                        self._ends[key] = now + ttl
            while len(self._ends) > self._max_entries:
                del self._ends[next(iter(self._ends))]
