"""The storage of a local disk: the contract, names that cannot escape, and writers that are killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oneiric.adapters.storage import (
    InvalidObject,
    ObjectDamaged,
    ObjectNotFound,
    Storage,
    StorageClosed,
    StorageError,
    StorageUnavailable,
    check_name,
    check_object,
)
from oneiric.adapters.storage.local import LocalStorage
from oneiric.testing.contracts import StorageContract, started
from oneiric.testing.contracts.storage import pieces


class TestLocalStorage(StorageContract):
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "storage"

    def fresh(self) -> AbstractAsyncContextManager[Storage]:
        return started(LocalStorage(base_path=self.path))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


def only_file(folder: Path) -> Path:
    [path] = files(folder)
    return path


@given(st.text(st.characters(codec=None) | st.sampled_from("./\\\0%~ "), max_size=20) | st.text("./a", max_size=8))
def test_no_name_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    async def main() -> None:
        async with started(LocalStorage(base_path=base)) as storage:
            try:
                await storage.put(name, b"data")
            except InvalidObject:
                assert files(outer) == []
            else:
                assert await storage.get(name) == b"data"
                assert only_file(outer).is_relative_to(base)

    outer = tmp_path_factory.mktemp("outer")
    base = outer / "base"
    asyncio.run(main())


@given(st.text("./ab", max_size=10))
def test_an_accepted_name_is_its_own_normal_form(name: str) -> None:
    try:
        check_name(name)
    except InvalidObject:
        return
    assert os.path.normpath(f"/base/{name}") == f"/base/{name}"


def test_a_link_to_elsewhere_is_not_followed(tmp_path: Path) -> None:
    async def main() -> None:
        base, secret = tmp_path / "base", tmp_path / "secret"
        async with started(LocalStorage(base_path=base)) as storage:
            await storage.put("name", b"data")
            path = only_file(base)
            path.rename(secret)
            path.symlink_to(secret)
            with pytest.raises(StorageUnavailable):
                await storage.get("name")
            await storage.put("name", b"new")
            assert await storage.get("name") == b"new"
            assert b"data" in secret.read_bytes()

            shard = path.parent
            shard.rename(tmp_path / "shard")
            shard.symlink_to(tmp_path / "shard")
            with pytest.raises(StorageUnavailable):
                await storage.put("name", b"escaped")
            with pytest.raises(StorageUnavailable):
                await storage.get("name")

    asyncio.run(main())


def test_objects_outlive_the_component(tmp_path: Path) -> None:
    async def main() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            await storage.put("name", b"data", content_type="text/plain", metadata={"a": "b"})
            before = await storage.stat("name")
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            assert await storage.stat("name") == before

    asyncio.run(main())


@pytest.mark.parametrize("text", ["a/b", "text/plain; charset=utf-8", 'a/b;c="d;e"', "a/b ;", "a/b;", "a/b+c/d"])
def test_what_is_a_content_type(text: str) -> None:
    check_object(b"", text, {})


@pytest.mark.parametrize(
    "text", ["", "a", "a/", "/b", "a/b c", "a b/c", "a/b\n", "a/é", "a/b;\t", "a;b/c", f"a/{'b' * 254}"]
)
def test_what_is_not_a_content_type(text: str) -> None:
    with pytest.raises(InvalidObject, match="is not a content type"):
        check_object(b"", text, {})


def test_two_components_may_share_a_folder(tmp_path: Path) -> None:
    async def main() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as one, started(LocalStorage(base_path=tmp_path)) as two:
            puts = (storage.put("name", b"x", if_absent=True) for storage in (one, two) * 10)
            results = await asyncio.gather(*puts, return_exceptions=True)
            assert sum(not isinstance(result, BaseException) for result in results) == 1

    asyncio.run(main())


def test_objects_are_for_their_owner_only(tmp_path: Path) -> None:
    async def main() -> None:
        base = tmp_path / "base"
        async with started(LocalStorage(base_path=base)) as storage:
            await storage.put("name", b"data")
        assert only_file(base).stat().st_mode & 0o777 == 0o600
        assert base.stat().st_mode & 0o777 == 0o700

    asyncio.run(main())


def test_a_missing_folder_is_made_only_when_wanted(tmp_path: Path) -> None:
    async def main() -> None:
        base = tmp_path / "a" / "b"
        with pytest.raises(StorageUnavailable):
            await LocalStorage(base_path=base, create_parents=False).start()
        assert not base.exists()
        async with started(LocalStorage(base_path=base)) as storage:
            assert await storage.health()

    asyncio.run(main())


def test_before_start_every_call_is_refused(tmp_path: Path) -> None:
    async def main() -> None:
        storage = LocalStorage(base_path=tmp_path)
        assert not await storage.health()
        with pytest.raises(StorageClosed):
            await storage.get("name")

    asyncio.run(main())


@pytest.mark.parametrize("damage", [b"", b"junk", b"{}\n", b'{"size": "x"}\n', b"[]\n", b"\xff" * 100_000])
def test_a_damaged_file_is_told_apart_from_a_missing_one(tmp_path: Path, damage: bytes) -> None:
    async def main() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            await storage.put("name", b"data")
            only_file(tmp_path).write_bytes(damage)
            with pytest.raises(ObjectDamaged):
                await storage.get("name")
            with pytest.raises(ObjectDamaged):
                assert [entry async for entry in storage.list()]
            await storage.put("name", b"mended")
            assert await storage.get("name") == b"mended"

    asyncio.run(main())


@pytest.mark.parametrize("end", [b"", b"X", b"aX"])
def test_a_file_cut_or_changed_is_damaged(tmp_path: Path, end: bytes) -> None:
    async def main() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            await storage.put("name", b"data")
            path = only_file(tmp_path)
            path.write_bytes(path.read_bytes()[:-1] + end)
            with pytest.raises(ObjectDamaged):
                await storage.get("name")

    asyncio.run(main())


def test_foreign_files_are_not_listed(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "README").write_text("hello")
        (tmp_path / "folder").mkdir()
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            await storage.put("name", b"data")
            (only_file(tmp_path / next(p for p in os.listdir(tmp_path) if len(p) == 2)).parent / "x").write_text("y")
            assert [entry.name async for entry in storage.list()] == ["name"]

    asyncio.run(main())


def test_a_full_disk_leaves_the_old_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            await storage.put("name", b"old")
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", full)
                with pytest.raises(StorageUnavailable, match="No space left"):
                    await storage.put("name", b"new")
            assert await storage.get("name") == b"old"
            assert len(files(tmp_path)) == 1

    asyncio.run(main())


WRITER = """
import sys
from pathlib import Path
from oneiric.adapters.storage._files import ObjectFiles
files = ObjectFiles(Path(sys.argv[1]))
files.prepare(True)
print(flush=True)
number = 0
while True:
    number += 1
    letter = b"abcdefgh"[number % 8:number % 8 + 1]
    metadata = {"letter": letter.decode(), "size": str(number * 7919 % 400_000)}
    files.put(f"n/{number % 3}", letter * (number * 7919 % 400_000), "text/plain", metadata, False, None)
    if number % 17 == 0:
        files.delete("n/0")
