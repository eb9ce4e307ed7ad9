"""Cache provider `redis`: entries in a Redis server, shared by all that use it."""

from __future__ import annotations

import re
from math import ceil, inf
from pathlib import Path

from redis.exceptions import ResponseError

from oneiric import Secret, component
from oneiric.adapters._common.network import Faults
from oneiric.adapters._common.redis import RedisAddress, RedisServer, address_of
from oneiric.adapters.cache import (
    CacheClosed,
    CacheError,
    CacheMisconfigured,
    CacheRefused,
    CacheUnavailable,
    InvalidEntry,
    NotAnInteger,
    check_amount,
    check_key,
    check_ttl,
    check_value,
)

_FAULTS = Faults("redis", CacheUnavailable, CacheRefused, CacheMisconfigured)
_AT_ONCE = 1000  # keys looked at, and at most removed, in one command
_NO_INTEGER = ".*(not an integer|overflow)"


@component(
    "adapter",
    "cache",
    provider="redis",
    priority=0,
    stack_level=-20,
    capabilities=("kv", "ttl", "distributed"),
    port="oneiric.adapters.cache:Cache",
)
class RedisCache:
    """Keeps entries in one database of a Redis server, over a pool of connections.

    Needs a Redis server 6.2 or later, or Valkey; the extra `cache-redis`.

    `url`: `redis://HOST:PORT/DB`, `rediss://…` for TLS, `unix:///PATH`; instead of `host`, `port`, `db` and `tls`.
    `host`: where the server is, unless there is a `url`.
    `port`: the server's port.
    `db`: the number of the database.
    `tls`: encrypt, and check the server's certificate and name.
    `user`: the user name; a server may want this, the password, both or neither.
    `password`: the user's password.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `timeout`: seconds to connect, and to wait for a reply or a free connection.
    `healthcheck_timeout`: seconds for all of a health check, and of the first connection.
    `max_connections`: how many connections are open at most; they are opened when needed and kept.
    `client_name`: shown by `CLIENT LIST`.
    `key_prefix`: put before every key. With an empty one `clear` empties the whole database of the server.
    `default_ttl`: seconds an entry lives when its writer does not say; for ever by default.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        host: str = "localhost",
        port: int = 6379,
        db: int = 0,
        tls: bool = False,
        user: str | None = None,
        password: Secret | None = None,
        ca_file: Path | None = None,
        timeout: float = 5.0,
        healthcheck_timeout: float = 2.0,
        max_connections: int = 50,
        client_name: str = "oneiric",
        key_prefix: str = "cache:",
        default_ttl: float | None = None,
    ) -> None:
        if default_ttl is not None:
            try:
                check_ttl(default_ttl)
            except InvalidEntry as error:
                raise _FAULTS.no_sense(error.what, "default_ttl") from None
        _FAULTS.check_text(key_prefix=key_prefix or None)
        if url is None:
            address = RedisAddress("host", host, port, None, db, tls, user, password)
        elif (host, port, db, tls) == ("localhost", 6379, 0, False):
            address = address_of(url, user, password, _FAULTS)
        else:
            raise _FAULTS.no_sense("is given, and host, port, db or tls too: write it once", "url")
        self._default_ttl = inf if default_ttl is None else default_ttl
        self._key_prefix = key_prefix
        self._server = RedisServer(
            address,
            _FAULTS,
            CacheClosed,
            _NO_INTEGER,
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
        except CacheError:
            return False
        return True

    async def aclose(self) -> None:
        await self._server.close()

    async def get(self, key: str) -> bytes | None:
        check_key(key)
        value: bytes | None = await self._server.run("GET", self._key_prefix + key)
        return value

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        check_key(key)
        check_value(value)
        await self._server.run("SET", self._key_prefix + key, value, *self._life(ttl))

    async def delete(self, key: str) -> bool:
        check_key(key)
        return bool(await self._server.run("UNLINK", self._key_prefix + key))

    async def exists(self, key: str) -> bool:
        check_key(key)
        return bool(await self._server.run("EXISTS", self._key_prefix + key))

    async def increment(self, key: str, amount: int = 1, *, ttl: float | None = None) -> int:
        check_key(key)
        check_amount(amount)
        life = self._life(ttl)
        name = self._key_prefix + key
        try:
            if not life:
                total: int = await self._server.run("INCRBY", name, amount)
            else:
                _, total = await self._server.run_together(("SET", name, 0, *life, "NX"), ("INCRBY", name, amount))
        except ResponseError:
            raise NotAnInteger("the value is not an integer, or would leave 64 bits", provider="redis") from None
        return total

    async def clear(self) -> None:
        if not self._key_prefix:
            await self._server.run("FLUSHDB", "ASYNC")
            return
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", self._key_prefix) + "*"
        cursor = b"0"
        while True:
            cursor, keys = await self._server.run("SCAN", cursor, "MATCH", pattern, "COUNT", _AT_ONCE)
            if keys:
                await self._server.run("UNLINK", *keys)
            if cursor == b"0":
                return

    def _life(self, ttl: float | None) -> tuple[str, int] | tuple[()]:
        """The arguments of SET that let an entry live so long: milliseconds, rounded up."""
        if ttl is None:
            ttl = self._default_ttl
        else:
            check_ttl(ttl)
        return () if ttl == inf else ("PX", ceil(ttl * 1000))
