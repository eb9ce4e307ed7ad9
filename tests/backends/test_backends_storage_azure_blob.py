"""The storage in an Azure container: the contracts, and what is its own. The server is azurite, an emulator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    contextmanager,
    nullcontext,
    suppress,
)
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import aiohttp
import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from oneiric import Secret
from oneiric.adapters.storage import ObjectReplaced, Storage, StorageRefused, StorageUnavailable
from oneiric.adapters.storage.azure_blob import AzureBlobStorage
from oneiric.testing.contracts import NetworkedStorageContract, StorageContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.storage import belongs

from tests.backends.activation import Provider, SwapCases
from tests.backends.azurite import ACCOUNT, KEY, client, url
from tests.backends.harness.kinds import AZURITE
from tests.backends.harness.servers import Address, Server, private


@contextmanager
def container(address: Address) -> Generator[str, None, None]:
    """The name of a new container that is gone afterwards."""
    name = f"test-{uuid4().hex}"
    with client(address, name) as made:
        made.create_container()
        yield name
        made.delete_container()


class Forgetful:
    """An azurite that forgets its containers when it is killed, and has this one again when it is started."""

    def __init__(self, server: Server, name: str) -> None:
        self.host, self.port, self.kill = server.host, server.port, server.kill
        self._server, self._name = server, name
        self.create()

    def start(self) -> None:
        self._server.start()
        self.create()

    def create(self) -> None:
        with client(Address(self.host, self.port), self._name) as made, suppress(ResourceExistsError):
            made.create_container()


@pytest.fixture(autouse=True)
def place(request: pytest.FixtureRequest, azurite: Address) -> Generator[None, None, None]:
    with container(azurite) as name:
        if request.instance is not None:
            request.instance.azurite, request.instance.container = azurite, name
        yield


class Azurite:
    azurite: Address
    container: str

    def storage(self, **settings: Any) -> AzureBlobStorage:
        given = {"account_url": url(self.azurite), "credential": Secret(KEY), "container": self.container}
        return AzureBlobStorage(**{**given, **settings})


class TestAzureBlobStorage(Azurite, StorageContract):
    put_headers: ClassVar[Mapping[str, str]] = {"x-ms-blob-type": "BlockBlob"}

    def fresh(self) -> AbstractAsyncContextManager[Storage]:
        return started(self.storage())


class TestAzureBlobStorageFaults(NetworkedStorageContract):
    azurite: Address
    container: str

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.azurite)

    @contextmanager
    def private(self) -> Generator[Forgetful, None, None]:
        with private(AZURITE) as server:
            yield Forgetful(server, self.container)

    def component(self, host: str, port: int, key: str = KEY) -> AzureBlobStorage:
        return AzureBlobStorage(
            account_url=f"http://{host}:{port}/{ACCOUNT}",
            credential=Secret(key),
            container=self.container,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            max_connections=CONNECTIONS,
        )

    @contextmanager
    def refused(self) -> Generator[AzureBlobStorage, None, None]:
        settings = {"account_url": url(self.azurite), "container": self.container}
        yield AzureBlobStorage(**settings, credential=Secret(f"sv=2021-08-06&sr=c&sp=rl&sig={SECRET}"))

    def senseless(self) -> Sequence[tuple[str, Callable[[], AzureBlobStorage]]]:
        def new(**settings: Any) -> Callable[[], AzureBlobStorage]:
            return lambda: AzureBlobStorage(**{"container": "abc", "account_url": "https://a.blob.x", **settings})

        string = Secret(f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET}")
        return [
            ("container", new(container="")),
            ("container", new(container="Upper")),
            ("container", new(container="a--b")),
            ("container", new(container="a" * 64)),
            ("account_url", new(account_url=None)),
            ("account_url", new(account_url="localhost")),
            ("account_url", new(account_url="ftp://localhost")),
            ("account_url", new(account_url="http://[::1")),
            ("account_url", new(account_url=f"https://a.blob.x?sig={SECRET}")),
            ("credential", new(credential=Secret(SECRET))),
            ("connection_string", new(connection_string=string)),
            ("connection_string", new(account_url=None, connection_string=Secret(SECRET))),
            ("connection_string", new(account_url=None, connection_string=string, credential=Secret(KEY))),
            ("ca_file", new(ca_file=Path("/no/such/ca.pem"))),
            ("timeout", new(timeout=0)),
            ("healthcheck_timeout", new(healthcheck_timeout=-1)),
            ("max_connections", new(max_connections=0)),
        ]


class TestItsOwn(Azurite):
    def run(self, case: Callable[[AzureBlobStorage], Any], **settings: Any) -> None:
        async def main() -> None:
            async with started(self.storage(**settings)) as storage:
                await case(storage)

        asyncio.run(main())

    def test_a_connection_string_and_a_signature_lead_to_the_same_objects(self) -> None:
        async def put(storage: AzureBlobStorage) -> None:
            await storage.put("name", b"data")
            link = (await storage.link("name")).reveal()
            async with aiohttp.ClientSession() as session, session.get(link) as response:
                assert await response.read() == b"data"

        async def get(storage: AzureBlobStorage) -> None:
            assert await storage.get("name") == b"data"
            with pytest.raises(StorageRefused):
                await storage.delete("name")
            with pytest.raises(StorageRefused) as caught:
                await storage.link("name")
            assert caught.value.setting == "credential"

        string = f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url(self.azurite)};"
        self.run(put, connection_string=Secret(string), account_url=None, credential=None)
        may = ContainerSasPermissions(read=True, list=True)
        until = datetime.now(UTC) + timedelta(hours=1)
        signature = generate_container_sas(ACCOUNT, self.container, KEY, permission=may, expiry=until)
        self.run(get, credential=Secret(signature))
        expired = generate_container_sas(
            ACCOUNT, self.container, KEY, permission=may, expiry=datetime(2020, 1, 1, tzinfo=UTC)
        )
        with pytest.raises(StorageRefused) as caught:
            self.run(get, credential=Secret(expired))
        assert caught.value.setting == "credential"

    def test_another_key_is_refused(self) -> None:
        async def never(storage: AzureBlobStorage) -> None:
            raise AssertionError

        with pytest.raises(StorageRefused) as caught:
            self.run(never, credential=Secret("c29tZXRoaW5nIGVsc2U="))
        assert caught.value.setting == "credential"

    def test_a_container_that_is_not_there_is_named(self) -> None:
        async def never(storage: AzureBlobStorage) -> None:
            raise AssertionError

        with pytest.raises(StorageUnavailable) as caught:
            self.run(never, container="no-such-container")
        assert caught.value.setting == "container"

    def test_an_object_of_many_parts_is_whole_or_not_there(self) -> None:
        async def case(storage: AzureBlobStorage) -> None:
            data = bytes(range(256)) * 40_000  # 10 MB, three parts
            stored = await storage.put("name", data, metadata={"a": "b"}, if_absent=True)
            entry = await storage.stat("name")
            assert belongs(stored, entry)
            assert await storage.get("name") == data
            pieces = [piece async for piece in storage.stream("name", chunk_size=1_000_000)]
            assert b"".join(pieces) == data
            again = await storage.put("name", data[::-1], if_match=entry.etag)
            assert await storage.get("name") == data[::-1]
            assert again.etag != entry.etag

        self.run(case)

    def test_what_replaces_a_large_object_ends_its_streams_and_not_its_reading(self) -> None:
        async def case(storage: AzureBlobStorage) -> None:
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
            await storage.put("name", b"0" * 9_000_000)

            async def replace() -> None:
                for letter in (b"1", b"2"):
                    await storage.put("name", letter * 9_000_000)

            replacing = asyncio.ensure_future(replace())
            data = await storage.get("name")
            assert data == data[:1] * 9_000_000
            await replacing

        self.run(case)

    def test_long_lists_come_in_pages(self) -> None:
        async def case(storage: AzureBlobStorage) -> None:
            await asyncio.gather(*(storage.put(f"n/{number:02}", b"") for number in range(40)))
            client = storage._client
            assert client is not None
            listed = client.list_blobs
            storage._client.list_blobs = lambda **options: listed(results_per_page=7, **options)
            names = [entry.name async for entry in storage.list("n/")]
            assert names == [f"n/{number:02}" for number in range(40)]

        self.run(case)


class TestActivation(SwapCases):
    provider = Provider(
        "storage",
        "azure-blob",
        "azure",
        "account_url",
        {"container": "objects", "account_url": "http://127.0.0.1:PORT/account"},
    )

    @pytest.fixture(autouse=True)
    def place(self) -> None:
        """In place of the module's: these cases want no server."""
