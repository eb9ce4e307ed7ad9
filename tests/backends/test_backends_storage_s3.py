"""The storage in a bucket of S3: the contracts, and what is its own. The server, SeaweedFS, checks signatures."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import botocore.auth
import pytest
from oneiric import Secret
from oneiric.adapters.storage import (
    ObjectReplaced,
    PreconditionFailed,
    Storage,
    StorageMisconfigured,
    StorageRefused,
    StorageUnavailable,
)
from oneiric.adapters.storage.s3 import S3Storage
from oneiric.testing.contracts import NetworkedStorageContract, StorageContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.storage import NAMES, belongs, names, pieces
from oneiric.testing.proxy import Mood, Proxy

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.kinds import S3_KEY, S3_SECRET, SEAWEEDFS
from tests.backends.harness.servers import Address, Server, private
from tests.backends.seaweedfs import client, made_bucket, url

STORED = [name for name in NAMES if max(map(len, name.split("/"))) < 256]
"""SeaweedFS keeps objects as files, in folders."""


def on(server: Address | Server, bucket: str, operation: str, **options: Any) -> Any:
    """What the server answers to an operation on the bucket."""

    async def main() -> Any:
        async with client(server) as s3:
            return await getattr(s3, operation)(Bucket=bucket, **options)

    return asyncio.run(main())


@pytest.fixture(scope="module")
def bucket(seaweedfs: Address) -> str:
    """A new bucket, which goes with the server; it takes a second to make one."""
    name = f"test-{uuid4().hex}"
    asyncio.run(made_bucket(seaweedfs, name))
    return name


@pytest.fixture(autouse=True)
def place(request: pytest.FixtureRequest, seaweedfs: Address, bucket: str) -> Generator[None, None, None]:
    """The bucket, which is empty again afterwards."""
    if request.instance is not None:
        request.instance.server, request.instance.bucket = seaweedfs, bucket
    yield
    keys = [{"Key": each["Key"]} for each in on(seaweedfs, bucket, "list_objects_v2").get("Contents", ())]
    if keys:
        on(seaweedfs, bucket, "delete_objects", Delete={"Objects": keys})


class SeaweedFS:
    server: Address
    bucket: str

    def storage(self, **settings: Any) -> S3Storage:
        given = {"endpoint_url": url(self.server), "access_key_id": S3_KEY, "bucket": self.bucket}
        return S3Storage(**{**given, "secret_access_key": Secret(S3_SECRET), **settings})

    def run(self, case: Callable[[S3Storage], Any], **settings: Any) -> None:
        async def main() -> None:
            async with started(self.storage(**settings)) as storage:
                await case(storage)

        asyncio.run(main())


class TestS3Storage(SeaweedFS, StorageContract):
    writers = 12  # whom SeaweedFS lets in one after the other, a fifth of a second each
    large_races = False  # it looks at the condition before it joins the parts

    def fresh(self) -> AbstractAsyncContextManager[Storage]:
        return started(self.storage())

    @pytest.mark.parametrize("name", STORED)
    def test_every_name_can_be_one(self, name: str) -> None:
        StorageContract.test_every_name_can_be_one(self, name)

    def test_names_are_not_confused(self) -> None:
        """Of SeaweedFS, whose order is that of folders: `a/b` comes before `a b`."""

        async def case(storage: Storage) -> None:
            for name in STORED:
                await storage.put(name, name.encode())
            assert [await storage.get(name) for name in STORED] == [name.encode() for name in STORED]
            assert sorted(await names(storage)) == sorted(STORED)

        self.check(case)


class TestS3StorageFaults(NetworkedStorageContract):
    server: Address
    bucket: str

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.server)

    @contextmanager
    def private(self) -> Generator[Server, None, None]:
        with private(SEAWEEDFS) as server:
            asyncio.run(made_bucket(server, self.bucket))
            yield server

    def component(self, host: str, port: int) -> S3Storage:
        return S3Storage(
            bucket=self.bucket,
            endpoint_url=f"http://{host}:{port}",
            access_key_id=S3_KEY,
            secret_access_key=Secret(S3_SECRET),
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            max_connections=CONNECTIONS,
        )

    @contextmanager
    def refused(self) -> Generator[S3Storage, None, None]:
        settings = {"endpoint_url": url(self.server), "bucket": self.bucket, "access_key_id": S3_KEY}
        yield S3Storage(**settings, secret_access_key=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], S3Storage]]]:
        def new(**settings: Any) -> Callable[[], S3Storage]:
            return lambda: S3Storage(**{"bucket": "abc", **settings})

        key = {"access_key_id": S3_KEY, "secret_access_key": Secret(SECRET)}
        return [
            ("bucket", new(bucket="")),
            ("bucket", new(bucket="Upper")),
            ("bucket", new(bucket="a" * 64)),
            ("bucket", new(bucket="a/b")),
            ("region", new(region="")),
            ("endpoint_url", new(endpoint_url="localhost")),
            ("endpoint_url", new(endpoint_url="ftp://localhost")),
            ("endpoint_url", new(endpoint_url="http://[::1")),
            ("endpoint_url", new(endpoint_url="http://localhost:port")),
            ("endpoint_url", new(endpoint_url="http://localhost/bucket")),
            ("endpoint_url", new(endpoint_url=f"https://a:{SECRET}@b.c")),
            ("secret_access_key", new(access_key_id=S3_KEY)),
            ("secret_access_key", new(access_key_id=S3_KEY, secret_access_key=Secret(""))),
            ("access_key_id", new(secret_access_key=Secret(SECRET))),
            ("access_key_id", new(session_token=Secret(SECRET))),
            ("profile_name", new(profile_name="x", **key)),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=-1)),
            ("max_connections", new(max_connections=0)),
        ]

    def test_a_server_that_falls_silent_in_a_large_put_is_unavailable_and_nothing_is_kept(self) -> None:
        async def case(storage: Storage, proxy: Proxy) -> None:
            async def data(mood: Mood) -> AsyncIterator[bytes]:
                yield bytes(9_000_000)
                proxy.mood = mood
                yield bytes(9_000_000)

            moods: tuple[Mood, ...] = ("hang", "drop", "half")
            for mood in moods:
                async with started(self.patient(proxy.host, proxy.port)) as patient:
                    with pytest.raises(StorageUnavailable):
                        await patient.put_stream("large", data(mood))
                    proxy.mood = "pass"
                    assert await names(patient) == []
                    await patient.put_stream("small", pieces(b"data"))
                    assert await patient.delete("small")

        self.behind(case)

    def test_a_server_that_breaks_off_in_a_large_get_is_unavailable(self) -> None:
        async def case(storage: Storage, proxy: Proxy) -> None:
            async with started(self.patient(proxy.host, proxy.port)) as patient:
                await patient.put("large", bytes(9_000_000))
                moods: tuple[Mood, ...] = ("half", "drop", "hang", "garbage")
                for mood in moods:
                    got = 0
                    with pytest.raises(StorageUnavailable):
                        async for piece in patient.stream("large"):
                            got += len(piece)
                            proxy.mood = mood
                    assert got == 4 * 1024 * 1024
                    proxy.mood = "pass"
                assert await patient.get("large") == bytes(9_000_000)

        self.behind(case)

    def patient(self, host: str, port: int) -> S3Storage:
        """With a timeout that a busy machine's large requests keep."""
        key = {"access_key_id": S3_KEY, "secret_access_key": Secret(S3_SECRET)}
        return S3Storage(bucket=self.bucket, endpoint_url=f"http://{host}:{port}", timeout=3, **key)