"""


def test_a_killed_writer_leaves_whole_objects_only(tmp_path: Path) -> None:
    async def look() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            assert [path for path in files(tmp_path) if path.suffix == ".tmp"] == []
            listed = [await storage.stat(entry.name) async for entry in storage.list()]
            assert {entry.name for entry in listed} <= {"n/0", "n/1", "n/2"}
            for entry in listed:
                data = await storage.get(entry.name)
                assert data == entry.metadata["letter"].encode() * int(entry.metadata["size"])

    random = Random(7)
    leftovers = 0
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            asyncio.run(asyncio.sleep(random.uniform(0.0, 0.08)))
            writer.kill()
        leftovers += sum(path.suffix == ".tmp" for path in files(tmp_path))
        asyncio.run(look())
    assert leftovers, "no writer was killed in the middle of a put"


LARGE_WRITER = """
import asyncio, sys
from pathlib import Path
from oneiric.adapters.storage.local import LocalStorage

async def data():
    for number in range(100):
        yield bytes(1_000_000)
        if number == 3:
            print(flush=True)
            await asyncio.sleep(60)

async def main():
    storage = LocalStorage(base_path=Path(sys.argv[1]))
    await storage.start()
    await storage.put_stream("name", data())

asyncio.run(main())
"""


def test_what_others_write_is_left_alone_until_they_are_dead(tmp_path: Path) -> None:
    async def look() -> list[Path]:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            assert [entry.name async for entry in storage.list()] == []
            assert await storage.delete("name") is False
        return [path for path in files(tmp_path) if path.suffix == ".part"]

    with subprocess.Popen([sys.executable, "-c", LARGE_WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert len(asyncio.run(look())) == 1
        writer.kill()
    assert asyncio.run(look()) == []


def test_large_data_and_a_full_disk_leave_the_old_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            await storage.put("name", b"old")
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", full)
                with pytest.raises(StorageUnavailable, match="No space left"):
                    await storage.put_stream("name", pieces(b"new"))
            assert await storage.get("name") == b"old"
            assert len(files(tmp_path)) == 1

    asyncio.run(main())


def test_the_leftover_of_a_killed_writer_is_no_object(tmp_path: Path) -> None:
    async def main() -> None:
        async with started(LocalStorage(base_path=tmp_path)) as storage:
            await storage.put("name", b"old")
            path = only_file(tmp_path)
            leftover = path.with_name(f"{path.name}.tmp")
            leftover.write_bytes(path.read_bytes()[:20])
            assert [entry.name async for entry in storage.list()] == ["name"]
            await storage.put("name", b"new")
            assert await storage.get("name") == b"new"
            assert not leftover.exists()
            leftover.write_bytes(b"again")
            await storage.delete("name")
            with pytest.raises(ObjectNotFound):
                await storage.get("name")
        async with started(LocalStorage(base_path=tmp_path)):
            assert files(tmp_path) == []

    asyncio.run(main())


def test_an_error_of_the_disk_is_one_of_the_port(tmp_path: Path) -> None:
    async def main() -> None:
        base = tmp_path / "base"
        async with started(LocalStorage(base_path=base)) as storage:
            base.rename(tmp_path / "moved")
            assert not await storage.health()
            with pytest.raises(StorageError):
                await storage.put("name", b"data")
            with pytest.raises(StorageError):
                assert [entry async for entry in storage.list()]

    asyncio.run(main())
