"""Cache provider `redis`: entries in a Redis server, shared by all that use it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
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
    check_entries,
    check_key,
    check_keys,
    check_ttl,
    check_value,
)
from oneiric.adapters.cache._near import Near

_FAULTS = Faults("redis", CacheUnavailable, CacheRefused, CacheMisconfigured)
_AT_ONCE = 1000  # keys looked at, and at most removed, in one command
_BYTES_AT_ONCE = 4 * 1024 * 1024  # of values sent in one command, at most, unless one alone is larger
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
    `enable_client_cache`: keep what was read in this process until the server says that it changed.
    `client_cache_max_keys`: how many entries are kept so at most.
    `client_cache_max_size_bytes`: how large they are together at most.
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
        enable_client_cache: bool = False,
        client_cache_max_keys: int = 10_000,
        client_cache_max_size_bytes: int = 67_108_864,
    ) -> None:
        if default_ttl is not None:
            try:
                check_ttl(default_ttl)
            except InvalidEntry as error:
                raise _FAULTS.no_sense(error.what, "default_ttl") from None
        _FAULTS.check_above_zero(
            client_cache_max_keys=client_cache_max_keys, client_cache_max_size_bytes=client_cache_max_size_bytes
        )
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
        self._near = None
        if enable_client_cache:
            most, size = client_cache_max_keys, client_cache_max_size_bytes
            self._near = Near(self._server, key_prefix, most=most, size=size, silence=timeout)

    async def start(self) -> None:
        await self._server.open()
        if self._near is not None:
            await self._near.open()

    async def health(self) -> bool:
        try:
            await self._server.ping()
        except CacheError:
            return False
        return True

    async def aclose(self) -> None:
        closing = self._server.close()
        if self._near is not None:
            await self._near.close()
        await closing

    async def get(self, key: str) -> bytes | None:
        check_key(key)
        name = self._key_prefix + key
        if self._near is not None:
            return await self._near.get(name)
        value: bytes | None = await self._server.run("GET", name)
        return value

    async def get_many(self, keys: Collection[str]) -> dict[str, bytes]:
        check_keys(keys)
        near = self._near
        found = {key: None if near is None else near.known(self._key_prefix + key) for key in keys}
        asked = [key for key, value in found.items() if value is None]
        for start in range(0, len(asked), _AT_ONCE):
            some = asked[start : start + _AT_ONCE]
            found.update(zip(some, await self._server.run("MGET", *map(self._key_prefix.__add__, some)), strict=True))
        return {key: value for key, value in found.items() if value is not None}

    async def set(self, key: str, value: bytes, *, ttl: float | None = None) -> None:
        check_key(key)
        check_value(value)
        name, life = self._key_prefix + key, self._life(ttl)
        try:
            await self._server.run("SET", name, value, *life)
        finally:
            self._changed(name)

    async def set_many(self, entries: Mapping[str, bytes], *, ttl: float | None = None) -> None:
        check_entries(entries)
        named = {self._key_prefix + key: value for key, value in entries.items()}
        life = self._life(ttl)
        try:
            for some in _batches(named.items()):
                await self._server.run_together(*(("SET", name, value, *life) for name, value in some))
        finally:
            self._changed(*named)

    async def add(self, key: str, value: bytes, *, ttl: float | None = None) -> bool:
        check_key(key)
        check_value(value)
        name, life = self._key_prefix + key, self._life(ttl)
        try:
            return await self._server.run("SET", name, value, "NX", *life) is not None
        finally:
            self._changed(name)

    async def delete(self, key: str) -> bool:
        check_key(key)
        name = self._key_prefix + key
        try:
            return bool(await self._server.run("UNLINK", name))
        finally:
            self._changed(name)

    async def delete_prefix(self, prefix: str) -> int:
        check_key(prefix)
        return await self._unlink(self._key_prefix + prefix)

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
        finally:
            self._changed(name)
        return total

    async def clear(self) -> None:
        if self._key_prefix:
            await self._unlink(self._key_prefix)
            return
        try:
            await self._server.run("FLUSHDB", "ASYNC")
        finally:
            self._forget()

    async def _unlink(self, prefix: str) -> int:
        """Remove what is under a prefix; how many entries."""
        pattern = re.sub(r"([*?\[\]\\])", r"\\\1", prefix) + "*"
        cursor, removed = b"0", 0
        try:
            while True:
                cursor, names = await self._server.run("SCAN", cursor, "MATCH", pattern, "COUNT", _AT_ONCE)
                if names:
                    removed += await self._server.run("UNLINK", *names)
                if cursor == b"0":
                    return removed
        finally:
            self._forget()

    def _changed(self, *names: str) -> None:
        if self._near is not None:
            self._near.drop(names)

    def _forget(self) -> None:
        if self._near is not None:
            self._near.forget()

    def _life(self, ttl: float | None) -> tuple[str, int] | tuple[()]:
        """The arguments of SET that let an entry live so long: milliseconds, rounded up."""
        if ttl is None:
            ttl = self._default_ttl
        else:
            check_ttl(ttl)
        return () if ttl == inf else ("PX", ceil(ttl * 1000))


def _batches(entries: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Entries in lists that are small enough to be sent at once."""
    some: list[tuple[str, bytes]] = []
    size = 0
    for name, value in entries:
        if some and (len(some) == _AT_ONCE or size + len(value) > _BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append((name, value))
        size += len(value)
    if some:
        yield some
