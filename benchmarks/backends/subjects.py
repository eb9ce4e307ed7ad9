"""What is compared: providers, each with a server and the client it uses.

A provider is a function of `PROVIDERS`: it starts a server of its own, or takes one, and yields what to compare.
Of the providers of `STARTED` only the first use is measured: their calls reach no server, or do not wait for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeAlias

import aio_pika
import aiohttp
import aiomysql  # pyright: ignore[reportMissingTypeStubs]
import asyncpg
import httpx
from azure.storage.blob.aio import ContainerClient
from nats.aio.client import Client as NATSClient
from nats.js.api import ConsumerConfig, RetentionPolicy
from oneiric.adapters.vector import Point
from redis.asyncio import Redis

from benchmarks.measure import DEADLINE
from tests.backends import azurite, google_storage, seaweedfs
from tests.backends.bao import PATH, ROOT, Bao
from tests.backends.harness.kinds import (
    AZURITE,
    BAO,
    FAKE_GCS,
    HTTP,
    MARIADB,
    NATS,
    PGVECTOR,
    POSTGRES,
    RABBITMQ,
    REDIS,
    S3_KEY,
    S3_SECRET,
    SEAWEEDFS,
)
from tests.backends.harness.receivers import OTLPOverGRPC, OTLPOverHTTP, SentryReceiver
from tests.backends.harness.servers import private

VALUE = bytes(range(256)) * 4
OBJECTS = 500  # many more than a component keeps clients of
POINTS, DIMENSION = 1000, 384  # as many numbers as small models of embeddings give

Call: TypeAlias = Callable[[], Awaitable[object]]


async def nothing(times: int) -> None:
    """Needs no preparation."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One operation: through the component, and as its client's users write it; `prepare` it for so many calls."""

    what: str
    ours: Call
    raw: Call
    prepare: Callable[[int], Awaitable[object]] = nothing


