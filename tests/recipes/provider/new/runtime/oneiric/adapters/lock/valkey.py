"""Lock provider `valkey`: keys of a Valkey or Redis server that expire."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from uuid import uuid4

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.redis import RedisServer, address_of
from oneiric.adapters.lock import (
    LockClosed,
    LockError,
    LockMisconfigured,
    LockRefused,
    LockUnavailable,
    check_lock,
)

_FAULTS = Faults("valkey", LockUnavailable, LockRefused, LockMisconfigured)
_RELEASE = "return redis.call('GET', KEYS[1]) == ARGV[1] and redis.call('DEL', KEYS[1]) or 0"


@component(
    "adapter",
    "lock",
    provider="valkey",
    priority=0,
    stack_level=-20,
    capabilities=("lock", "distributed"),
    port="oneiric.adapters.lock:Lock",
)
class ValkeyLock:
    """Holds names as keys of one Valkey or Redis server; a server that loses them loses the locks.

    Needs a Valkey server, or Redis 6.2 or later; the extra `lock-valkey`.

    `url`: `redis://HOST:PORT/DB`, `rediss://…` for TLS, `unix:///PATH`.
    `user`: who asks; a server may want this, the password, both or neither.
    `password`: the password of who asks.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds to connect, and to wait for a reply or a free connection.
    `healthcheck_timeout`: seconds for all of a health check, and of the first connection.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    `client_name`: shown by `CLIENT LIST`.
    `key_prefix`: put before every name.
    """

    def __init__(
        self,
        *,
        url: str = "redis://localhost:6379/0",
        user: str | None = None,
        password: Secret | None = None,
        ca_file: Path | None = None,
        timeout: float = 5.0,
        healthcheck_timeout: float = 2.0,
        max_connections: int = 50,
        client_name: str = "oneiric",
        key_prefix: str = "lock:",
    ) -> None:
        _FAULTS.check_text(key_prefix=key_prefix)
        self._key_prefix = key_prefix
        self._server = RedisServer(
            address_of(url, user, password, _FAULTS),
            _FAULTS,
            LockClosed,
            "(?!)",
            ca_file=ca_file,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
            max_connections=max_connections,
            client_name=client_name,
        )

    async def start(self) -> None:
        await self._server.open()

    async def health(self) -> bool:
        try:
            await self._server.ping()
        except LockError:
            return False
        return True

    async def aclose(self) -> None:
        await self._server.close()

    async def acquire(self, name: str, *, ttl: float) -> str | None:
        check_lock(name, ttl)
        token = uuid4().hex
        taken = await self._server.run("SET", self._key_prefix + name, token, "NX", "PX", ceil(ttl * 1000))
        return None if taken is None else token

    async def release(self, name: str, token: str) -> bool:
        return bool(await self._server.run("EVAL", _RELEASE, 1, self._key_prefix + name, token))
