"""The contract of the port `lock`."""

from __future__ import annotations

import asyncio

import pytest

from oneiric.adapters.lock import (
    InvalidLock,
    Lock,
    LockError,
    LockMisconfigured,
    LockRefused,
    LockUnavailable,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract


class LockContract(Contract[Lock]):
    """Cases for a lock: subclass it and override `fresh`."""

    def test_one_of_many_gets_it(self) -> None:
        async def case(lock: Lock) -> None:
            tokens = await asyncio.gather(*(lock.acquire("a", ttl=60) for _ in range(50)))
            [token] = [each for each in tokens if each is not None]
            assert await lock.release("a", token)
            assert await lock.acquire("a", ttl=60)

        self.check(case)

    def test_names_are_apart(self) -> None:
        async def case(lock: Lock) -> None:
            assert await lock.acquire("a", ttl=60)
            assert await lock.acquire("b", ttl=60)

        self.check(case)

    def test_who_holds_it_too_long_has_lost_it_and_releases_nobody_elses(self) -> None:
        async def case(lock: Lock) -> None:
            late = await lock.acquire("a", ttl=0.01)
            assert late
            while not (token := await lock.acquire("a", ttl=60)):
                await asyncio.sleep(0.005)
            assert not await lock.release("a", late)
            assert await lock.acquire("a", ttl=60) is None
            assert await lock.release("a", token)

        self.check(case)

    @pytest.mark.parametrize(("name", "ttl"), [("", 1), ("a\0", 1), ("a", 0), ("a", float("nan")), ("a", float("inf"))])
    def test_what_is_no_lock_is_refused(self, name: str, ttl: float) -> None:
        async def case(lock: Lock) -> None:
            with pytest.raises(InvalidLock):
                await lock.acquire(name, ttl=ttl)

        self.check(case)


class NetworkedLockContract(NetworkedContract[Lock]):
    """Cases for a lock behind a network, besides those of `LockContract`."""

    base = LockError
    unavailable = LockUnavailable
    refusal = LockRefused
    misconfigured = LockMisconfigured

    async def use(self, component: Lock, number: int = 0) -> None:
        token = await component.acquire(f"name {number}", ttl=60)
        assert token is None or await component.release(f"name {number}", token)
