"""Files in a folder of this machine: the contract, and what is its own."""

from __future__ import annotations

import os
import resource
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
from oneiric.adapters.file_transfer import (
    FileMissing,
    Files,
    FileTransferError,
    FileTransferRefused,
    FileTransferUnavailable,
)
from oneiric.adapters.file_transfer.local import LocalFiles
from oneiric.testing.contracts import FilesContract, started
from oneiric.testing.contracts.file_transfer import paths
from oneiric.testing.contracts.running import health, run


class TestLocalFiles(FilesContract):
    @pytest.fixture(autouse=True)
    def place(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def fresh(self) -> AbstractAsyncContextManager[Files]:
        return started(LocalFiles(base_path=self.folder / "files"))


def test_no_link_leads_out_of_the_folder(tmp_path: Path) -> None:
    async def main() -> None:
        base, outside = tmp_path / "base", tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_bytes(b"secret")
        base.mkdir()
        (base / "folder").symlink_to(outside)
        (base / "file").symlink_to(outside / "secret")
        async with started(LocalFiles(base_path=base)) as files:
            for path in ("folder/secret", "file"):
                with pytest.raises(FileTransferError):
                    await files.get(path)
                assert await files.delete(path) is False
            with pytest.raises(FileTransferRefused):
                await files.put("folder/new", b"data")
            assert await paths(files) == await paths(files, "folder") == []
            await files.put("file", b"mine")
        assert [path.name for path in outside.iterdir()] == ["secret"]
        assert (outside / "secret").read_bytes() == b"secret"

    run(main())


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    async def main() -> None:
        os.mkfifo(tmp_path / "pipe")
        async with started(LocalFiles(base_path=tmp_path)) as files:
            with pytest.raises(FileMissing):
                await files.get("pipe")
            assert await paths(files) == []

    run(main())


def test_a_disk_that_takes_no_more_keeps_the_old_file(tmp_path: Path) -> None:
    async def main() -> None:
        async with started(LocalFiles(base_path=tmp_path)) as files:
            await files.put("name", b"old")
            before = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
            try:
                with pytest.raises(FileTransferUnavailable):
                    await files.put("name", bytes(2_000_000))
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, before)
            assert await files.get("name") == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["name"]

    run(main())


def test_a_folder_that_is_missing_or_none(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "file").write_bytes(b"")
        for base in (tmp_path / "no", tmp_path / "file"):
            with pytest.raises(FileTransferError):
                async with started(LocalFiles(base_path=base, create_parents=False)):
                    pass
        files = LocalFiles(base_path=tmp_path / "gone")
        async with started(files):
            assert await health(files)
            (tmp_path / "gone").rmdir()
            assert not await health(files)

    run(main())
