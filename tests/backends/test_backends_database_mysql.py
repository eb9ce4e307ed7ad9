"""The database of a MariaDB server: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    closing,
    contextmanager,
    nullcontext,
)
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pymysql
import pytest
from oneiric import Secret
from oneiric.adapters.database import (
    Database,
    DatabaseRefused,
    IntegrityError,
    QueryError,
    TransactionError,
)
from oneiric.adapters.database.mysql import MySQLDatabase
from oneiric.testing.contracts import DatabaseContract, NetworkedDatabaseContract, started
from oneiric.testing.contracts.database import USES
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import MARIADB
from tests.backends.harness.servers import Address, Server, private
from tests.backends.pooled import EncryptionCases, Place, PoolCases


def admin(address: Address | Server, *statements: str) -> list[str]:
    """Run statements as the superuser, past the component; the first column of the last one's rows."""
    arguments = {"host": address.host, "port": address.port, "user": "root", "autocommit": True}
    with closing(pymysql.connect(**arguments, connect_timeout=30)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


def created(place: Place) -> tuple[str, ...]:
    uses = USES.replace("TABLE ", f"TABLE {place.name}.")
    return f"CREATE DATABASE {place.name} CHARACTER SET utf8mb4", uses


@pytest.fixture(scope="module", name="place")
def a_database_of_its_own(mariadb: Address) -> Iterator[Place]:
    place = Place(mariadb.host, mariadb.port, f"oneiric_test_{uuid4().hex}")
    admin(place, *created(place))
    try:
        yield place
    finally:
        admin(place, f"DROP DATABASE {place.name}")


@pytest.fixture(autouse=True)
def an_empty_one(request: pytest.FixtureRequest, place: Place) -> None:
    tables = [f"{place.name}.{name}" for name in admin(place, f"SHOW TABLES IN {place.name}") if name != "uses"]
    drops = [f"DROP TABLE {', '.join(tables)}"] if tables else []
    admin(place, "SET foreign_key_checks = 0", *drops, f"DELETE FROM {place.name}.uses")
    if request.instance is not None:
        request.instance.place = place


def database(place: Place, **settings: object) -> MySQLDatabase:
    settings = {"database": place.name, **settings}
    return MySQLDatabase(host=place.host, port=place.port, **settings)  # type: ignore[arg-type]


class TestMySQL(DatabaseContract):
    place: Place
    blob = "LONGBLOB"
    timestamp = "DATETIME(6)"

    def fresh(self) -> AbstractAsyncContextManager[Database]:
        return started(database(self.place))


class TestMySQLOfOneConnection(TestMySQL):
    def fresh(self) -> AbstractAsyncContextManager[Database]:
        return started(database(self.place, min_connections=0, max_connections=1))


class TestMySQLFaults(NetworkedDatabaseContract):
    place: Place

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.place)

    @contextmanager
    def private(self) -> Generator[Server, None, None]:
        with private(MARIADB) as server:
            admin(server, *created(self.place))
            yield server

    def component(self, host: str, port: int, user: str = "root", password: Secret | None = None) -> MySQLDatabase:
        return MySQLDatabase(
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
    def refused(self) -> Generator[MySQLDatabase, None, None]:
        with user(self.place, "another") as name:
            yield self.component(self.place.host, self.place.port, name, Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], MySQLDatabase]]]:
        return [
            ("host", lambda: MySQLDatabase(host="")),
            ("user", lambda: MySQLDatabase(user="")),
            ("database", lambda: MySQLDatabase(database="")),
            ("database", lambda: MySQLDatabase(database="\ud800")),
            ("database", lambda: MySQLDatabase(database="a\0b")),
            ("port", lambda: MySQLDatabase(port=65536)),
            ("password", lambda: MySQLDatabase(password=Secret(f"{SECRET}\N{SNOWMAN}"))),
            ("ca_file", lambda: MySQLDatabase(ca_file=Path("ca.pem"))),
            ("ca_file", lambda: MySQLDatabase(tls=True, ca_file=Path("/no/such/ca.pem"))),
            ("min_connections", lambda: MySQLDatabase(min_connections=-1)),
            ("min_connections", lambda: MySQLDatabase(min_connections=2, max_connections=1)),
            ("max_connections", lambda: MySQLDatabase(max_connections=0)),
            ("connect_timeout", lambda: MySQLDatabase(connect_timeout=0)),
            ("timeout", lambda: MySQLDatabase(timeout=float("nan"))),
            ("healthcheck_timeout", lambda: MySQLDatabase(healthcheck_timeout=-1)),
        ]


class TestMySQLPool(PoolCases):
    place: Place
    sleep = "SELECT SLEEP(100)"
    sleeping = "SELECT count(*) AS c FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'"

    def database(self, **settings: object) -> MySQLDatabase:
        return database(self.place, **settings)


