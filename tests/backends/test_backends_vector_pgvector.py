"""The vectors of a PostgreSQL server with the extension vector: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from oneiric import Secret
from oneiric.adapters.vector import (
    Point,
    VectorMisconfigured,
    VectorRefused,
    Vectors,
    VectorUnavailable,
)
from oneiric.adapters.vector.pgvector import PgVectors
from oneiric.testing.contracts import NetworkedVectorContract, VectorContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.contracts.vector import DIMENSION, EAST, NORTH, found

from tests.backends.activation import ActivationCases, Provider
from tests.backends.harness.kinds import PGVECTOR
from tests.backends.harness.servers import Address, Server, private
from tests.backends.pooled import Place
from tests.backends.postgres import admin, with_password

ONLY_THE_INDEX = ("enable_seqscan = off", "enable_bitmapscan = off", "enable_sort = off")
"""Settings of a database by which the index of vectors serves every query, however few points there are."""


@pytest.fixture(scope="module", name="place")
def a_database_of_its_own(pgvector: Address) -> Iterator[Place]:
    with made(pgvector) as place:
        yield place


@pytest.fixture(scope="module", name="indexed")
def another_where_only_the_index_serves(pgvector: Address) -> Iterator[Place]:
    with made(pgvector, *ONLY_THE_INDEX) as place:
        yield place


@contextmanager
def made(server: Address, *settings: str) -> Generator[Place, None, None]:
    place = Place(server.host, server.port, f"oneiric_test_{uuid4().hex}")
    admin(server, f"CREATE DATABASE {place.name}", *(f"ALTER DATABASE {place.name} SET {each}" for each in settings))
    try:
        yield place
    finally:
        admin(server, f"DROP DATABASE {place.name} WITH (FORCE)")


def vectors(place: Place, **settings: Any) -> PgVectors:
    settings = {"dimension": DIMENSION, "database": place.name, **settings}
    return PgVectors(host=place.host, port=place.port, **settings)


@asynccontextmanager
async def emptied(place: Place, **settings: Any) -> AsyncGenerator[PgVectors, None]:
    async with started(vectors(place, **settings)) as component:
        async with behind(place) as connection:
            await connection.execute(f"TRUNCATE {settings.get('table', 'oneiric_vectors')}")
        yield component


@asynccontextmanager
async def behind(place: Place) -> AsyncGenerator[asyncpg.Connection, None]:
    """A connection of the superuser."""
    connection = await asyncpg.connect(
        host=place.host, port=place.port, user="postgres", password="", database=place.name
    )
    try:
        yield connection
    finally:
        await connection.close()


class TestPgVectors(VectorContract):
    @pytest.fixture(autouse=True)
    def server(self, place: Place) -> None:
        self.place = place

    def fresh(self) -> AbstractAsyncContextManager[Vectors]:
        return emptied(self.place)


class TestPgVectorsByTheIndex(VectorContract):
    # what no index has a part in
    test_what_is_no_point_is_refused_and_nothing_is_changed = None
    test_what_is_no_filter_is_refused = None
    test_what_is_no_limit_is_refused = None
    test_what_is_no_namespace_is_refused = None

    @pytest.fixture(autouse=True)
    def server(self, indexed: Place) -> None:
        self.place = indexed

    def fresh(self) -> AbstractAsyncContextManager[Vectors]:
        return emptied(self.place, min_connections=0, max_connections=1)


class TestPgVectorsFaults(NetworkedVectorContract):
    @pytest.fixture(autouse=True)
    def server(self, place: Place) -> None:
        self.place = place
        prepare(place, place.name)

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.place)

    @contextmanager
    def private(self) -> Generator[Server, None, None]:
        with private(PGVECTOR) as server:
            admin(server, f"CREATE DATABASE {self.place.name}")
            prepare(server, self.place.name)
            yield server

    def component(self, host: str, port: int, user: str = "postgres", password: Secret | None = None) -> PgVectors:
        return PgVectors(
            host=host,
            port=port,
            user=user,
            password=password,
            database=self.place.name,
            dimension=DIMENSION,
            min_connections=1,
            max_connections=CONNECTIONS,
            connect_timeout=TIMEOUT,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
        )

    @contextmanager
    def refused(self) -> Generator[PgVectors, None, None]:
        with with_password(PGVECTOR, "another") as server:
            yield self.component(server.host, server.port, "somebody", Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], PgVectors]]]:
        def of(setting: str, **settings: Any) -> tuple[str, Callable[[], PgVectors]]:
            return setting, lambda: PgVectors(**{"dimension": DIMENSION, **settings})

        return [
            of("dimension", dimension=0),
            of("dimension", dimension=16_001),
            *(of("table", table=table) for table in ("", "Upper", "a b", 'a"b', "a.b", "t" * 41, "1a", "a\n")),
            of("url", url=f"mysql://u:{SECRET}@localhost"),
            of("url", url="postgresql://localhost/x", database="y"),
            of("url", url=f"postgresql://u:{SECRET}@localhost/x", password=Secret("b")),
            of("host", host=""),
            of("password", password=Secret(f"{SECRET}\ud800")),
            of("port", port=0),
            of("ca_file", ca_file=Path("ca.pem")),
            of("ca_file", tls=True, ca_file=Path(__file__)),
            of("min_connections", min_connections=2, max_connections=1),
            of("timeout", timeout=float("nan")),
        ]


def prepare(server: Address | Server, database: str) -> None:
    """Make the table, for which the timeouts of the faults are short."""

    async def main() -> None:
        place = Place(server.host, server.port, database)
        async with started(vectors(place)):
            pass

    run(main())


def test_a_table_of_another_dimension_is_refused(place: Place) -> None:
    async def main() -> None:
        async with started(vectors(place, table="other")):
            pass
        with pytest.raises(VectorMisconfigured, match="of table other have 3 numbers, not 4") as caught:
            async with started(vectors(place, table="other", dimension=4)):
                pass
        assert caught.value.setting == "dimension"

    run(main())


def test_a_table_that_is_something_else_is_refused_and_stays(place: Place) -> None:
    admin(place, "CREATE TABLE something (id text, embedding real[])", database=place.name)

    async def main() -> None:
        with pytest.raises(VectorMisconfigured, match="columns namespace text, id text") as caught:
            async with started(vectors(place, table="something")):
                pass
        assert caught.value.setting == "table"

    run(main())
    admin(place, "SELECT id, embedding FROM something", database=place.name)


def test_a_role_that_may_not_make_tables_uses_one_that_is_there(place: Place) -> None:
    role = f"role_{uuid4().hex}"

    async def main() -> None:
        async with emptied(place, table="given"):
            async with behind(place) as connection:
                await connection.execute(f"CREATE ROLE {role} LOGIN; GRANT ALL ON given TO {role}")
            async with started(vectors(place, table="given", user=role)) as component:
                await component.upsert([Point("a", EAST)])
                assert await found(component) == ["a"]
        with pytest.raises(VectorRefused) as caught:
            async with started(vectors(place, table="missing", user=role)):
                pass
        assert caught.value.setting == "user"

    try:
        run(main())
    finally:
        admin(place, f"DROP OWNED BY {role}", f"DROP ROLE {role}", database=place.name)


def test_an_extension_that_is_too_old_is_unavailable(pgvector: Address) -> None:
    with made(pgvector) as place:
        old = "UPDATE pg_extension SET extversion = '0.7.4' WHERE extname = 'vector'"
        admin(place, "CREATE EXTENSION vector", old, database=place.name)

        async def main() -> None:
            with pytest.raises(VectorUnavailable, match=r"vector is 0\.7\.4: 0\.8 or later is needed"):
                async with started(vectors(place)):
                    pass

        run(main())


def test_a_server_that_does_not_encrypt_is_refused(place: Place) -> None:
    async def main() -> None:
        with pytest.raises(VectorRefused, match="setting tls"):
            async with started(vectors(place, tls=True)):
                pass

    run(main())


def test_many_that_start_at_once_make_one_table(pgvector: Address) -> None:
    async def main(place: Place) -> None:
        async def use(number: int) -> None:
            async with started(vectors(place)) as component:
                await component.upsert([Point(f"{number}", EAST)])

        await asyncio.gather(*(use(number) for number in range(10)))
        async with started(vectors(place)) as component:
            assert len(await found(component)) == 10

    with made(pgvector) as place:
        run(main(place))


def test_an_index_that_gives_up_early_loses_nothing(indexed: Place) -> None:
    """A few points of a namespace, or that meet a filter, behind many that are nearer and of no interest."""

    async def main() -> None:
        async with behind(indexed) as connection:
            await connection.execute(f"ALTER DATABASE {indexed.name} SET hnsw.max_scan_tuples = 1")
        try:
            async with emptied(indexed) as component:
                chance = random.Random(7)
                near = [Point(f"{n}", [1, chance.random() / 100, 0], {"rare": False}) for n in range(500)]
                await component.upsert(near)
                far = [Point(f"far {n}", [-1, n / 100, 0], {"rare": True}) for n in range(5)]
                await component.upsert(far)
                await component.upsert(far, namespace="small")
                wanted = [f"far {n}" for n in (4, 3, 2, 1, 0)]
                assert await found(component, {"rare": True}) == wanted
                assert await found(component, {"rare": True}, limit=5) == wanted
                assert await found(component, namespace="small") == wanted
        finally:
            async with behind(indexed) as connection:
                await connection.execute(f"ALTER DATABASE {indexed.name} RESET hnsw.max_scan_tuples")

    run(main())


def test_vectors_that_are_too_long_for_an_index_are_found_without(place: Place) -> None:
    async def main() -> None:
        async with emptied(place, table="long", dimension=2001) as component:
            east, north = [1.0] + [0.0] * 2000, [0.0, 1.0] + [0.0] * 1999
            await component.upsert([Point("east", east), Point("north", north)])
            assert [match.id for match in await component.query(north)] == ["north", "east"]

    run(main())


def test_a_filter_of_very_many_values_is_taken(place: Place) -> None:
    async def main() -> None:
        async with emptied(place) as component:
            await component.upsert([Point("a", EAST, {"n": 19_999}), Point("b", EAST, {"n": -1})])
            assert await found(component, {"n": {"in": list(range(20_000))}}) == ["a"]

    run(main())


def test_a_call_that_waits_too_long_is_ended_on_the_server_and_gives_its_connection_back(place: Place) -> None:
    async def main() -> None:
        async with emptied(place, max_connections=1, timeout=0.2) as component, behind(place) as connection:
            async with connection.transaction():
                await connection.execute("LOCK TABLE oneiric_vectors")
                with pytest.raises(VectorUnavailable, match="setting timeout"):
                    await component.upsert([Point("a", EAST)])
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await component.upsert([Point("b", EAST)])
                running = (
                    "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%INSERT%' AND pid <> pg_backend_pid()"
                )
                assert await connection.fetchval(f"{running} AND state = 'active' AND datname = '{place.name}'") == 0
            assert await component.health()
            assert await found(component) == []

    run(main())


def test_who_changes_the_same_points_at_once_waits_and_never_fails(place: Place) -> None:
    async def main() -> None:
        async with emptied(place) as component:
            ids = [f"{number}" for number in range(20)]

            async def change(number: int) -> None:
                mixed = random.Random(number).sample(ids, len(ids))
                await component.upsert([Point(id, NORTH) for id in mixed])
                await component.delete(mixed[:10])
                await component.clear()

            await asyncio.gather(*(change(number) for number in range(30)))

    run(main())


class TestActivation(ActivationCases):
    provider = Provider(
        "vector",
        "pgvector",
        "asyncpg",
        "url",
        {"url": "postgresql://postgres@127.0.0.1:PORT/postgres", "dimension": 3},
    )
