"""What `oneiric init` makes, moved to a PostgreSQL server: processes and tenants that start at the same time."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.backends.harness.servers import Address
from tests.backends.pooled import Place
from tests.backends.test_backends_database_postgres import admin

DEADLINE = 120
ADAPTERS = """\
selections:
  database: postgres
provider_settings:
  postgres:
    host: {host}
    port: {port}
    database: {name}
"""
TENANTS = """\
import asyncio
from generated.wiring import Wiring
from oneiric import Runtime

async def main():
    async with Runtime(Wiring) as runtime:
        tenants = [runtime.tenant(name).services.orders.live for name in ("acme", "globex", "initech")]
        await asyncio.gather(*(orders.place("ada", 100) for orders in tenants for _ in range(3)))

asyncio.run(main())
"""


@pytest.fixture(name="place")
def a_database_of_its_own(postgres: Address) -> Iterator[Place]:
    place = Place(postgres.host, postgres.port, f"oneiric_test_{uuid4().hex}")
    admin(place, f"CREATE DATABASE {place.name}")
    try:
        yield place
    finally:
        admin(place, f"DROP DATABASE {place.name} WITH (FORCE)")


@pytest.fixture(name="project")
def scaffold_on_postgres(place: Place, tmp_path: Path) -> Path:
    command(tmp_path, "init", ".")
    (tmp_path / "settings/adapters.yml").write_text(ADAPTERS.format(**vars(place)))
    tenants = tmp_path / "settings/tenants"
    tenants.mkdir()
    for name in ("acme", "globex", "initech"):
        (tenants / f"{name}.yml").write_text("services: {provider_settings: {shop: {remember_seconds: 30}}}\n")
    command(tmp_path, "compile")
    return tmp_path


def command(folder: Path, *arguments: str) -> None:
    code = "from oneiric_compiler.cli import main; main()"
    subprocess.run([sys.executable, "-c", code, *arguments], cwd=folder, check=True, timeout=DEADLINE)


def at_once(folder: Path, *commands: list[str]) -> list[tuple[int, str]]:
    """The codes of processes that run at the same time, and what they said."""

    async def run(arguments: list[str]) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def main() -> list[tuple[int, str]]:
        async with asyncio.timeout(DEADLINE):
            return await asyncio.gather(*map(run, commands))

    return asyncio.run(main())


def test_three_processes_start_at_once(project: Path) -> None:
    done = at_once(project, *[["main.py"]] * 3)
    assert [code for code, _ in done] == [0, 0, 0], done
    assert all(said.count("is paid: balance/") == 2 for _, said in done)


def test_tenants_start_at_once(project: Path) -> None:
    done = at_once(project, *[["-c", TENANTS]] * 2)
    assert [code for code, _ in done] == [0, 0], done