@contextmanager
def user(place: Place, password: str, privileges: str = "ALL") -> Generator[str, None, None]:
    """The name of a user with that password, who may do that in the database of the tests."""
    name = f"user_{uuid4().hex[:16]}"
    who = f"'{name}'@'%'"
    admin(place, f"CREATE USER {who} IDENTIFIED BY '{password}'", f"GRANT {privileges} ON {place.name}.* TO {who}")
    try:
        yield name
    finally:
        admin(place, f"DROP USER {who}")


@pytest.mark.parametrize("change", ["PASSWORD EXPIRE", "ACCOUNT LOCK", "IDENTIFIED BY 'changed'"])
def test_credentials_that_no_longer_hold_are_refused(place: Place, change: str) -> None:
    async def main() -> None:
        async with started(database(place, user=name, password=Secret(SECRET))) as mysql:
            assert await mysql.health()
        await asyncio.to_thread(admin, place, f"ALTER USER '{name}'@'%' {change}")
        with pytest.raises(DatabaseRefused) as caught:
            async with started(database(place, user=name, password=Secret(SECRET))):
                pass
        assert caught.value.setting in ("user", "password")
        assert SECRET not in str(caught.value)

    with user(place, SECRET) as name:
        run(main())


def test_what_the_user_may_not_do_is_refused(place: Place) -> None:
    async def main() -> None:
        async with started(database(place, user=name, password=Secret(SECRET))) as mysql:
            assert await mysql.fetch("SELECT * FROM uses") == []
            with pytest.raises(DatabaseRefused):
                await mysql.execute("DELETE FROM uses")

    with user(place, SECRET, "SELECT") as name:
        run(main())


def test_without_a_database_names_say_which(place: Place) -> None:
    async def main() -> None:
        async with started(MySQLDatabase(host=place.host, port=place.port)) as mysql:
            assert await mysql.fetch(f"SELECT * FROM {place.name}.uses") == []
            with pytest.raises(QueryError):
                await mysql.fetch("SELECT * FROM uses")

    run(main())


class TestMySQLEncryption(EncryptionCases):
    encrypted = "SHOW STATUS LIKE 'Ssl_cipher'"

    def component(self, host: str, port: int, **settings: object) -> MySQLDatabase:
        return MySQLDatabase(host=host, port=port, **settings)  # type: ignore[arg-type]

    @contextmanager
    def server(self, authority: Authority) -> Generator[Server, None, None]:
        def prepare(program: str, folder: Path) -> None:
            MARIADB.prepare(program, folder)
            authority.write_for("127.0.0.1", folder / "server.crt", folder / "server.key")

        def program(program: str, folder: Path, port: int) -> Sequence[str]:
            files = (f"--ssl-cert={folder}/server.crt", f"--ssl-key={folder}/server.key")
            return [*MARIADB.program(program, folder, port), *files]

        with private(replace(MARIADB, prepare=prepare, program=program)) as server:
            yield server

    def test_a_server_that_does_not_encrypt_is_refused(self, tmp_path: Path) -> None:
        async def main() -> None:
            ca = Authority().write(tmp_path / "ca.pem")
            with pytest.raises(DatabaseRefused, match="setting tls"):
                async with started(MySQLDatabase(host=server.host, port=server.port, tls=True, ca_file=ca)):
                    pass

        with private(MARIADB) as server:
            run(main())


def test_what_a_statement_sets_does_not_last(place: Place) -> None:
    async def main() -> None:
        async with started(database(place, max_connections=1)) as mysql:
            await mysql.execute("SET autocommit = 0")
            await mysql.execute("SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'")
            await mysql.execute("CREATE TEMPORARY TABLE uses (id INTEGER)")
            await mysql.execute("LOCK TABLES uses WRITE")
            assert await mysql.fetch("SELECT id, body FROM uses") == []
            assert await mysql.execute("INSERT INTO uses VALUES (1, 'x')") == 1
        async with started(database(place)) as mysql:
            assert await mysql.fetch("SELECT id, body FROM uses") == [{"id": 1, "body": "x"}]

    run(main())


@pytest.mark.parametrize("sql", ["CREATE TABLE more (id INTEGER)", "ALTER TABLE uses ADD x INTEGER", "TRUNCATE uses"])
def test_what_would_commit_a_transaction_is_refused_in_one(place: Place, sql: str) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql:
            with pytest.raises(TransactionError, match="would commit"):
                async with mysql.transaction() as transaction:
                    await transaction.execute("INSERT INTO uses VALUES (1, 'x')")
                    await transaction.execute(sql)
            assert await mysql.fetch("SELECT * FROM uses") == []

    run(main())


def test_a_procedure_that_commits_is_told(place: Place) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql:
            await mysql.execute("CREATE PROCEDURE finish_it() COMMIT")
            with pytest.raises(TransactionError, match="ended the transaction"):
                async with mysql.transaction() as transaction:
                    await transaction.execute("INSERT INTO uses VALUES (1, 'x')")
                    await transaction.execute("CALL finish_it()")
            assert await mysql.health()

    run(main())


