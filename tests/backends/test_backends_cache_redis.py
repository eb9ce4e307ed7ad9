"""The cache in a Redis server: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from oneiric import Secret
from oneiric.adapters.cache import Cache, CacheRefused, CacheUnavailable
from oneiric.adapters.cache.redis import RedisCache
from oneiric.testing.contracts import CacheContract, NetworkedCacheContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
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


class TestRedisCacheFaults(NetworkedCacheContract):
    redis: Address

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
            max_connections=CONNECTIONS,
            key_prefix=f"test:{uuid4().hex}:",
            default_ttl=60.0,
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
        ]


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


def test_more_entries_than_one_command_clears_are_cleared(redis: Address) -> None:
    async def main() -> None:
        async with emptied(RedisCache(host=redis.host, port=redis.port, key_prefix=prefix())) as cache:
            for start in range(0, 2500, 50):
                await asyncio.gather(*(cache.set(f"key{number}", b"") for number in range(start, start + 50)))
            await cache.clear()
            assert not any(await asyncio.gather(*(cache.exists(f"key{number}") for number in range(2500))))

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
