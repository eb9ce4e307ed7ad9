"""The database of a PostgreSQL server: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    contextmanager,
    nullcontext,
    suppress,
)
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from oneiric import Secret
from oneiric.adapters.database import (
    Database,
    DatabaseMisconfigured,
    DatabaseRefused,
    DatabaseUnavailable,
    IntegrityError,
    QueryError,
    TransactionConflict,
)
from oneiric.adapters.database.postgres import PostgresDatabase
from oneiric.testing.contracts import DatabaseContract, NetworkedDatabaseContract, started
from oneiric.testing.contracts.database import USES
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import POSTGRES
from tests.backends.harness.servers import Address, Server, private
from tests.backends.pooled import EncryptionCases, Place, PoolCases
from tests.backends.postgres import admin, with_password
from tests.docs.test_docs_schema import migrated, shown


@pytest.fixture(scope="module", name="place")
def a_database_of_its_own(postgres: Address) -> Iterator[Place]:
    place = Place(postgres.host, postgres.port, f"oneiric_test_{uuid4().hex}")
    admin(place, f"CREATE DATABASE {place.name}")
    try:
        yield place
    finally:
        admin(place, f"DROP DATABASE {place.name} WITH (FORCE)")


@pytest.fixture(autouse=True)
def an_empty_one(request: pytest.FixtureRequest, place: Place) -> None:
    admin(place, "DROP SCHEMA public CASCADE; CREATE SCHEMA public", USES, database=place.name)
    if request.instance is not None:
        request.instance.place = place


def database(place: Place, **settings: object) -> PostgresDatabase:
    settings = {"database": place.name, **settings}
    return PostgresDatabase(host=place.host, port=place.port, **settings)  # type: ignore[arg-type]


class TestPostgres(DatabaseContract):
    place: Place
    blob = "BYTEA"

    def fresh(self) -> AbstractAsyncContextManager[Database]:
        return started(database(self.place))


class TestPostgresOfOneConnection(DatabaseContract):
    place: Place
    blob = "BYTEA"

    def fresh(self) -> AbstractAsyncContextManager[Database]:
        url = f"postgresql://postgres@{self.place.host}:{self.place.port}/{self.place.name}"
        return started(PostgresDatabase(url=url, min_connections=0, max_connections=1))


class TestPostgresFaults(NetworkedDatabaseContract):
    place: Place

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.place)

    @contextmanager
    def private(self) -> Generator[Server, None, None]:
        with private(POSTGRES) as server:
            admin(server, f"CREATE DATABASE {self.place.name}")
            admin(server, USES, database=self.place.name)
            yield server

    def component(
        self, host: str, port: int, user: str = "postgres", password: Secret | None = None
    ) -> PostgresDatabase:
        return PostgresDatabase(
            host=host,
            port=port,
            user=user,
            password=password,
            database=self.place.name,
            min_connections=1,
            max_connections=CONNECTIONS,
            connect_timeout=TIMEOUT,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
        )

    @contextmanager
    def refused(self) -> Generator[PostgresDatabase, None, None]:
        with with_password(POSTGRES, "another") as server:
            yield self.component(server.host, server.port, "somebody", Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], PostgresDatabase]]]:
        return [
            ("url", lambda: PostgresDatabase(url=f"mysql://u:{SECRET}@localhost")),
            ("url", lambda: PostgresDatabase(url="postgresql://localhost:99999/x")),
            ("url", lambda: PostgresDatabase(url="postgresql:///x")),
            ("url", lambda: PostgresDatabase(url="postgresql://localhost/x/y")),
            ("url", lambda: PostgresDatabase(url="postgresql://localhost/x?sslmode=disable")),
            ("url", lambda: PostgresDatabase(url="host=localhost dbname=x")),
            ("url", lambda: PostgresDatabase(url="postgresql://localhost/x", database="y")),
            ("url", lambda: PostgresDatabase(url=f"postgresql://u:{SECRET}@localhost/x", password=Secret("b"))),
            ("url", lambda: PostgresDatabase(url="postgresql://localhost:0/x")),
            ("url", lambda: PostgresDatabase(url="postgresql://localhost/a%00b")),
            ("host", lambda: PostgresDatabase(host="")),
            ("user", lambda: PostgresDatabase(user="\ud800")),
            ("password", lambda: PostgresDatabase(password=Secret(f"{SECRET}\ud800"))),
            ("user", lambda: PostgresDatabase(user="")),
            ("database", lambda: PostgresDatabase(database="a\0b")),
            ("port", lambda: PostgresDatabase(port=0)),
            ("ca_file", lambda: PostgresDatabase(ca_file=Path("ca.pem"))),
            ("ca_file", lambda: PostgresDatabase(tls=True, ca_file=Path("/no/such/ca.pem"))),
            ("ca_file", lambda: PostgresDatabase(tls=True, ca_file=Path(__file__))),
            ("min_connections", lambda: PostgresDatabase(min_connections=-1)),
            ("min_connections", lambda: PostgresDatabase(min_connections=2, max_connections=1)),
            ("max_connections", lambda: PostgresDatabase(max_connections=0)),
            ("connect_timeout", lambda: PostgresDatabase(connect_timeout=0)),
            ("timeout", lambda: PostgresDatabase(timeout=float("nan"))),
            ("healthcheck_timeout", lambda: PostgresDatabase(healthcheck_timeout=-1)),
        ]


class TestPostgresPool(PoolCases):
    place: Place
    sleep = "SELECT pg_sleep(100)"
    sleeping = "SELECT count(*) AS c FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"

    def database(self, **settings: object) -> PostgresDatabase:
        return database(self.place, **settings)


def test_a_password_that_has_expired_is_refused() -> None:
    async def main() -> None:
        ok = PostgresDatabase(host=server.host, port=server.port, user="somebody", password=Secret(SECRET))
        async with started(ok):
            pass
        await asyncio.to_thread(admin, server, "ALTER ROLE somebody VALID UNTIL '2001-01-01'")
        with pytest.raises(DatabaseRefused, match="setting password"):
            async with started(ok):
                pass

    with with_password(POSTGRES, SECRET) as server:
        run(main())


def test_the_environment_of_the_process_says_nothing(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in {"HOST": "no-such-host.invalid", "USER": "nobody", "SSLMODE": "require", "PASSWORD": "x"}.items():
        monkeypatch.setenv(f"PG{name}", text)

    async def main() -> None:
        async with started(database(place)) as postgres:
            assert await postgres.health()

    run(main())


def test_what_the_role_may_not_do_is_refused(place: Place) -> None:
    role = f"role_{uuid4().hex}"

    async def main() -> None:
        async with started(database(place, user=role)) as postgres:
            with pytest.raises(DatabaseRefused):
                await postgres.fetch("SELECT * FROM uses")

    admin(place, f"CREATE ROLE {role} LOGIN", f"GRANT USAGE ON SCHEMA public TO {role}", database=place.name)
    try:
        run(main())
    finally:
        admin(place, f"DROP OWNED BY {role}", f"DROP ROLE {role}", database=place.name)


class TestPostgresEncryption(EncryptionCases):
    encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

    def component(self, host: str, port: int, **settings: object) -> PostgresDatabase:
        return PostgresDatabase(host=host, port=port, **settings)  # type: ignore[arg-type]

    @contextmanager
    def server(self, authority: Authority) -> Generator[Server, None, None]:
        def prepare(program: str, folder: Path) -> None:
            POSTGRES.prepare(program, folder)
            authority.write_for("127.0.0.1", folder / "server.crt", folder / "server.key")
            shutil.chown(folder / "server.key", folder.owner())

        def program(program: str, folder: Path, port: int) -> Sequence[str]:
            options = ("ssl=on", f"ssl_cert_file={folder}/server.crt", f"ssl_key_file={folder}/server.key")
            return [*POSTGRES.program(program, folder, port), *(part for each in options for part in ("-c", each))]

        with private(replace(POSTGRES, prepare=prepare, program=program)) as server:
            admin(server)
            yield server

    def test_a_server_that_does_not_encrypt_is_refused(self, place: Place, tmp_path: Path) -> None:
        async def main() -> None:
            with pytest.raises(DatabaseRefused, match="setting tls"):
                async with started(database(place, tls=True, ca_file=Authority().write(tmp_path / "ca.pem"))):
                    pass

        run(main())


def test_what_a_statement_sets_does_not_last(place: Place) -> None:
    async def main() -> None:
        async with started(database(place, max_connections=1)) as postgres:
            await postgres.execute("SET search_path TO nowhere")
            await postgres.execute("CREATE TEMPORARY TABLE uses (id INTEGER)")
            async with postgres.transaction() as transaction:
                await transaction.execute("SET search_path TO nowhere")
            assert await postgres.fetch("SELECT id, body FROM uses") == []

    run(main())


@pytest.mark.parametrize(
    ("sql", "parameters", "rows"),
    [
        ('SELECT \'a?b\' AS a, "?".n AS b, ? AS c FROM (SELECT 1 AS n) AS "?"', ("x",), [("a?b", 1, "x")]),
        ("SELECT E'it\\'s ?' AS a, ?::int AS b", (1,), [("it's ?", 1)]),
        ("SELECT date'2024-01-01' AS a, '\\' AS b, ? AS c, '' AS d", ("x",), [(date(2024, 1, 1), "\\", "x", "")]),
        ("SELECT $$ ? $$ AS a, $tag$ $$ ? $tag$ AS b, ? AS c", ("x",), [(" ? ", " $$ ? ", "x")]),
        ("/* /* ? */ ? */ SELECT ? AS a -- ?", ("x",), [("x",)]),
        ("SELECT 'it''s ?' AS a, ?/**/ AS b", ("x",), [("it's ?", "x")]),
        (
            "SELECT ? AS a, ?::numeric AS b, ?::int AS c, ?::text AS d",
            (1, 0.5, "7", True),
            [("1", Decimal("0.5"), 7, "true")],
        ),
        ("SELECT ?::jsonb AS a, ?::int[] AS b", ('{"a": 1}', "{1,2}"), [('{"a": 1}', [1, 2])]),
        (
            "SELECT ?::timestamptz = '2024-01-01 00:00:00+00' AS a, ?::interval IS NULL AS b",
            ("2024-01-01T01:00+01:00", None),
            [(True, True)],
        ),
        ("SELECT ?::bytea AS a, ?::date AS b", (b"x", "2024-01-01"), [(b"x", date(2024, 1, 1))]),
    ],
)
def test_parameters(place: Place, sql: str, parameters: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    async def main() -> None:
        async with started(database(place, max_connections=1)) as postgres:
            for _ in range(2):
                got = await postgres.fetch(sql, parameters)
                assert [tuple(row.values()) for row in got] == rows

    run(main())


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?::int AS a", ("x",)),
        ("SELECT ?::int AS a", (2**40,)),
        ("SELECT ?::bytea AS a", ("x",)),
        ("SELECT ?::int AS a", (b"x",)),
        ("SELECT ?::timestamp AS a", ("yesterdayish",)),
    ],
)
def test_a_parameter_that_cannot_be_converted_is_a_query_error(
    place: Place, sql: str, parameters: tuple[str, ...]
) -> None:
    async def main() -> None:
        async with started(database(place, max_connections=1)) as postgres:
            for _ in range(2):
                with pytest.raises(QueryError):
                    await postgres.fetch(sql, parameters)
            assert await postgres.fetch("SELECT ?::int AS a", (7,)) == [{"a": 7}]

    run(main())


def test_a_table_that_changes_its_shape_is_seen(place: Place) -> None:
    async def main() -> None:
        async with started(database(place)) as postgres, started(database(place)) as other:
            await postgres.execute("INSERT INTO uses VALUES (1, 'a')")
            assert await postgres.fetch("SELECT * FROM uses") == [{"id": 1, "body": "a"}]
            await other.execute("ALTER TABLE uses ADD size INTEGER DEFAULT 7")
            assert await postgres.fetch("SELECT * FROM uses") == [{"id": 1, "body": "a", "size": 7}]

    run(main())


def test_a_copy_is_no_statement_of_the_port_and_hangs_nothing(place: Place) -> None:
    async def main() -> None:
        async with started(database(place, max_connections=1, timeout=0.2, healthcheck_timeout=0.5)) as postgres:
            for sql in ("COPY uses TO STDOUT", "COPY uses FROM STDIN"):
                with suppress(QueryError, DatabaseUnavailable):
                    await postgres.execute(sql)
                assert await postgres.health()

    run(main())


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE SCHEMA IF NOT EXISTS made",
        "CREATE SEQUENCE IF NOT EXISTS made",
    ],
)
def test_many_at_once_create_what_is_missing(place: Place, sql: str) -> None:
    """PostgreSQL itself fails all but one of them, with a duplicate in its catalogue."""

    async def main() -> None:
        async with started(database(place, min_connections=10)) as postgres:
            for _ in range(20):
                await asyncio.gather(*(postgres.execute(sql) for _ in range(10)))
                await postgres.execute(f"DROP {sql.split()[1]} made")

    run(main())


def test_in_a_transaction_it_is_a_conflict_that_is_run_again(place: Place) -> None:
    async def create(postgres: Database) -> int:
        for conflicts in range(50):
            with suppress(TransactionConflict):
                async with postgres.transaction() as transaction:
                    await transaction.fetch("SELECT 1 AS one")
                    await transaction.execute("CREATE TABLE IF NOT EXISTS made (id INTEGER PRIMARY KEY)")
                return conflicts
        raise AssertionError("never made")

    async def main() -> None:
        async with started(database(place, min_connections=10)) as postgres:
            conflicts = 0
            for _ in range(20):
                conflicts += sum(await asyncio.gather(*(create(postgres) for _ in range(10))))
                await postgres.execute("DROP TABLE made")
            assert conflicts

    run(main())


def test_what_is_there_already_is_a_query_error(place: Place) -> None:
    async def main() -> None:
        async with started(database(place)) as postgres:
            await postgres.execute("CREATE TABLE made (id INTEGER PRIMARY KEY)")
            with pytest.raises(QueryError):
                await postgres.execute("CREATE TABLE made (id INTEGER PRIMARY KEY)")
            await postgres.execute("INSERT INTO made VALUES (1)")
            with pytest.raises(IntegrityError):
                await postgres.execute("INSERT INTO made VALUES (1)")

    run(main())


def test_the_migration_of_the_documentation_holds(place: Place) -> None:
    async def main() -> None:
        async with started(database(place)) as one, started(database(place)) as other:
            await migrated([one, other], shown()["migrate"])

    run(main())


def test_settings_are_checked_with_errors_that_are_value_errors() -> None:
    with pytest.raises(ValueError, match=r"adapter:database \(postgres\): .*setting port"):
        PostgresDatabase(port=70000)
    assert issubclass(DatabaseMisconfigured, ValueError)


class TestActivation(SwapCases):
    provider = Provider(
        "database", "postgres", "asyncpg", "url", {"url": "postgresql://postgres@127.0.0.1:PORT/postgres"}
    )