BACKSLASH = "\\"


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES", "ANSI_QUOTES"])
@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ? AS a", ("it's",)),
        ("SELECT ? AS a", (BACKSLASH,)),
        ("SELECT ? AS a", (f"{BACKSLASH}' OR 1 = 1 -- ",)),
        ("SELECT ? AS a", ('\n\r\x1a"%s?',)),
        ("SELECT 'why ?' AS b, ? AS a, `?`.n FROM (SELECT 1 AS n) AS `?` # ?", ("x",)),
        ("SELECT 'it''s ?' AS b, 5 --1 /* ? */\n AS c, ? AS a -- ?", ("x",)),
        ("SELECT CAST(? AS CHAR) AS a", ("\N{GRINNING FACE}",)),
        ("SELECT ? AS a", (b"\\' \x00\xff",)),
        ("SELECT ? AS a", (b"",)),
        ("SELECT ? + 1 AS b, ? AS a", (-5, 7)),
        ("SELECT ? AS b, ? AS a", (None, 1)),
    ],
)
def test_parameters_in_every_mode(place: Place, mode: str, sql: str, parameters: tuple[object, ...]) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql, mysql.transaction() as transaction:
            await transaction.execute("SET SESSION sql_mode = ?", (mode,))
            [row] = await transaction.fetch(sql, parameters)  # type: ignore[arg-type]
            assert row["a"] == parameters[-1]

    run(main())


@pytest.mark.parametrize("mode", ["", "NO_BACKSLASH_ESCAPES"])
def test_a_backslash_before_a_quote_means_what_the_mode_says(place: Place, mode: str) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql, mysql.transaction() as transaction:
            await transaction.execute("SET SESSION sql_mode = ?", (mode,))
            sql = "SELECT '\\' AS b, ? AS a" if mode else "SELECT '\\' ?' AS b, ? AS a"
            [row] = await transaction.fetch(sql, ("' -- ",))
            assert row == {"b": "\\" if mode else "' ?", "a": "' -- "}

    run(main())


def test_a_row_that_is_found_counts_even_if_it_stays_as_it_is(place: Place) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql:
            await mysql.execute("INSERT INTO uses VALUES (1, 'x')")
            assert await mysql.execute("UPDATE uses SET body = 'x'") == 1

    run(main())


def test_a_warning_of_the_server_is_none_of_python(place: Place, recwarn: pytest.WarningsRecorder) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql:
            assert await mysql.execute("DROP TABLE IF EXISTS no_such_table") == 0
            assert await mysql.fetch("SELECT 1 / 0 AS a") == [{"a": None}]

    run(main())
    assert not recwarn.list


def test_a_deadlock_is_a_conflict(place: Place) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql:
            await mysql.execute("INSERT INTO uses VALUES (1, 'x'), (2, 'x')")

            async def both(first: int, second: int) -> None:
                async with mysql.transaction() as transaction:
                    await transaction.execute("UPDATE uses SET body = 'y' WHERE id = ?", (first,))
                    met.append(first)
                    while len(met) < 2:
                        await asyncio.sleep(0.005)
                    await transaction.execute("UPDATE uses SET body = 'y' WHERE id = ?", (second,))

            met: list[int] = []
            outcomes = await asyncio.gather(both(1, 2), both(2, 1), return_exceptions=True)
            assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "TransactionConflict"]

    run(main())


def test_a_constraint_without_code_of_its_own_in_the_sdk_is_an_integrity_error(place: Place) -> None:
    async def main() -> None:
        async with started(database(place)) as mysql:
            await mysql.execute("CREATE TABLE parts (size INTEGER NOT NULL CHECK (size > 0))")
            for sql in ("INSERT INTO parts VALUES (0)", "INSERT INTO parts () VALUES ()"):
                with pytest.raises(IntegrityError):
                    await mysql.execute(sql)

    run(main())


@pytest.mark.parametrize("more", [-1, 0, 1, 10, 20_000_000])
def test_a_statement_that_is_longer_than_the_server_takes_is_wrong(place: Place, more: int) -> None:
    async def main() -> None:
        async with started(database(place, max_connections=1)) as mysql:
            [row] = await mysql.fetch("SELECT @@max_allowed_packet AS most")
            longest = row["most"] - 2 - len("SELECT LENGTH('') AS size")
            for text in ("x" * (longest + more), "\N{SNOWMAN}" * ((longest + more) // 3 + (more > 0))):
                if more <= 0:
                    assert await mysql.fetch("SELECT LENGTH(?) AS size", (text,)) == [{"size": len(text.encode())}]
                else:
                    with pytest.raises(QueryError, match="max_allowed_packet"):
                        await mysql.fetch("SELECT LENGTH(?) AS size", (text,))

    run(main())


class TestActivation(SwapCases):
    provider = Provider("database", "mysql", "aiomysql", "host", {"host": "127.0.0.1", "port": "PORT"})
