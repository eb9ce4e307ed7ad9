"""Files by SFTP: the contracts, and what is its own. The servers are asyncssh's and OpenSSH's."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from oneiric import Secret
from oneiric.adapters.file_transfer import (
    Files,
    FileTransferMisconfigured,
    FileTransferRefused,
    FileTransferUnavailable,
)
from oneiric.adapters.file_transfer.sftp import SftpFiles
from oneiric.testing.contracts import FilesContract, NetworkedFilesContract, started
from oneiric.testing.contracts.file_transfer import paths, pieces
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from oneiric.testing.proxy import Proxy

from tests.backends.activation import ActivationCases, Provider
from tests.backends.harness.kinds import SSHD
from tests.backends.harness.servers import Address, Server, private
from tests.backends.ssh import HOST_KEY, PASSWORD, USER, USER_KEY, Folder, SshServer, new_key

PINNED = HOST_KEY.get_fingerprint()
OTHER = new_key()
PRIVATE = Secret(USER_KEY.export_private_key().decode())
LOCKED = Secret(USER_KEY.export_private_key("pkcs8-pem", passphrase="open").decode())


def sftp(server: Any, **settings: Any) -> SftpFiles:
    given: dict[str, Any] = {"host": server.host, "port": server.port, "user": USER, "host_key": PINNED}
    if "private_key" not in settings:
        given["password"] = Secret(PASSWORD)
    return SftpFiles(**{**given, **settings})


@pytest.fixture(name="server")
def one_of_asyncssh(tmp_path: Path) -> Iterator[SshServer]:
    (tmp_path / "root").mkdir()
    with SshServer(tmp_path / "root") as server:
        yield server


class TestSftpFiles(FilesContract):
    @pytest.fixture(autouse=True)
    def place(self, server: SshServer) -> None:
        self.server = server

    def fresh(self) -> AbstractAsyncContextManager[Files]:
        return started(sftp(self.server))


@pytest.fixture(scope="module", name="openssh")
def one_of_openssh() -> Iterator[Server]:
    with private(SSHD) as server:
        yield server


class TestSftpFilesOnOpenSsh(FilesContract):
    step = 2  # each one that is cancelled is a process of the server's

    @pytest.fixture(autouse=True)
    def place(self, openssh: Server, tmp_path: Path) -> None:
        self.server = openssh
        self.hosts = tmp_path / "hosts"
        self.hosts.write_text(f"[127.0.0.1]:{openssh.port} {(openssh.folder / 'host.pub').read_text()}")
        self.folder = openssh.folder / tmp_path.name
        self.folder.mkdir()
        self.folder.chmod(0o777)

    def fresh(self) -> AbstractAsyncContextManager[Files]:
        user = (self.server.folder / "name").read_text()
        key = Secret((self.server.folder / "user").read_text())
        place: dict[str, Any] = {"host_key": None, "known_hosts": self.hosts, "base_path": str(self.folder)}
        return started(sftp(self.server, user=user, private_key=key, **place))


class TestSftpFaults(NetworkedFilesContract):
    @pytest.fixture(autouse=True)
    def place(self, server: SshServer) -> None:
        self.server = server

    def shared(self) -> AbstractContextManager[Any]:
        return nullcontext(self.server)

    def private(self) -> AbstractContextManager[Any]:
        return nullcontext(self.server)

    def component(self, host: str, port: int) -> SftpFiles:
        times = {"timeout": TIMEOUT, "healthcheck_timeout": TIMEOUT, "max_connections": CONNECTIONS}
        return sftp(Address(host, port), **times)

    @contextmanager
    def refused(self) -> Generator[SftpFiles, None, None]:
        yield sftp(self.server, password=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], SftpFiles]]]:
        def new(**settings: Any) -> Callable[[], SftpFiles]:
            return lambda: sftp(Address("127.0.0.1", 22), **settings)

        return [
            ("host", new(host="")),
            ("port", new(port=0)),
            ("user", new(user="a\0b")),
            ("base_path", new(base_path="")),
            ("password", new(password=None)),
            ("private_key", new(private_key=Secret(SECRET))),
            ("private_key", new(private_key=Secret(""))),
            ("passphrase", new(private_key=LOCKED)),
            ("passphrase", new(private_key=LOCKED, passphrase=Secret(f"{SECRET}!"))),
            ("host_key", new(host_key=None)),
            ("host_key", new(host_key="MD5:00")),
            ("host_key", new(known_hosts=Path(__file__))),
            ("known_hosts", new(host_key=None, known_hosts=Path("no-such-file"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=float("nan"))),
            ("max_connections", new(max_connections=0)),
        ]


class TestSftpActivation(ActivationCases):
    provider = Provider(
        "file_transfer",
        "sftp",
        "asyncssh",
        "host",
        {"host": "127.0.0.1", "port": "PORT", "user": "u", "password": "${PROBE_SECRET}", "host_key": PINNED},
        secret=SECRET,
    )


def test_a_key_logs_in_also_an_encrypted_one(server: SshServer) -> None:
    async def main() -> None:
        openssh = Secret(USER_KEY.export_private_key(passphrase="open", rounds=50).decode())
        for key in (PRIVATE, LOCKED, openssh):
            async with started(sftp(server, private_key=key, passphrase=Secret("open"))) as files:
                await files.put("name", b"data")
        with pytest.raises(FileTransferRefused):
            async with started(sftp(server, private_key=Secret(OTHER.export_private_key().decode()))):
                pass

    run(main())


def test_a_server_with_an_unknown_or_another_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    def known(host: str, key: asyncssh.SSHKey) -> dict[str, Any]:
        file = tmp_path / "hosts"
        file.write_text(f"{host} {key.export_public_key().decode()}")
        return {"host_key": None, "known_hosts": file}

    async def main() -> None:
        place = f"[127.0.0.1]:{server.port}"
        async with started(sftp(server, **known(place, HOST_KEY))):
            pass
        for setting, settings in (
            ("host_key", {"host_key": OTHER.get_fingerprint()}),
            ("known_hosts", known(place, OTHER)),
            ("known_hosts", known("elsewhere.example", HOST_KEY)),
        ):
            with pytest.raises(FileTransferRefused) as caught:
                async with started(sftp(server, **settings)):
                    pass
            assert caught.value.setting == setting

    run(main())


def test_of_several_keys_of_a_server_any_may_be_the_one_that_is_pinned(tmp_path: Path) -> None:
    rsa, ecdsa = new_key("ssh-rsa"), new_key("ecdsa-sha2-nistp256")

    async def main() -> None:
        for keys, pinned in (((rsa, ecdsa, HOST_KEY), (rsa, ecdsa, HOST_KEY)), ((rsa,), (rsa,))):
            with SshServer(tmp_path, keys=keys) as server:
                for key in pinned:
                    async with started(sftp(server, host_key=key.get_fingerprint(), max_connections=2)) as files:
                        await asyncio.gather(*(files.put(f"{n}", pieces(b"a", b"b")) for n in range(3)))
                with pytest.raises(FileTransferRefused) as caught:
                    async with started(sftp(server, host_key=OTHER.get_fingerprint())):
                        pass
                assert caught.value.setting == "host_key"

    run(main())


def test_a_folder_that_is_not_there_is_told_at_the_start(server: SshServer) -> None:
    async def main() -> None:
        with pytest.raises(FileTransferMisconfigured) as caught:
            async with started(sftp(server, base_path="no/such")):
                pass
        assert caught.value.setting == "base_path"

    run(main())


class Full(Folder):
    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Forbidden(Folder):
    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        raise asyncssh.SFTPPermissionDenied("no")


class Old(Folder):
    """A server without the extension that replaces files."""

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        raise asyncssh.SFTPOpUnsupported("no")


@pytest.mark.parametrize(("folder", "error"), [(Full, FileTransferUnavailable), (Forbidden, FileTransferRefused)])
def test_a_disk_that_is_full_and_what_is_forbidden(folder: type[Folder], error: Any, tmp_path: Path) -> None:
    async def main() -> None:
        async with started(sftp(server)) as files:
            with pytest.raises(error):
                await files.put("name", b"data")
            assert await paths(files) == []
        assert list(tmp_path.iterdir()) == []

    with SshServer(tmp_path, folder=folder) as server:
        run(main())


def test_a_server_that_cannot_replace_in_one_step(tmp_path: Path) -> None:
    async def main() -> None:
        async with started(sftp(server)) as files:
            for data in (b"first", b"second"):
                await files.put("name", data)
                assert await files.get("name") == data
        assert [path.name for path in tmp_path.iterdir()] == ["name"]

    with SshServer(tmp_path, folder=Old) as server:
        run(main())


def test_a_connection_that_is_lost_in_the_middle_leaves_the_old_file(server: SshServer) -> None:
    async def cut(proxy: Proxy, files: Files) -> None:
        async def data() -> AsyncIterator[bytes]:
            yield bytes(500_000)
            proxy.cut()
            yield bytes(500_000)

        with pytest.raises(FileTransferUnavailable):
            await files.put("name", data())

    async def main() -> None:
        with Proxy(server.host, server.port) as proxy:
            async with started(sftp(Address(proxy.host, proxy.port), timeout=5.0)) as files:
                await files.put("name", bytes(3_000_000))
                await cut(proxy, files)
                with pytest.raises(FileTransferUnavailable):
                    async for _ in files.stream("name", chunk_size=300_000):
                        proxy.cut()
                assert (await files.stat("name")).size == 3_000_000
                assert await paths(files) == ["name"]

    run(main())


def test_names_that_are_no_text_are_left_out_and_so_are_links(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "file").write_bytes(b"data")
        (tmp_path / "link").symlink_to("file")
        Path(os.fsdecode(bytes(tmp_path) + b"/\xff")).write_bytes(b"")
        async with started(sftp(server)) as files:
            assert await paths(files) == ["file"]
            await asyncio.gather(*(files.put(f"{n}", pieces(b"a", b"b")) for n in range(5)))

    with SshServer(tmp_path) as server:
        run(main())