class Chosen(NamedTuple):
    """A provider as an application chooses it, with its settings."""

    key: str
    provider: str
    settings: dict[str, object]


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider with a server: what to compare, and how an application is told to use it.

    `address` is where the server listens, `settings` gives the provider's for such an address; `call` is an
    operation on a component or a handle.
    """

    key: str
    provider: str
    address: tuple[str, int]
    settings: Callable[[str, int], dict[str, object]]
    call: Callable[[Any], Awaitable[object]]
    pairs: Callable[[Any], AbstractAsyncContextManager[Sequence[Pair]]]

    def chosen(self, host: str, port: int) -> Chosen:
        return Chosen(self.key, self.provider, self.settings(host, port))


def redis_cache() -> Iterator[Subject]:
    with private(REDIS) as server:

        @asynccontextmanager
        async def pairs(cache: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with Redis(host=server.host, port=server.port, socket_timeout=5, socket_connect_timeout=5) as client:
                await client.set("cache:key", VALUE)
                yield [
                    Pair("get of 1 KiB", lambda: cache.get("key"), lambda: client.get("cache:key")),
                    Pair(
                        "set of 1 KiB with a ttl",
                        lambda: cache.set("key", VALUE, ttl=60),
                        lambda: client.set("cache:key", VALUE, px=60_000),
                    ),
                ]

        yield Subject(
            "cache",
            "redis",
            (server.host, server.port),
            lambda host, port: {"host": host, "port": port},
            lambda cache: cache.get("key"),
            pairs,
        )


def redis_queue() -> Iterator[Subject]:
    with private(REDIS) as server:

        @asynccontextmanager
        async def pairs(queue: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with Redis(host=server.host, port=server.port, socket_timeout=5, socket_connect_timeout=5) as client:
                await client.xgroup_create("raw", "workers", "0", mkstream=True)

                async def consume_raw() -> None:
                    [[_, [[identity, _]]]] = await client.xreadgroup(
                        "workers", "one", {"raw": ">"}, count=1, block=5000
                    )
                    async with client.pipeline(transaction=True) as pipeline:
                        pipeline.xack("raw", "workers", identity)
                        pipeline.xdel("raw", identity)
                        await pipeline.execute()

                async def publish_raw() -> None:
                    await client.xadd("raw", {"body": VALUE})

                async def fill(times: int) -> None:
                    for _ in range(times):
                        await asyncio.gather(queue.publish(VALUE), publish_raw())

                yield [
                    Pair("publish of 1 KiB", lambda: queue.publish(VALUE), publish_raw),
                    Pair("consume of 1 KiB, acknowledged", lambda: consume(queue), consume_raw, fill),
                ]

        yield Subject(
            "queue",
            "redis-streams",
            (server.host, server.port),
            lambda host, port: {"url": f"redis://{host}:{port}"},
            lambda queue: queue.publish(b"x"),
            pairs,
        )


def nats_queue() -> Iterator[Subject]:
    with private(NATS) as server:

        @asynccontextmanager
        async def pairs(queue: Any) -> AsyncGenerator[Sequence[Pair], None]:
            client = NATSClient()
            await client.connect(f"nats://{server.host}:{server.port}")
            stream = client.jetstream()
            await stream.add_stream(name="raw", subjects=["raw.messages"], retention=RetentionPolicy.WORK_QUEUE)
            puller = await stream.pull_subscribe(
                "raw.messages", "worker", "raw", config=ConsumerConfig(max_ack_pending=-1)
            )

            turn = asyncio.Lock()  # fetches at once take each other's answers

            async def consume_raw() -> None:
                async with turn:
                    [message] = await puller.fetch(1, timeout=5)
                await message.ack_sync(timeout=5)

            async def publish_raw() -> None:
                await stream.publish("raw.messages", VALUE, timeout=5)

            async def fill(times: int) -> None:
                for _ in range(times):
                    await asyncio.gather(queue.publish(VALUE), publish_raw())

            try:
                yield [
                    Pair("publish of 1 KiB", lambda: queue.publish(VALUE), publish_raw),
                    Pair("consume of 1 KiB, acknowledged", lambda: consume(queue), consume_raw, fill),
                ]
            finally:
                await client.close()

        yield Subject(
            "queue",
            "nats",
            (server.host, server.port),
            lambda host, port: {"servers": [f"nats://{host}:{port}"]},
            lambda queue: queue.publish(b"x"),
            pairs,
        )


def rabbitmq_queue() -> Iterator[Subject]:
    with private(RABBITMQ) as server:

        @asynccontextmanager
        async def pairs(queue: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with await aio_pika.connect(host=server.host, port=server.port) as client:
                channel = await client.channel()
                arguments: Any = {"x-queue-type": "quorum"}
                raw = await channel.declare_queue("raw", durable=True, arguments=arguments)

                async def consume_raw() -> None:
                    message = await raw.get(timeout=5)
                    await message.ack()
                    await channel.declare_queue("raw", passive=True)  # what has an answer, which `ack` has not

                async def publish_raw() -> None:
                    await channel.default_exchange.publish(aio_pika.Message(VALUE, delivery_mode=2), "raw", timeout=5)

                async def fill(times: int) -> None:
                    for _ in range(times):
                        await asyncio.gather(queue.publish(VALUE), publish_raw())

                yield [
                    Pair("publish of 1 KiB", lambda: queue.publish(VALUE), publish_raw),
                    Pair("consume of 1 KiB, acknowledged", lambda: consume(queue), consume_raw, fill),
                ]

        yield Subject(
            "queue",
            "rabbitmq",
            (server.host, server.port),
            lambda host, port: {"url": f"amqp://{host}:{port}"},
            lambda queue: queue.publish(b"x"),
            pairs,
        )


def postgres_database() -> Iterator[Subject]:
    with private(POSTGRES) as server:
        place: dict[str, Any] = {"host": server.host, "port": server.port, "user": "postgres", "database": "postgres"}
        asyncio.run(_ready(lambda: asyncpg.connect(**place, password="")))

        @asynccontextmanager
        async def pairs(database: Any) -> AsyncGenerator[Sequence[Pair], None]:
            await database.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, body VARCHAR(100))")
            await database.execute("INSERT INTO items VALUES (7, 'seven')")
            async with asyncpg.create_pool(**place, password="", command_timeout=30) as pool:
                yield _statements(
                    database,
                    lambda: pool.fetch("SELECT id, body FROM items WHERE id = $1", 7),
                    lambda: pool.execute("UPDATE items SET body = $1 WHERE id = $2", "seven", 7),
                )

        yield Subject(
            "database",
            "postgres",
            (server.host, server.port),
            lambda host, port: {"host": host, "port": port},
            lambda database: database.fetch("SELECT 1 AS one"),
            pairs,
        )


def mysql_database() -> Iterator[Subject]:
    with private(MARIADB) as server:
        place: dict[str, Any] = {"host": server.host, "port": server.port, "user": "root", "autocommit": True}
        asyncio.run(_ready(lambda: aiomysql.connect(**place)))

        @asynccontextmanager
        async def pairs(database: Any) -> AsyncGenerator[Sequence[Pair], None]:
            await database.execute("CREATE DATABASE raw")
            await database.execute("CREATE TABLE raw.items (id INTEGER PRIMARY KEY, body VARCHAR(100))")
            await database.execute("INSERT INTO raw.items VALUES (7, 'seven')")
            async with aiomysql.create_pool(**place, maxsize=5) as pool:

                async def run_raw(sql: str, *parameters: object) -> object:
                    async with pool.acquire() as connection, connection.cursor(aiomysql.DictCursor) as cursor:
                        await cursor.execute(sql, parameters)
                        return await cursor.fetchall()

                yield _statements(
                    database,
                    lambda: run_raw("SELECT id, body FROM raw.items WHERE id = %s", 7),
                    lambda: run_raw("UPDATE raw.items SET body = %s WHERE id = %s", "seven", 7),
                    "raw.items",
                )

        yield Subject(
            "database",
            "mysql",
            (server.host, server.port),
            lambda host, port: {"host": host, "port": port},
            lambda database: database.fetch("SELECT 1 AS one"),
            pairs,
        )


def _statements(database: Any, fetch: Call, execute: Call, table: str = "items") -> Sequence[Pair]:
    select, update = f"SELECT id, body FROM {table} WHERE id = ?", f"UPDATE {table} SET body = ? WHERE id = ?"
    return [
        Pair("fetch of a row (the client: of its pool)", lambda: database.fetch(select, (7,)), fetch),
        Pair("execute of an update (the same)", lambda: database.execute(update, ("seven", 7)), execute),
    ]


async def _ready(connect: Callable[[], Awaitable[Any]]) -> None:
    """A server may listen before it answers."""
    async with asyncio.timeout(DEADLINE):
        while True:
            try:
                connection = await connect()
            except (asyncpg.CannotConnectNowError, OSError):
                await asyncio.sleep(0.02)
            else:
                connection.terminate() if hasattr(connection, "terminate") else connection.close()
                return


def http(provider: str, raw: Callable[[str], AbstractAsyncContextManager[Call]]) -> Iterator[Subject]:
    with private(HTTP) as server:
        url = f"http://{server.host}:{server.port}"

        @asynccontextmanager
        async def pairs(client: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with raw(f"{url}/") as get:
                yield [Pair("get", lambda: client.get("/"), get)]

        yield Subject(
            "http",
            provider,
            (server.host, server.port),
            lambda host, port: {"base_url": f"http://{host}:{port}"},
            lambda client: client.get("/"),
            pairs,
        )


# The clients' own timeouts stay on, and their pools keep a connection for each user, as ours do. Attempts, the breaker
# and the end of a body that is too large have no counterpart there.


@asynccontextmanager
async def raw_aiohttp(url: str) -> AsyncGenerator[Call, None]:
    async with aiohttp.ClientSession() as session:

        async def get() -> bytes:
            async with session.get(url) as response:
                return await response.read()

        yield get


@asynccontextmanager
async def raw_httpx(url: str) -> AsyncGenerator[Call, None]:
    async with httpx.AsyncClient(limits=httpx.Limits(max_keepalive_connections=100)) as client:

        async def get() -> bytes:
            return (await client.get(url)).content

        yield get


def vault_secrets() -> Iterator[Subject]:
    with private(BAO) as server:
        bao = Bao(server)
        bao.keep({"api_key": "hunter2"})
        url = f"{bao.url}/v1/secret/data/{PATH}"

        @asynccontextmanager
        async def pairs(secrets: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with aiohttp.ClientSession(headers={"x-vault-token": ROOT}) as session:

                async def get() -> str:
                    async with session.get(url) as response:
                        text: str = (await response.json())["data"]["data"]["api_key"]
                        return text

                yield [Pair("get", lambda: secrets.get("api_key"), get)]

        os.environ["BENCHMARK_VAULT_TOKEN"] = ROOT
        yield Subject(
            "secrets",
            "vault",
            (server.host, server.port),
            lambda host, port: {
                "url": f"http://{host}:{port}",
                "path": PATH,
                "token": "${BENCHMARK_VAULT_TOKEN}",
                "cache_ttl": 0,  # or nothing is asked
            },
            lambda secrets: secrets.get("api_key"),
            pairs,
        )


def azure_storage() -> Iterator[Subject]:
    with private(AZURITE) as server:
        os.environ["ONEIRIC_SECRET_BENCHMARK_AZURE"] = azurite.KEY
        with azurite.client(server, "objects") as made:
            made.create_container()

        @asynccontextmanager
        async def pairs(storage: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with ContainerClient(azurite.url(server), "objects", credential=azurite.CREDENTIAL) as client:
                blob = client.get_blob_client("raw")  # kept, which costs its user more thought than a name
                names, raw_names = (
                    cycle([f"{side}/{number}" for number in range(OBJECTS)]) for side in ("ours", "raw")
                )

                async def get_raw() -> bytes:
                    return await (await blob.download_blob()).readall()

                async def get_raw_by_name() -> bytes:
                    return await (await client.download_blob(next(raw_names))).readall()

                await asyncio.gather(storage.put("name", VALUE), blob.upload_blob(VALUE))
                for _ in range(OBJECTS):
                    await asyncio.gather(storage.put(next(names), VALUE), client.upload_blob(next(raw_names), VALUE))
                yield [
                    Pair("get of 1 KiB", lambda: storage.get("name"), get_raw),
                    Pair(f"get of one of {OBJECTS} objects", lambda: storage.get(next(names)), get_raw_by_name),
                    Pair(
                        "put of 1 KiB",
                        lambda: storage.put("name", VALUE),
                        lambda: blob.upload_blob(VALUE, overwrite=True),
                    ),
                ]

        yield Subject(
            "storage",
            "azure-blob",
            (server.host, server.port),
            lambda host, port: {
                "account_url": f"http://{host}:{port}/{azurite.ACCOUNT}",
                "credential": "${ONEIRIC_SECRET_BENCHMARK_AZURE}",
                "container": "objects",
            },
            lambda storage: storage.get("name"),
            pairs,
        )


def s3_storage() -> Iterator[Subject]:
    with private(SEAWEEDFS) as server:
        os.environ["ONEIRIC_SECRET_BENCHMARK_S3"] = S3_SECRET
        asyncio.run(seaweedfs.made_bucket(server, "objects"))

        @asynccontextmanager
        async def pairs(storage: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with seaweedfs.client(server) as client:

                async def get_raw() -> bytes:
                    answer = await client.get_object(Bucket="objects", Key="raw")
                    async with answer["Body"] as body:
                        data: bytes = await body.read()
                        return data

                async def put_raw() -> None:
                    await client.put_object(Bucket="objects", Key="raw", Body=VALUE)

                await asyncio.gather(storage.put("name", VALUE), put_raw())
                yield [
                    Pair("get of 1 KiB", lambda: storage.get("name"), get_raw),
                    Pair("put of 1 KiB", lambda: storage.put("name", VALUE), put_raw),
                ]

        yield Subject(
            "storage",
            "s3",
            (server.host, server.port),
            lambda host, port: {
                "endpoint_url": f"http://{host}:{port}",
                "access_key_id": S3_KEY,
                "secret_access_key": "${ONEIRIC_SECRET_BENCHMARK_S3}",
                "bucket": "objects",
            },
            lambda storage: storage.get("name"),
            pairs,
        )


def gcs_storage() -> Iterator[Subject]:
    with private(FAKE_GCS) as server:
        google_storage.make_bucket(server, "objects")
        url = google_storage.url(server)

        @asynccontextmanager
        async def pairs(storage: Any) -> AsyncGenerator[Sequence[Pair], None]:
            async with aiohttp.ClientSession() as session:

                async def get_raw() -> bytes:
                    async with session.get(f"{url}/storage/v1/b/objects/o/raw?alt=media") as answer:
                        return await answer.read()

                async def put_raw() -> None:
                    path = "/upload/storage/v1/b/objects/o?uploadType=multipart"
                    with aiohttp.MultipartWriter("related") as body:
                        body.append_json({"name": "raw", "contentType": "application/octet-stream"})
                        body.append(VALUE)
                    async with session.post(url + path, data=body) as answer:
                        await answer.read()

                await asyncio.gather(storage.put("name", VALUE), put_raw())
                yield [
                    Pair("get of 1 KiB", lambda: storage.get("name"), get_raw),
                    Pair("put of 1 KiB", lambda: storage.put("name", VALUE), put_raw),
                ]

        yield Subject(
            "storage",
            "gcs",
            (server.host, server.port),
            lambda host, port: {"endpoint_url": f"http://{host}:{port}", "bucket": "objects"},
            lambda storage: storage.get("name"),
            pairs,
        )


def pgvector() -> Iterator[Subject]:
    with private(PGVECTOR) as server:
        place: dict[str, Any] = {"host": server.host, "port": server.port, "user": "postgres", "database": "postgres"}
        asyncio.run(_ready(lambda: asyncpg.connect(**place, password="")))
        chance = random.Random(7)
        points = [
            Point(f"{n}", [chance.gauss(0, 1) for _ in range(DIMENSION)], {"lang": ("de", "en")[n % 2], "page": n})
            for n in range(POINTS)
        ]
        asked, where = points[7].vector, {"lang": "de"}
        nearest = """
            SELECT id, metadata, 1 - (embedding <=> $1) AS score FROM oneiric_vectors
            WHERE namespace = '' {} ORDER BY embedding <=> $1 LIMIT 10
        """
        upsert = """
            INSERT INTO oneiric_vectors VALUES ('', $1, $2, $3) ON CONFLICT (namespace, id)
            DO UPDATE SET embedding = excluded.embedding, metadata = excluded.metadata
        """

        @asynccontextmanager
        async def pairs(vectors: Any) -> AsyncGenerator[Sequence[Pair], None]:
            await vectors.upsert(points)
            settings = {**place, "server_settings": {"hnsw.iterative_scan": "relaxed_order"}, "init": _knows_vectors}
            async with asyncpg.create_pool(**settings, password="", command_timeout=30) as pool:

                async def query_raw(sql: str, *arguments: object) -> object:
                    rows = await pool.fetch(sql, asked, *arguments)
                    return [(row["id"], row["score"], json.loads(row["metadata"])) for row in rows]

                filtered = nearest.format("AND metadata @> $2")
                contained = json.dumps(where)
                yield [
                    Pair(
                        f"query of {POINTS} points (the client: of its pool)",
                        lambda: vectors.query(asked),
                        lambda: query_raw(nearest.format("")),
                    ),
                    Pair(
                        "query with a filter that half of them meet (the same)",
                        lambda: vectors.query(asked, where=where),
                        lambda: query_raw(filtered, contained),
                    ),
                    Pair(
                        "upsert of a point (the same)",
                        lambda: vectors.upsert(points[:1]),
                        lambda: pool.execute(upsert, "0", points[0].vector, json.dumps(points[0].metadata)),
                    ),
                ]

        yield Subject(
            "vector",
            "pgvector",
            (server.host, server.port),
            lambda host, port: {"host": host, "port": port, "dimension": DIMENSION},
            lambda vectors: vectors.query(asked),
            pairs,
        )


async def _knows_vectors(connection: Any) -> None:
    """The type vector as the package `pgvector` teaches it to the client: in binary, so that no plan converts it."""

    def encoded(vector: Sequence[float]) -> bytes:
        return struct.pack(f">HH{len(vector)}f", len(vector), 0, *vector)

    def decoded(data: bytes) -> tuple[float, ...]:
        return struct.unpack_from(f">{len(data) // 4 - 1}f", data, 4)

    await connection.set_type_codec("vector", schema="public", encoder=encoded, decoder=decoded, format="binary")


async def consume(queue: Any) -> None:
    async with queue.consume(wait=5) as message:
        assert message is not None


def embedded() -> Iterator[Chosen]:
    with TemporaryDirectory() as folder:
        yield Chosen("cache", "memory", {})
        yield Chosen("queue", "memory", {})
        yield Chosen("database", "sqlite", {})
        yield Chosen("database", "duckdb", {})
        yield Chosen("storage", "local", {"base_path": folder})
        yield Chosen("secrets", "env", {})
        yield Chosen("secrets", "file", {"path": folder, "format": "directory"})


def sentry() -> Iterator[Chosen]:
    with SentryReceiver() as receiver:
        os.environ["ONEIRIC_SECRET_BENCHMARK_SENTRY"] = f"http://key@{receiver.host}:{receiver.port}/1"
        yield Chosen("monitoring", "sentry", {"dsn": "${ONEIRIC_SECRET_BENCHMARK_SENTRY}"})


def logfire() -> Iterator[Chosen]:
    with OTLPOverHTTP() as receiver:
        os.environ["ONEIRIC_SECRET_BENCHMARK_LOGFIRE"] = "token"
        base_url = f"http://{receiver.host}:{receiver.port}"
        yield Chosen("monitoring", "logfire", {"token": "${ONEIRIC_SECRET_BENCHMARK_LOGFIRE}", "base_url": base_url})


def otel_otlp() -> Iterator[Chosen]:
    with OTLPOverGRPC() as receiver:
        yield Chosen("monitoring", "otel-otlp", {"endpoint": f"http://{receiver.host}:{receiver.port}"})


HTTP_CLIENTS = (partial(http, "aiohttp", raw_aiohttp), partial(http, "httpx", raw_httpx))
PROVIDERS = (
    redis_cache,
    redis_queue,
    nats_queue,
    rabbitmq_queue,
    postgres_database,
    mysql_database,
    *HTTP_CLIENTS,
    vault_secrets,
    azure_storage,
    s3_storage,
    gcs_storage,
    pgvector,
)
STARTED = (embedded, sentry, logfire, otel_otlp)