class TestItsOwn(SeaweedFS):
    def test_refusals_name_the_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def never(storage: S3Storage) -> None:
            raise AssertionError

        wrong: list[tuple[str, dict[str, Any]]] = [
            ("access_key_id", {"access_key_id": "nobody"}),
            ("secret_access_key", {"secret_access_key": Secret(SECRET)}),
        ]
        for setting, settings in wrong:
            with pytest.raises(StorageRefused) as caught:
                self.run(never, **settings)
            assert caught.value.setting == setting
            assert SECRET not in str(caught.value)
        with pytest.raises(StorageUnavailable) as missing:
            self.run(never, bucket="no-such-bucket")
        assert missing.value.setting == "bucket"
        now = botocore.auth.get_current_datetime
        with monkeypatch.context() as patch, pytest.raises(StorageRefused, match="the clock of this machine is wrong"):
            patch.setattr(botocore.auth, "get_current_datetime", lambda *a, **k: now(*a, **k) - timedelta(hours=1))
            self.run(never)

    def test_keys_come_from_the_environment_and_profiles_too(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        async def put(storage: S3Storage) -> None:
            await storage.put("name", b"data")
            assert await storage.delete("name")

        async def never(storage: S3Storage) -> None:
            raise AssertionError

        files = tmp_path / "credentials"
        files.write_text(f"[of-tests]\naws_access_key_id = {S3_KEY}\naws_secret_access_key = {S3_SECRET}\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(files))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        nobody: dict[str, Any] = {"access_key_id": None, "secret_access_key": None}
        self.run(put, **nobody, profile_name="of-tests")
        with pytest.raises(StorageMisconfigured) as caught:
            self.run(never, **nobody, profile_name="other")
        assert caught.value.setting == "profile_name"
        with pytest.raises(StorageRefused) as refused:
            self.run(never, **nobody)
        assert refused.value.setting == "access_key_id"
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", S3_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", S3_SECRET)
        self.run(put, **nobody)

    def test_an_object_of_many_parts_is_whole_or_not_there(self) -> None:
        async def case(storage: S3Storage) -> None:
            data = bytes(range(256)) * 80_000  # 20 MB, three parts
            stored = await storage.put("name", data, metadata={"a": "b"}, if_absent=True)
            assert belongs(stored, await storage.stat("name"))
            assert await storage.get("name") == data
            again = await storage.put("name", data[::-1], if_match=stored.etag)
            assert await storage.get("name") == data[::-1]
            assert again.etag != stored.etag
            with pytest.raises(PreconditionFailed):
                await storage.put("name", data, if_match=stored.etag)

        self.run(case)

    def test_what_replaces_a_large_object_ends_its_streams(self) -> None:
        async def case(storage: S3Storage) -> None:
            await storage.put("name", b"a" * 9_000_000)
            for change in (storage.put("name", b"b" * 9_000_000), storage.delete("name")):
                got = bytearray()
                with pytest.raises(ObjectReplaced) as caught:
                    async for piece in storage.stream("name"):
                        if not got:
                            await change
                        got += piece
                assert caught.value.name == "name"
                assert got == got[:1] * len(got)

        self.run(case)

    def test_a_large_put_that_fails_leaves_no_parts(self) -> None:
        async def endless(begun: asyncio.Event) -> AsyncIterator[bytes]:
            for _ in range(3):
                yield bytes(9_000_000)
            begun.set()
            await asyncio.Event().wait()

        async def case(storage: S3Storage) -> None:
            with pytest.raises(ZeroDivisionError):
                await storage.put_stream("failing", pieces(bytes(20_000_000), error=ZeroDivisionError()))
            await storage.put("failing", b"old")
            with pytest.raises(PreconditionFailed):
                await storage.put_stream("failing", pieces(bytes(20_000_000)), if_absent=True)
            begun = asyncio.Event()
            putting = asyncio.create_task(storage.put_stream("failing", endless(begun)))
            await begun.wait()
            putting.cancel()
            await asyncio.wait([putting])
            assert await storage.get("failing") == b"old"

        self.run(case, timeout=60.0)  # of a machine whose disk is busy
        left = on(self.server, self.bucket, "list_multipart_uploads").get("Uploads", ())
        assert [each for each in left if each["Key"] == "failing"] == []  # cut connections left others

    def test_large_puts_and_gets_hold_a_few_parts_in_memory(self) -> None:
        async def data() -> AsyncIterator[bytes]:
            for _ in range(40):
                yield bytes(2_000_000)

        async def case(storage: S3Storage) -> None:
            tracemalloc.start()
            await storage.put_stream("name", data())
            size = 0
            async for piece in storage.stream("name"):
                size += len(piece)
            assert size == 80_000_000
            assert tracemalloc.get_traced_memory()[1] < 40_000_000
            tracemalloc.stop()

        self.run(case, timeout=60.0)  # of a machine whose disk is busy

    def test_long_lists_come_in_pages(self) -> None:
        async def case(storage: S3Storage) -> None:
            await asyncio.gather(*(storage.put(f"n/{number:02}", b"") for number in range(40)))
            client = storage._api._client
            listed = client.list_objects_v2
            client.list_objects_v2 = lambda **options: listed(MaxKeys=7, **options)
            assert await names(storage, "n/") == [f"n/{number:02}" for number in range(40)]

        self.run(case)


class TestActivation(SwapCases):
    provider = Provider(
        "storage",
        "s3",
        "aiobotocore",
        "endpoint_url",
        {
            "bucket": "objects",
            "endpoint_url": "http://127.0.0.1:PORT",
            "access_key_id": "key",
            "secret_access_key": "${PROBE_SECRET}",
        },
        "secret",
    )

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        """In place of the module's: these cases want no server."""
