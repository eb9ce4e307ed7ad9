"""The cache in a Redis server: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from oneiric import Secret
from oneiric.adapters.cache import Cache, CacheRefused, CacheUnavailable
from oneiric.adapters.cache.redis import RedisCache
from oneiric.testing.contracts import CacheContract, NetworkedCacheContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.proxy import Proxy
from redis import Redis

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import REDIS
from tests.backends.harness.servers import Address, Server, private
from tests.backends.redis_client import client_of, set_password


def prefix() -> str:
    return f"test*[{uuid4().hex}]:"


@asynccontextmanager
async def emptied(cache: RedisCache) -> AsyncGenerator[RedisCache, None]:
    async with started(cache):
        try:
            yield cache
        finally:
            if await cache.health():
                await cache.clear()


@pytest.fixture(autouse=True)
def server(request: pytest.FixtureRequest, redis: Address) -> None:
    if request.instance is not None:
        request.instance.redis = redis


class TestRedisCache(CacheContract):
    redis: Address

    def fresh(self) -> AbstractAsyncContextManager[Cache]:
        return emptied(RedisCache(host=self.redis.host, port=self.redis.port, key_prefix=prefix()))


class TestRedisCacheOfOneConnection(CacheContract):
    redis: Address

    def fresh(self) -> AbstractAsyncContextManager[Cache]:
        url = f"redis://{self.redis.host}:{self.redis.port}/0"
        return emptied(RedisCache(url=url, key_prefix=prefix(), max_connections=1, default_ttl=3600.0))


class TestRedisCacheThatKeepsEntries(CacheContract):
    redis: Address

    def fresh(self) -> AbstractAsyncContextManager[Cache]:
        return emptied(keeping(self.redis))


def keeping(address: Address, **settings: Any) -> RedisCache:
    """A cache that keeps what it reads until the server says that it changed."""
    settings = {"key_prefix": prefix(), **settings}
    return RedisCache(host=address.host, port=address.port, enable_client_cache=True, **settings)


class TestRedisCacheFaults(NetworkedCacheContract):
    redis: Address
    settings: ClassVar[dict[str, Any]] = {"max_connections": CONNECTIONS}

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.redis)

    def private(self) -> AbstractContextManager[Server]:
        return private(REDIS)

    def component(self, host: str, port: int, password: Secret | None = None) -> RedisCache:
        return RedisCache(
            host=host,
            port=port,
            password=password,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            key_prefix=f"test:{uuid4().hex}:",
            default_ttl=60.0,
            **self.settings,
        )

    @contextmanager
    def refused(self) -> Generator[RedisCache, None, None]:
        with private(REDIS) as server:
            set_password(server, "another")
            yield self.component(server.host, server.port, Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], RedisCache]]]:
        return [
            ("url", lambda: RedisCache(url=f"http://:{SECRET}@localhost")),
            ("url", lambda: RedisCache(url=f"redis://:{SECRET}/x@localhost:6379")),
            ("url", lambda: RedisCache(url="redis://localhost:99999")),
            ("url", lambda: RedisCache(url="redis://localhost:0")),
            ("url", lambda: RedisCache(url="redis://localhost/nine")),
            ("url", lambda: RedisCache(url="redis://")),
            ("url", lambda: RedisCache(url="redis://localhost?socket_timeout=1")),
            ("url", lambda: RedisCache(url="unix://host/path")),
            ("url", lambda: RedisCache(url="redis://localhost", port=6380)),
            ("url", lambda: RedisCache(url=f"redis://:{SECRET}@localhost", password=Secret("b"))),
            ("url", lambda: RedisCache(url="redis://a@localhost", user="b")),
            ("host", lambda: RedisCache(host="")),
            ("port", lambda: RedisCache(port=0)),
            ("db", lambda: RedisCache(db=-1)),
            ("ca_file", lambda: RedisCache(ca_file=Path("ca.pem"))),
            ("ca_file", lambda: RedisCache(tls=True, ca_file=Path("/no/such/ca.pem"))),
            ("timeout", lambda: RedisCache(timeout=0)),
            ("healthcheck_timeout", lambda: RedisCache(healthcheck_timeout=float("nan"))),
            ("max_connections", lambda: RedisCache(max_connections=0)),
            ("client_name", lambda: RedisCache(client_name="a b")),
            ("client_name", lambda: RedisCache(client_name="\N{SNOWMAN}")),
            ("key_prefix", lambda: RedisCache(key_prefix="\ud800")),
            ("default_ttl", lambda: RedisCache(default_ttl=0)),
            ("client_cache_max_keys", lambda: RedisCache(client_cache_max_keys=0)),
            ("client_cache_max_size_bytes", lambda: RedisCache(client_cache_max_size_bytes=-1)),
        ]


class TestFaultsOfARedisCacheThatKeepsEntries(TestRedisCacheFaults):
    settings: ClassVar[dict[str, Any]] = {"max_connections": CONNECTIONS - 1, "enable_client_cache": True}


def reads(address: Address) -> int:
    """How many GETs the server has answered."""
    with client_of(address) as client:
        stats: dict[str, Any] = client.info("commandstats")
    return int(stats.get("cmdstat_get", {"calls": 0})["calls"])


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    while not await holds():
        await asyncio.sleep(0.005)


def test_what_was_read_is_read_once_until_anybody_changes_it() -> None:
    async def main() -> None:
        one, other = (keeping(server, key_prefix="shared:") for _ in range(2))
        async with started(one), started(other):
            await one.set("key", b"first")
            while not vars(vars(other)["_near"])["_kept"]:  # the server may tell of the write while it is read
                assert await other.get("key") == b"first"
                await asyncio.sleep(0)
            before = reads(server)
            assert [await other.get("key") for _ in range(50)] == [b"first"] * 50
            assert await other.get_many(["key"]) == {"key": b"first"}
            assert reads(server) == before
            with client_of(server) as client:
                changes = [
                    (b"second", lambda: client.set("shared:key", b"second")),
                    (None, lambda: client.delete("shared:key")),
                    (b"1", lambda: client.incr("shared:key")),
                    (None, lambda: client.flushall()),
                ]
                for value, change in changes:
                    change()
                    await until(lambda value=value: _is(other, value))
                    assert await other.get("key") == value

    with private(REDIS) as server:
        run(main())


async def _is(cache: RedisCache, value: bytes | None) -> bool:
    return await cache.get("key") == value


def test_one_reads_what_one_wrote(redis: Address) -> None:
    async def main() -> None:
        async with emptied(keeping(redis)) as cache:
            reading = asyncio.create_task(read_for_ever(cache))
            for number in range(500):
                value = str(number).encode()
                await cache.set("key", value)
                assert await cache.get("key") == value
                await cache.set_many({"key": value + b"!"})
                assert await cache.get("key") == value + b"!"
                assert await cache.delete_prefix("k") == 1
                assert await cache.get("key") is None
                assert await cache.add("key", value)
                assert await cache.get("key") == value
            reading.cancel()
            await asyncio.wait([reading])

    run(main())


async def read_for_ever(cache: RedisCache) -> None:
    while True:
        await cache.get("key")
        await asyncio.sleep(0)


def test_entries_that_are_kept_are_bounded(redis: Address) -> None:
    async def main() -> None:
        async with emptied(keeping(redis, client_cache_max_keys=10, client_cache_max_size_bytes=1000)) as cache:
            await cache.set_many({f"key{number}": b"x" * 300 for number in range(4)} | {"large": b"x" * 2000})
            for number in range(4):
                await cache.get(f"key{number}")
            await cache.get("large")
            near = vars(vars(cache)["_near"])
            assert near["_bytes"] == sum(len(name) + len(kept.value) for name, kept in near["_kept"].items())
            assert near["_bytes"] <= 1000
            await cache.set_many({f"small{number}": b"x" for number in range(40)})
            for number in range(40):
                await cache.get(f"small{number}")
            assert len(near["_kept"]) == 10
            assert not near["_reads"]

    run(main())


def test_a_change_while_the_connection_was_broken_is_not_missed() -> None:
    async def main() -> None:
        async with started(keeping(Address(proxy.host, proxy.port), key_prefix="k:", timeout=TIMEOUT)) as cache:
            await cache.set("key", b"old")
            assert await cache.get("key") == b"old"
            proxy.mood = "drop"
            proxy.cut()
            with client_of(server) as client:
                client.set("k:key", b"new")
            proxy.mood = "pass"
            await until(lambda: _reads_new(cache))
            with client_of(server) as client:  # and it is told of changes again
                client.set("k:key", b"newest")
            await until(lambda: _is(cache, b"newest"))

    with private(REDIS) as server, Proxy(server.host, server.port) as proxy:
        run(main())


async def _reads_new(cache: RedisCache) -> bool:
    try:
        value = await cache.get("key")
    except CacheUnavailable:
        return False
    assert value in (b"old", b"new")
    return value == b"new" and vars(vars(cache)["_near"])["_told"] is True


def test_what_a_silent_server_holds_is_forgotten() -> None:
    async def main() -> None:
        async with started(keeping(server, timeout=0.5, healthcheck_timeout=0.5)) as cache:
            await cache.set("key", b"value")
            assert await cache.get("key") == b"value"
            server.freeze()
            try:
                with pytest.raises(CacheUnavailable):
                    while await cache.get("key") == b"value":
                        await asyncio.sleep(0.01)
            finally:
                server.thaw()
            await until(lambda: _reads(cache, b"value"))

    with private(REDIS) as server:
        run(main())


async def _reads(cache: RedisCache, value: bytes) -> bool:
    try:
        return await cache.get("key") == value
    except CacheUnavailable:
        return False


def test_clear_leaves_what_others_keep(redis: Address) -> None:
    async def main() -> None:
        mine, theirs = (RedisCache(host=redis.host, port=redis.port, key_prefix=prefix()) for _ in range(2))
        async with emptied(mine), emptied(theirs):
            await mine.set("key", b"mine")
            await theirs.set("key", b"theirs")
            await mine.clear()
            assert (await mine.get("key"), await theirs.get("key")) == (None, b"theirs")

    run(main())


def test_without_a_prefix_the_database_is_the_caches_own() -> None:
    async def main() -> None:
        url = f"redis://{server.host}:{server.port}/3"
        async with started(RedisCache(url=url, key_prefix="")) as cache:
            await cache.set("key", b"value")
            with Redis(host=server.host, port=server.port, db=3) as client:
                assert client.get("key") == b"value"
            with client_of(server) as other:
                other.set("kept", b"x")
                await cache.clear()
                assert other.get("kept") == b"x"
            assert await cache.get("key") is None

    with private(REDIS) as server:
        run(main())


def test_more_entries_than_one_command_takes(redis: Address) -> None:
    async def main() -> None:
        async with emptied(RedisCache(host=redis.host, port=redis.port, key_prefix=prefix())) as cache:
            entries = {f"key{number}": str(number).encode() for number in range(2500)}
            await cache.set_many(entries)
            assert await cache.get_many(entries) == entries
            assert await cache.delete_prefix("key1") == 1111
            await cache.clear()
            assert await cache.get_many(entries) == {}

    run(main())


def test_the_right_user_and_password_are_let_in() -> None:
    async def main() -> None:
        for settings in (
            {"host": server.host, "port": server.port, "user": "ann", "password": Secret("p@ss/word")},
            {"url": f"redis://ann:p%40ss%2Fword@{server.host}:{server.port}"},
        ):
            async with started(RedisCache(**settings)) as cache:
                await cache.set("key", b"value")
        with pytest.raises(CacheRefused):
            async with started(RedisCache(host=server.host, port=server.port)) as cache:
                await cache.set("key", b"value")

    with private(REDIS) as server:
        with client_of(server) as client:
            client.acl_setuser("ann", enabled=True, passwords=["+p@ss/word"], categories=["+@all"], keys=["*"])
            client.acl_setuser("default", enabled=False)
        run(main())


def test_what_a_user_may_not_do_is_refused() -> None:
    async def main() -> None:
        async with started(RedisCache(host=server.host, port=server.port, user="ann", password=Secret("p"))) as cache:
            assert await cache.get("key") is None
            with pytest.raises(CacheRefused):
                await cache.set("key", b"value")

    with private(REDIS) as server:
        with client_of(server) as client:
            client.acl_setuser("ann", enabled=True, passwords=["+p"], categories=["+@all", "-@write"], keys=["*"])
        run(main())


def test_a_full_server_and_a_key_of_another_kind_are_errors_of_the_port() -> None:
    async def main() -> None:
        async with started(RedisCache(host=server.host, port=server.port)) as cache:
            with client_of(server) as client:
                client.rpush("cache:list", "x")
            with pytest.raises(CacheUnavailable, match="WRONGTYPE"):
                await cache.get("list")
            with client_of(server) as client:
                client.config_set("maxmemory", "1")
            with pytest.raises(CacheUnavailable, match="memory"):
                await cache.set("key", b"value")

    with private(REDIS) as server:
        run(main())


def test_a_socket_in_the_file_system() -> None:
    def program(redis_server: str, folder: Path, port: int) -> Sequence[str]:
        return [*REDIS.program(redis_server, folder, port), "--unixsocket", str(folder / "socket")]

    async def main() -> None:
        async with started(RedisCache(url=f"unix://{server.folder}/socket")) as cache:
            await cache.set("key", b"value")
            assert await cache.get("key") == b"value"

    with private(replace(REDIS, program=program)) as server:
        run(main())


class TestTLS:
    @pytest.fixture(autouse=True)
    def own_authority(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.authority = Authority()
        self.trusted = self.authority.write(tmp_path / "ca.pem")

    def serve(self, host: str, *, days: int = 1) -> AbstractContextManager[Server]:
        """A server with a certificate for `host`."""
        certificate, key = self.folder / "server.pem", self.folder / "server.key"
        self.authority.write_for(host, certificate, key, days=days)

        def program(redis_server: str, folder: Path, port: int) -> Sequence[str]:
            return [
                *REDIS.program(redis_server, folder, 0),
                *("--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)),
                *("--tls-auth-clients", "no"),
            ]

        return private(replace(REDIS, program=program))

    def test_a_certificate_of_a_trusted_authority_is_accepted(self) -> None:
        async def main() -> None:
            url = f"rediss://{server.host}:{server.port}"
            async with started(RedisCache(url=url, ca_file=self.trusted)) as cache:
                await cache.set("key", b"value")
                assert await cache.get("key") == b"value"

        with self.serve("127.0.0.1") as server:
            run(main())

    @pytest.mark.parametrize(
        ("host", "days", "trusts"),
        [("127.0.0.1", 1, False), ("other.example", 1, True), ("127.0.0.1", -1, True)],
        ids=["of nobody trusted", "of another host", "expired"],
    )
    def test_another_certificate_is_refused(self, host: str, days: int, trusts: bool) -> None:
        async def main() -> None:
            cache = RedisCache(host=server.host, port=server.port, tls=True, ca_file=self.trusted if trusts else None)
            with pytest.raises(CacheRefused) as caught:
                async with started(cache):
                    pass
            assert caught.value.setting == "ca_file"

        with self.serve(host, days=days) as server:
            run(main())

    def test_a_server_without_tls_is_not_talked_to(self) -> None:
        async def main() -> None:
            with pytest.raises((CacheRefused, CacheUnavailable)):
                async with started(RedisCache(host=server.host, port=server.port, tls=True, timeout=TIMEOUT)):
                    pass

        with private(REDIS) as server:
            run(main())


class TestActivation(SwapCases):
    provider = Provider("cache", "redis", "redis", "host", {"host": "127.0.0.1", "port": "PORT"})
