"""Secrets from the environment and from files: the contract, and what is each one's own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from oneiric.adapters.secrets import (
    InvalidName,
    SecretNotFound,
    Secrets,
    SecretsClosed,
    SecretsError,
    SecretsMisconfigured,
    SecretsUnavailable,
)
from oneiric.adapters.secrets.env import EnvSecrets
from oneiric.adapters.secrets.file import FileSecrets
from oneiric.testing.contracts import SecretsContract, started
from oneiric.testing.contracts.secrets import told


@asynccontextmanager
async def environment(values: Mapping[str, str], secrets: EnvSecrets) -> AsyncGenerator[Secrets, None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        async with started(secrets) as running:
            yield running


class TestEnvSecrets(SecretsContract):
    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        values = {
            f"ONEIRIC_SECRET_{name.upper()}".replace(".", "_").replace("-", "_"): value
            for name, value in secrets.items()
        }
        return environment(values, EnvSecrets())


class TestJSONFileSecrets(SecretsContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "secrets.json"

    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        self.path.write_text(json.dumps(secrets))
        return started(FileSecrets(path=self.path))


@pytest.mark.parametrize("reload_on_access", [True, False])
class TestDirectorySecrets(SecretsContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, reload_on_access: bool) -> None:
        self.path = tmp_path
        self.reload_on_access = reload_on_access

    def keeping(self, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Secrets]:
        for name, value in secrets.items():
            (self.path / name).write_bytes(value.encode())
        return started(FileSecrets(path=self.path, format="directory", reload_on_access=self.reload_on_access))


def read(path: Path, name: str, format: Literal["json", "directory"] = "json") -> str:
    async def main() -> str:
        async with started(FileSecrets(path=path, format=format)) as secrets:
            return (await secrets.get(name)).reveal()

    return asyncio.run(main())


def test_the_environment_is_read_at_each_access() -> None:
    async def main() -> None:
        async with environment({"ONEIRIC_SECRET_TOKEN": "old"}, EnvSecrets()) as secrets:
            os.environ["ONEIRIC_SECRET_TOKEN"] = "new"
            assert (await secrets.get("token")).reveal() == "new"

    asyncio.run(main())


def test_the_prefix_and_the_case_of_variables_can_be_set() -> None:
    async def main() -> None:
        values = {"APP_token": "lower", "APP_TOKEN": "upper"}
        async with environment(values, EnvSecrets(prefix="APP_", uppercase_keys=False)) as secrets:
            assert (await secrets.get("token")).reveal() == "lower"
            assert (await secrets.get("TOKEN")).reveal() == "upper"

    asyncio.run(main())


@pytest.mark.parametrize("other", ["db-password", "DB_PASSWORD", "Db.Password"])
def test_of_two_names_that_are_one_variable_the_second_is_refused(other: str) -> None:
    async def main() -> None:
        async with environment({"ONEIRIC_SECRET_DB_PASSWORD": "hunter2"}, EnvSecrets()) as secrets:
            for _ in range(2):
                assert (await secrets.get("db.password")).reveal() == "hunter2"
                with pytest.raises(SecretsMisconfigured) as caught:
                    await secrets.get(other)
                what = f"{other!r} and 'db.password' are both ONEIRIC_SECRET_DB_PASSWORD there: rename one of the two"
                assert str(caught.value) == f"adapter:secrets (env): {what}"

    asyncio.run(main())


def test_a_name_that_is_not_there_takes_no_variable_from_another() -> None:
    async def main() -> None:
        async with environment({}, EnvSecrets()) as secrets:
            for name in ("db.password", "db-password"):
                with pytest.raises(SecretNotFound):
                    await secrets.get(name)
            os.environ["ONEIRIC_SECRET_DB_PASSWORD"] = "new"
            try:
                assert (await secrets.get("db-password")).reveal() == "new"
            finally:
                del os.environ["ONEIRIC_SECRET_DB_PASSWORD"]

    asyncio.run(main())


def test_files_have_a_prefix_too(tmp_path: Path) -> None:
    (tmp_path / "shop-TOKEN").write_text("of the shop")
    (tmp_path / "TOKEN").write_text("of somebody else")

    async def main() -> None:
        async with started(FileSecrets(path=tmp_path, format="directory", prefix="shop-")) as secrets:
            assert (await secrets.get("TOKEN")).reveal() == "of the shop"
            with pytest.raises(SecretNotFound, match="has none of the name shop-OTHER"):
                await secrets.get("OTHER")

    asyncio.run(main())


def test_a_refresh_reads_the_files_again_or_keeps_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "secrets.json"

    async def main() -> None:
        path.write_text('{"TOKEN": "old"}')
        async with started(FileSecrets(path=path)) as secrets:
            path.write_text('{"TOKEN": "hunter2"')
            with pytest.raises(SecretsUnavailable):
                await secrets.refresh()
            assert (await secrets.get("TOKEN")).reveal() == "old"
            path.write_text('{"TOKEN": "new"}')
            await secrets.refresh()
            assert (await secrets.get("TOKEN")).reveal() == "new"

    asyncio.run(main())


def test_every_error_names_the_provider_and_is_of_the_port(tmp_path: Path) -> None:
    async def main() -> None:
        secrets = FileSecrets(path=tmp_path / "missing")
        for attempt in (secrets.start(), secrets.get("TOKEN"), secrets.refresh()):
            with pytest.raises(SecretsError) as caught:
                await attempt
            assert (caught.value.domain, caught.value.key, caught.value.provider) == ("adapter", "secrets", "file")
            assert str(caught.value).startswith("adapter:secrets (file): ")

    asyncio.run(main())


def test_required_keys_decide_on_health() -> None:
    async def main() -> None:
        secrets = EnvSecrets(required_keys=["one", "two"])
        async with environment({"ONEIRIC_SECRET_ONE": "x", "ONEIRIC_SECRET_TWO": ""}, secrets):
            assert not await secrets.health()
            os.environ["ONEIRIC_SECRET_TWO"] = "y"
            assert await secrets.health()
        assert not await secrets.health()

    asyncio.run(main())


def test_a_required_key_that_is_no_name_is_refused() -> None:
    with pytest.raises(InvalidName):
        EnvSecrets(required_keys=["../up"])


def test_before_start_every_call_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        secrets = FileSecrets(path=tmp_path / "secrets.json")
        assert not await secrets.health()
        with pytest.raises(SecretsClosed):
            await secrets.get("TOKEN")

    asyncio.run(main())


@pytest.mark.parametrize("reload_on_access", [True, False])
@pytest.mark.parametrize("format", ["json", "directory"])
def test_files_are_read_again_only_when_wanted(
    tmp_path: Path, format: Literal["json", "directory"], reload_on_access: bool
) -> None:
    path = tmp_path / "secrets" if format == "directory" else tmp_path / "secrets.json"

    def write(value: str) -> None:
        if format == "directory":
            path.mkdir(exist_ok=True)
            (path / "TOKEN").write_text(value)
        else:
            path.write_text(json.dumps({"TOKEN": value}))

    async def main() -> None:
        write("old")
        async with started(FileSecrets(path=path, format=format, reload_on_access=reload_on_access)) as secrets:
            write("new")
            assert (await secrets.get("TOKEN")).reveal() == ("new" if reload_on_access else "old")

    asyncio.run(main())


@pytest.mark.parametrize(
    ("content", "value"),
    [(b"x\n", "x"), (b"x\r\n", "x"), (b"x\n\n", "x\n"), (b"x\r", "x\r"), (b"\nx", "\nx"), (b" x ", " x ")],
)
def test_one_line_end_at_the_end_of_a_file_is_not_part_of_the_secret(
    tmp_path: Path, content: bytes, value: str
) -> None:
    (tmp_path / "TOKEN").write_bytes(content)
    assert read(tmp_path, "TOKEN", "directory") == value


def test_a_folder_mounted_by_kubernetes(tmp_path: Path) -> None:
    data = tmp_path / "..2024_01_01"
    data.mkdir()
    (data / "TOKEN").write_text("mounted")
    (tmp_path / "..data").symlink_to(data.name)
    (tmp_path / "TOKEN").symlink_to("..data/TOKEN")
    tmp_path.chmod(0o1777)
    (data / "TOKEN").chmod(0o644)
    assert read(tmp_path, "TOKEN", "directory") == "mounted"


@pytest.mark.parametrize("format", ["json", "directory"])
def test_a_file_that_everybody_may_write_is_refused(tmp_path: Path, format: Literal["json", "directory"]) -> None:
    file = tmp_path / "TOKEN"
    file.write_text('{"TOKEN": "hunter2"}')
    file.chmod(0o666)
    with pytest.raises(SecretsUnavailable, match="every user may write"):
        read(file if format == "json" else tmp_path, "TOKEN", format)


@pytest.mark.parametrize("format", ["json", "directory"])
def test_a_missing_path_is_unavailable(tmp_path: Path, format: Literal["json", "directory"]) -> None:
    with pytest.raises(SecretsUnavailable, match="missing"):
        read(tmp_path / "missing", "TOKEN", format)


@pytest.mark.parametrize(
    "content",
    [
        b'{"TOKEN": "hunter2"',
        b'"hunter2"',
        b'["hunter2"]',
        b'{"TOKEN": ["hunter2"]}',
        b'{"TOKEN": 1, "OTHER": "hunter2"}',
        b'{"TOKEN": "hunter2\xff"}',
        b'{"TOKEN": "hunter2\\ud800"}',
        b"hunter2",
        b"",
        b'{"hunter2": ' * 100_000,
    ],
)
def test_a_file_that_is_wrong_is_unavailable_and_nothing_of_it_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secrets.json"
    path.write_bytes(content)

    async def ask() -> None:
        async with started(FileSecrets(path=path)) as secrets:
            await secrets.get("TOKEN")

    assert "hunter2" not in asyncio.run(told(ask()))
    with pytest.raises(SecretsUnavailable):
        read(path, "TOKEN")


def test_a_binary_file_harms_only_those_who_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "KEYSTORE").write_bytes(b"hunter2\xff")
    (tmp_path / "TOKEN").write_text("fine")
    assert read(tmp_path, "TOKEN", "directory") == "fine"

    async def ask() -> None:
        async with started(FileSecrets(path=tmp_path, format="directory")) as secrets:
            await secrets.get("KEYSTORE")

    assert "hunter2" not in asyncio.run(told(ask()))


def test_a_folder_inside_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "FOLDER").mkdir()
    with pytest.raises(SecretNotFound):
        read(tmp_path, "FOLDER", "directory")
