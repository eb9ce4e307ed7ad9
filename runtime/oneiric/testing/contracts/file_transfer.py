"""The contract of the port `file_transfer`."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from oneiric.adapters.file_transfer import (
    MAX_PART,
    MAX_PATH,
    FileMissing,
    Files,
    FileTransferClosed,
    FileTransferError,
    FileTransferMisconfigured,
    FileTransferRefused,
    FileTransferUnavailable,
    InvalidFile,
    RemoteFile,
)
from oneiric.testing.contracts.networked import NetworkedContract
from oneiric.testing.contracts.running import Contract, cancelled_at_every_step, capabilities, close, health

NO_PATHS: list[Any] = [
    *("", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a/..", "a\0b", "a\nb", "a\x7fb", "..\\b"),
    *("\ud800", "n" * (MAX_PART + 1), "/".join("d" * MAX_PATH), ".oneiric-0123456789abcdef.part", None, b"a"),
]
PATHS = ["a", "b/c.d", "B", "a b", "...", ".hidden", "~", "a%2Fb", "a?b#c", "-", "é", "\N{SNOWMAN}", "*[x]", "'\"$;"]


async def paths(files: Files, folder: str = "") -> list[str]:
    return [file.path async for file in files.list(folder)]


async def streamed(files: Files, path: str, chunk_size: int = 65536) -> list[bytes]:
    return [chunk async for chunk in files.stream(path, chunk_size=chunk_size)]


async def pieces(*data: Any, error: Exception | None = None) -> AsyncIterator[bytes]:
    """Data that comes in pieces, each after a turn of the loop, and then perhaps an error."""
    for piece in data:
        await asyncio.sleep(0)
        yield piece
    if error is not None:
        raise error


class FilesContract(Contract[Files]):
    """Cases for an empty folder: subclass it and override `fresh`.

    Listing and whole uploads are tried where the component declares the capabilities `list` and `whole`.
    """

    large: ClassVar[int] = 12
    """Megabytes of a file that is not held in memory."""
    step: ClassVar[float] = 1.25
    """Between the moments at which calls are cancelled; more is faster, see `cancelled_at_every_step`."""

    def test_a_fresh_one_is_healthy_and_empty(self) -> None:
        async def case(files: Files) -> None:
            assert await health(files)
            await self.holds(files)

        self.check(case)

    @pytest.mark.parametrize("data", [b"", b"\n\r\n", bytes(range(256)) * 3000])
    def test_a_file_is_got_as_it_was_put(self, data: bytes) -> None:
        async def case(files: Files) -> None:
            for given in (data, pieces(data[:7], b"", data[7:])):
                await files.put("folder/name", given)
                assert await files.get("folder/name") == data
                for size in (1000, len(data) + 1):
                    chunks = await streamed(files, "folder/name", size)
                    assert b"".join(chunks) == data
                    assert all(0 < len(chunk) <= size for chunk in chunks)
                file = await files.stat("folder/name")
                assert (file.path, file.size) == ("folder/name", len(data))
                if file.modified is not None:
                    assert abs(file.modified - datetime.now(UTC)) < timedelta(minutes=2)

        self.check(case)

    def test_every_path_can_be_one(self) -> None:
        async def case(files: Files) -> None:
            for path in PATHS:
                await files.put(path, path.encode())
            for path in PATHS:
                assert await files.get(path) == path.encode()
            await self.holds(files, *(path for path in PATHS if "/" not in path))
            for path in PATHS:
                assert await files.delete(path)

        self.check(case)

    def test_what_is_no_path_is_refused(self) -> None:
        async def case(files: Files) -> None:
            for path in NO_PATHS:
                calls: list[Any] = [files.put(path, b""), files.get(path), streamed(files, path), files.stat(path)]
                calls += [files.delete(path), *((paths(files, path),) if path != "" else ())]
                for call in calls:
                    with pytest.raises(InvalidFile):
                        await call
            wrong: Any
            for wrong in ("text", bytearray(b"x"), [b"x"], None, pieces("text")):
                with pytest.raises(InvalidFile):
                    await files.put("name", wrong)
            await self.holds(files)
            with pytest.raises(InvalidFile):
                await streamed(files, "name", 0)

        self.check(case)

    def test_a_missing_file_is_named(self) -> None:
        async def case(files: Files) -> None:
            await files.put("file", b"")
            await files.put("folder/file", b"")
            for path in ("no", "no/such", "file/below", "folder"):
                for call in (files.get(path), files.stat(path), streamed(files, path)):
                    with pytest.raises(FileMissing) as caught:
                        await call
                    assert caught.value.path == path
                assert await files.delete(path) is False
            assert await files.delete("file") is True
            assert await files.delete("file") is False

        self.check_with("list", case)

    def test_a_put_replaces(self) -> None:
        async def case(files: Files) -> None:
            await files.put("name", b"a long first version")
            await files.put("name", b"second")
            assert await files.get("name") == b"second"
            await self.holds(files, "name")

        self.check(case)

    def test_a_listing_tells_of_the_files_of_one_folder(self) -> None:
        async def case(files: Files) -> None:
            for path in ("b", "a", "é", "f/2", "f/1", "f/g/3"):
                await files.put(path, path.encode())
            assert await paths(files) == ["a", "b", "é"]
            assert await paths(files, "f") == ["f/1", "f/2"]
            assert await paths(files, "f/g") == ["f/g/3"]
            assert await paths(files, "no/such") == await paths(files, "a") == []
            [listed] = [file async for file in files.list("f/g")]
            stated = await files.stat("f/g/3")
            assert listed == RemoteFile(stated.path, stated.size, listed.modified)

        self.check_with("list", case)

    def test_data_that_does_not_end_well_leaves_what_was_there(self) -> None:
        async def case(files: Files) -> None:
            await files.put("name", b"old")
            for path in ("name", "other"):
                for size in (10, 1_000_000):
                    with pytest.raises(ZeroDivisionError):
                        await files.put(path, pieces(bytes(size), error=ZeroDivisionError()))
                    with pytest.raises(InvalidFile):
                        await files.put(path, pieces(bytes(size), "text"))
            assert await files.get("name") == b"old"
            await self.holds(files, "name")

        self.check_with("whole", case)

    def test_a_file_is_not_there_until_it_is_whole(self) -> None:
        async def case(files: Files) -> None:
            async def data() -> AsyncIterator[bytes]:
                for _ in range(3):
                    yield bytes(300_000)
                    await self.holds(files)

            await files.put("name", data())
            assert (await files.stat("name")).size == 900_000

        self.check_with("whole", case)

    def test_a_put_cancelled_at_any_step_happens_whole_or_not(self) -> None:
        async def case(files: Files) -> None:
            await files.put("name", b"old")
            async for _ in cancelled_at_every_step(lambda: files.put("name", pieces(b"new" * 1000, b"er")), self.step):
                assert await files.get("name") in (b"old", b"new" * 1000 + b"er")
                await self.holds(files, "name")
                await files.put("name", b"old")
                assert await files.get("name") == b"old"

        self.check_with("whole", case)

    def test_reading_cancelled_or_left_leaves_one_that_works(self) -> None:
        async def case(files: Files) -> None:
            await files.put("name", bytes(600_000))
            async for _ in cancelled_at_every_step(lambda: streamed(files, "name", 50_000), self.step):
                pass
            stream: Any = files.stream("name", chunk_size=1000)
            async for piece in stream:
                assert len(piece) == 1000
                break
            await stream.aclose()
            assert (await files.stat("name")).size == 600_000

        self.check(case)

    def test_large_files_are_not_held_in_memory(self) -> None:
        async def case(files: Files) -> None:
            piece = bytes(1024 * 1024)
            tracemalloc.start()
            try:
                await files.put("name", pieces(*[piece] * self.large))
                size = 0
                async for chunk in files.stream("name"):
                    size += len(chunk)
                assert size == self.large * len(piece)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert peak < size / 2

        self.check(case)

    def test_some_at_once_do_not_mix_up_their_files(self) -> None:
        async def turn(files: Files, number: int) -> None:
            data = b"%d" % number * 100_000
            await files.put(f"n/{number}", pieces(data, data))
            assert await files.get(f"n/{number}") == data + data

        async def case(files: Files) -> None:
            await asyncio.gather(*(turn(files, number) for number in range(10)))
            await asyncio.gather(*(files.put("same", b"%d" % number * 1000) for number in range(10)))
            assert len(set(await files.get("same"))) == 1

        self.check(case)

    def test_a_closed_one_refuses_every_call(self) -> None:
        async def case(files: Files) -> None:
            await files.put("name", b"data")
            await close(files)
            await close(files)
            calls: list[Any] = [files.put("name", b""), files.get("name"), streamed(files, "name"), files.stat("name")]
            for call in (*calls, files.delete("name"), paths(files)):
                with pytest.raises(FileTransferError) as caught:
                    await call
                assert not isinstance(caught.value, FileMissing)
            with pytest.raises(FileTransferClosed):
                await files.get("name")
            assert not await health(files)

        self.check(case)

    async def holds(self, files: Files, *expected: str) -> None:
        """The folder has these files, where that can be asked."""
        if "list" in capabilities(files):
            assert await paths(files) == sorted(expected)

    def check_with(self, capability: str, case: Any) -> None:
        """Run a case where the component has the capability."""

        async def where_it_can(files: Files) -> None:
            if capability in capabilities(files):
                await case(files)

        self.check(where_it_can)


class NetworkedFilesContract(NetworkedContract[Files]):
    """Cases for files behind a network, besides those of `FilesContract`."""

    base = FileTransferError
    unavailable = FileTransferUnavailable
    refusal = FileTransferRefused
    misconfigured = FileTransferMisconfigured

    async def use(self, component: Files, number: int = 0) -> None:
        data = b"data %d " % number * 50
        await component.put(f"name {number}", data)
        assert await component.get(f"name {number}") == data
