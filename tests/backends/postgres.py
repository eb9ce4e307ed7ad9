"""What tests do to a PostgreSQL server behind the back of the components."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import contextmanager, suppress

import asyncpg

from tests.backends.harness.kinds import Kind
from tests.backends.harness.servers import Address, Server, private


def admin(address: Address | Server, *statements: str, database: str = "postgres") -> None:
    """Run statements as the superuser, past the component, as soon as the server is ready."""

    async def connected() -> asyncpg.Connection:
        while True:
            with suppress(asyncpg.CannotConnectNowError):
                return await asyncpg.connect(
                    host=address.host, port=address.port, user="postgres", password="", database=database
                )
            await asyncio.sleep(0.02)

    async def main() -> None:
        async with asyncio.timeout(30):
            connection = await connected()
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(main())


@contextmanager
def with_password(kind: Kind, password: str) -> Generator[Server, None, None]:
    """A server that asks `somebody` for a password."""
    with private(kind) as server:
        admin(server, f"CREATE ROLE somebody LOGIN PASSWORD '{password}'")
        rules = server.folder / "data/pg_hba.conf"
        rules.write_text("host all postgres all trust\nhost all all all scram-sha-256\n")
        admin(server, "SELECT pg_reload_conf()")
        yield server
