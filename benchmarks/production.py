"""The shop in production, on real servers, swapped while orders come: `python -m benchmarks.production [--short]`.

Compiles the production profile, serves it as its users do, sends orders through the queue, each with a token of its
customer, and meanwhile swaps the cache (redis, memory, redis), the database (postgres, sqlite, postgres) and the
storage of receipts (s3, local, s3), and rotates a key in the vault. An order that fails once is a dead letter. Servers
that run already are used under names of our own, else those that are installed are started; what was made is removed.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from oneiric.adapters.queue.redis_streams import RedisStreamsQueue
from oneiric.adapters.storage.local import LocalStorage
from redis.asyncio import Redis

from benchmarks.command import main
from benchmarks.table import Row, Table
from tests.backends import seaweedfs
from tests.backends.bao import ROLE, SECRET_ID, Bao
from tests.backends.harness.kinds import BAO, FILES, POSTGRES, REDIS, S3_KEY, S3_SECRET, SEAWEEDFS
from tests.backends.harness.servers import Address, private, shared
from tests.backends.issuer import Files, sign

ROOT = Path(__file__).parents[1]
DEADLINE = 300.0
KEY = "CARD_API_KEY"
DOCUMENT = "shop/production"
"""Where the secrets are in the vault."""
SWAPS = (
    *(("swap", "cache", provider) for provider in ("memory", "redis")),
    *(("swap", "database", provider) for provider in ("sqlite", "postgres")),
    *(("swap", "storage", provider) for provider in ("local", "s3")),
    ("secrets", "rotate", KEY),
)
"""What is done while orders come."""
AT_ONCE = 50
"""Orders that are placed at the same time; twice as many are in the queue, so that its workers are always busy."""


@dataclass
class Seen:
    """What happened.

    `kept` are the numbers of the orders in each database, `receipts` how many each storage has, `logged` is what was
    logged but for information.
    """

    sent: int = 0
    dead: int = 0
    cached: int = 0
    kept: dict[str, set[int]] = field(default_factory=dict)
    receipts: dict[str, int] = field(default_factory=dict)
    swaps: list[tuple[str, float, int]] = field(default_factory=list)
    logged: list[str] = field(default_factory=list)
    code: int | None = None
    seconds: float = 0.0

    @property
    def lost(self) -> int:
        """Orders that are in no database; those placed twice count below zero."""
        return self.sent - sum(map(len, self.kept.values()))


@dataclass(frozen=True)
class Servers:
    redis: Address
    postgres: Address
    s3: Address
    vault: Address
    issuer: Files


class Shop:
    """The project in a folder of its own, with what production needs: servers, schemas, secrets."""

    def __init__(self, folder: Path, name: str, servers: Servers, at_once: int) -> None:
        self.folder, self.name, self.redis, self.postgres = folder, name, servers.redis, servers.postgres
        self.bucket, self.s3 = name.replace("_", "-"), servers.s3
        self.vault, self.issuer = Bao(servers.vault), servers.issuer
        self.at_once = at_once
        self.log = folder / "log"
        self.sqlite = folder / "orders.db"
        for part in ("settings", "shop"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        self.schema = (folder / "shop/schema.sql").read_text("utf-8")
        self.environment = {
            **os.environ,
            "SHOP_NAME": name,
            "SHOP_REDIS": f"redis://{self.redis.host}:{self.redis.port}/0",
            "SHOP_POSTGRES": f"postgresql://postgres@{self.postgres.host}:{self.postgres.port}/{name}",
            "SHOP_DATABASE": str(self.sqlite),
            "SHOP_FILES": str(folder / "files"),
            "SHOP_VAULT": self.vault.url,
            "SHOP_VAULT_ROLE": ROLE,
            "SHOP_VAULT_KEY": SECRET_ID,
            "SHOP_ISSUER": self.issuer.url,
            "SHOP_BUCKET": self.bucket,
            "SHOP_S3": seaweedfs.url(self.s3),
            "SHOP_S3_KEY": S3_KEY,
            "SHOP_AT_ONCE": str(at_once),
            "SHOP_ATTEMPTS": "1",
        }

    async def command(self, *arguments: str) -> tuple[int | None, str]:
        """One run of the command: its exit code, and what it said."""
        process = await self.start(*arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT)
        said, _ = await process.communicate()
        return process.returncode, said.decode()

    async def start(self, *arguments: str, **streams: Any) -> asyncio.subprocess.Process:
        line = (sys.executable, "-m", "oneiric_compiler", *arguments)
        return await asyncio.create_subprocess_exec(*line, cwd=self.folder, env=self.environment, **streams)

    async def succeed(self, *arguments: str) -> None:
        code, said = await self.command(*arguments)
        if code:
            raise RuntimeError(f"oneiric {' '.join(arguments)}: {said}")

    async def database(self, name: str) -> asyncpg.Connection:
        """A connection of the superuser, as soon as the server is ready."""
        while True:
            with suppress(asyncpg.CannotConnectNowError):
                return await asyncpg.connect(
                    host=self.postgres.host, port=self.postgres.port, user="postgres", password="", database=name
                )
            await asyncio.sleep(0.05)

    async def on_postgres(self, name: str, statement: str) -> list[asyncpg.Record]:
        connection = await self.database(name)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(statement)
            return rows
        finally:
            await connection.close()

    def keep_secrets(self, key: str) -> None:
        fields = {KEY: key, "DATABASE_PASSWORD": "not so secret", "S3_SECRET": S3_SECRET}
        self.vault.keep(fields, DOCUMENT)

    def tokens(self) -> list[str]:
        """One for each customer."""
        return [sign(self.issuer.claims(sub=f"customer {number}")) for number in range(self.at_once)]

    @asynccontextmanager
    async def prepared(self) -> AsyncGenerator[Redis, None]:
        """All that the shop finds; no database and no key is left. The client of the Redis server, for looking."""
        self.vault.let_in()
        self.keep_secrets("the first key")
        await seaweedfs.made_bucket(self.s3, self.bucket)
        async with Redis(host=self.redis.host, port=self.redis.port, decode_responses=True) as client:
            await self.on_postgres("postgres", f'CREATE DATABASE "{self.name}"')
            try:
                await self.on_postgres(self.name, self.schema)
                with closing(sqlite3.connect(self.sqlite)) as connection:
                    connection.executescript(self.schema)
                yield client
            finally:
                await self.on_postgres("postgres", f'DROP DATABASE "{self.name}" WITH (FORCE)')
                async for key in client.scan_iter(f"{self.name}:*", count=1000):
                    await client.unlink(key)

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[asyncio.subprocess.Process, None]:
        """`oneiric serve --profile production`, ready; killed afterwards if it still runs."""
        with self.log.open("wb") as log:
            process = await self.start("serve", "--profile", "production", stderr=log)
        try:
            while (await self.command("health"))[0]:
                if process.returncode is not None:
                    raise RuntimeError(f"it does not run:\n{self.log.read_text('utf-8')}")
            yield process
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()

    async def kept(self) -> dict[str, set[int]]:
        """The orders in each database."""
        rows = await self.on_postgres(self.name, "SELECT id FROM orders")
        with closing(sqlite3.connect(self.sqlite)) as connection:
            others = connection.execute("SELECT id FROM orders").fetchall()
        return {"postgres": {row["id"] for row in rows}, "sqlite": {number for (number,) in others}}

    async def receipts(self) -> dict[str, int]:
        """How many each storage has."""
        async with seaweedfs.client(self.s3) as s3:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix="receipts/")
            found = sum([len(page.get("Contents", ())) async for page in pages])
        local = LocalStorage(base_path=self.folder / "files")
        await local.start()
        return {"s3": found, "local": len([each async for each in local.list("receipts/")])}

    def logged(self) -> Iterator[str]:
        """What the process logged, but for information."""
        for line in self.log.read_text("utf-8").splitlines():
            with suppress(ValueError):
                if json.loads(line)["level"] == "info":
                    continue
            yield line


@contextmanager
def shop(at_once: int = AT_ONCE) -> Generator[Shop, None, None]:
    with ExitStack() as stack:
        issuer = stack.enter_context(private(FILES))
        servers = Servers(
            *(stack.enter_context(shared(kind)) for kind in (REDIS, POSTGRES, SEAWEEDFS, BAO)),
            Files(f"http://{issuer.host}:{issuer.port}", issuer.folder / "files", issuer.folder / "log"),
        )
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oneiric-")))
        yield Shop(folder, f"oneiric_shop_{uuid4().hex[:12]}", servers, at_once)


async def story(shop: Shop, orders: int, swaps: Sequence[tuple[str, ...]] = SWAPS) -> Seen:
    """The shop served, and swapped each time so many more orders are placed."""
    seen = Seen()
    stream = f"{shop.name}:orders"
    async with asyncio.timeout(DEADLINE), shop.prepared() as redis:
        await shop.succeed("compile", "--profile", "production")
        async with shop.served() as process, asyncio.TaskGroup() as tasks:
            begin = time.perf_counter()
            over = asyncio.Event()
            customers = tasks.create_task(_customers(shop, redis, stream, seen, over))
            await _placed(redis, stream, seen, orders)
            for command in swaps:
                if KEY in command:
                    shop.keep_secrets("another key")
                began, before = time.perf_counter(), seen.sent
                await shop.succeed(*command)
                seen.swaps.append((" ".join(command), time.perf_counter() - began, seen.sent - before))
                await _placed(redis, stream, seen, orders)
            over.set()
            await customers
            while await redis.xlen(stream):
                await asyncio.sleep(0.02)
            seen.seconds = time.perf_counter() - begin
            process.terminate()
            seen.code = await process.wait()
        seen.dead = await redis.xlen(f"{stream}:dead")
        seen.cached = len([key async for key in redis.scan_iter(f"{shop.name}:cache:*", count=1000)])
        seen.kept, seen.receipts = await shop.kept(), await shop.receipts()
        seen.logged = list(shop.logged())
    return seen


async def _customers(shop: Shop, redis: Redis, stream: str, seen: Seen, over: asyncio.Event) -> None:
    """Order as fast as the shop works, until it is over."""
    queue, tokens = RedisStreamsQueue(url=shop.environment["SHOP_REDIS"], stream=stream), shop.tokens()
    try:
        await queue.start()
        while not over.is_set():
            for _ in range(2 * shop.at_once - await redis.xlen(stream)):
                order = {"customer": tokens[seen.sent % shop.at_once], "articles": {"mug": 2, "sticker": 1}}
                await queue.publish(json.dumps(order).encode())
                seen.sent += 1
            await asyncio.sleep(0.005)
    finally:
        await queue.aclose()


async def _placed(redis: Redis, stream: str, seen: Seen, orders: int) -> None:
    """Wait until so many more orders are placed."""
    wanted = seen.sent + orders
    while seen.sent - await redis.xlen(stream) < wanted:
        await asyncio.sleep(0.02)


def tables(short: bool) -> Iterator[Table]:
    try:
        with shop() as made:
            seen = asyncio.run(story(made, 100 if short else 2000))
    except pytest.skip.Exception as missing:
        raise SystemExit(str(missing)) from None
    rows = [
        Row("orders sent, placed by 50 workers", "", [seen.sent]),
        Row("orders a second", "", [seen.sent / seen.seconds]),
        *(Row(f"orders kept in {name}", "", [len(kept)]) for name, kept in seen.kept.items()),
        *(Row(f"receipts in {name}", "", [count]) for name, count in seen.receipts.items()),
        Row("orders lost or placed twice", "", [abs(seen.lost)], target=0),
        Row("calls that failed: dead letters", "", [seen.dead], target=0),
        Row("warnings and errors logged", "", [len(seen.logged)], target=0),
        *(Row(f"{what}, {sent} orders meanwhile", "ms", [took * 1e3]) for what, took, sent in seen.swaps),
    ]
    yield Table("The shop in production: Redis, PostgreSQL, S3, a vault and tokens, swapped under load", "none", rows)
    for line in seen.logged[:5]:
        print(line, file=sys.stderr)


if __name__ == "__main__":
    main("production", tables)
