"""The queue in a JetStream stream: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import nats as sdk
import pytest
from nats.js.errors import NotFoundError
from oneiric import Secret
from oneiric.adapters.queue import Queue, QueueUnavailable
from oneiric.adapters.queue.nats import NATSQueue
from oneiric.testing.contracts import NetworkedQueueContract, QueueContract, started
from oneiric.testing.contracts.networked import SECRET, TIMEOUT
from oneiric.testing.contracts.queue import ACK_WAIT, MAX_DELIVERIES, bodies, nothing
from oneiric.testing.contracts.running import run

from tests.backends.harness.servers import NATS, Address, Server, private


@pytest.fixture(autouse=True, name="stream")
def a_stream(request: pytest.FixtureRequest) -> Generator[str, None, None]:
    """The name of a stream on the shared server that is gone afterwards."""
    address: Address = request.getfixturevalue("nats")
    stream = f"test-{uuid4().hex}"
    if request.instance is not None:
        request.instance.nats, request.instance.stream = address, stream
    yield stream
    asyncio.run(delete(address, stream))


async def delete(address: Address, stream: str) -> None:
    client = await sdk.connect(f"nats://{address.host}:{address.port}")
    try:
        await client.jetstream().delete_stream(stream)
    except NotFoundError:
        pass
    finally:
        await client.close()


class TestNATSQueue(QueueContract):
    nats: Address
    stream: str

    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        servers = [f"nats://{self.nats.host}:{self.nats.port}"]
        return started(NATSQueue(servers=servers, queue=self.stream, ack_wait=ACK_WAIT, max_deliveries=MAX_DELIVERIES))


# nats-py connects by `asyncio.wait_for`, which on Python 3.11 may lose a connection that is made as it is cancelled:
# the collector closes that, and tells. That none is left is asserted all the same.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
class TestNATSQueueFaults(NetworkedQueueContract):
    nats: Address
    stream: str

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.nats)

    def private(self) -> AbstractContextManager[Server]:
        return private(NATS)

    def component(self, host: str, port: int, **secrets: Secret | str) -> NATSQueue:
        return NATSQueue(
            servers=[f"nats://{host}:{port}"],
            queue=self.stream,
            ack_wait=ACK_WAIT,
            timeout=TIMEOUT,
            connect_timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            **secrets,
        )

    @contextmanager
    def refused(self) -> Generator[NATSQueue, None, None]:
        def program(nats_server: str, folder: Path, port: int) -> Sequence[str]:
            return [*NATS.program(nats_server, folder, port), "--user", "somebody", "--pass", "another"]

        with private(replace(NATS, program=program)) as server:
            yield self.component(server.host, server.port, user="somebody", password=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], NATSQueue]]]:
        secret = Secret(SECRET)
        return [
            ("servers", lambda: NATSQueue(servers=[])),
            ("servers", lambda: NATSQueue(servers=["localhost:4222"])),
            ("servers", lambda: NATSQueue(servers=["nats://localhost:4222", "http://localhost"])),
            ("servers", lambda: NATSQueue(servers=["nats://localhost:99999"])),
            ("servers", lambda: NATSQueue(servers=[f"nats://a:{SECRET}@localhost"])),
            ("servers", lambda: NATSQueue(servers=[f"nats://a:{SECRET}/b@localhost"])),
            ("queue", lambda: NATSQueue(queue="")),
            ("queue", lambda: NATSQueue(queue="a.b")),
            ("token", lambda: NATSQueue(token=secret, user="a", password=secret)),
            ("password", lambda: NATSQueue(user="a")),
            ("user", lambda: NATSQueue(password=secret)),
            ("tls_ca_certs", lambda: NATSQueue(tls_ca_certs=Path("/no/such/ca.pem"))),
            ("ack_wait", lambda: NATSQueue(ack_wait=0)),
            ("max_deliveries", lambda: NATSQueue(max_deliveries=0)),
            ("timeout", lambda: NATSQueue(timeout=0)),
            ("connect_timeout", lambda: NATSQueue(connect_timeout=-1)),
            ("ping_interval", lambda: NATSQueue(ping_interval=0)),
            ("healthcheck_timeout", lambda: NATSQueue(healthcheck_timeout=0)),
        ]


def test_a_queue_whose_stream_was_deleted_goes_on(nats: Address, stream: str) -> None:
    async def main() -> None:
        servers = [f"nats://{nats.host}:{nats.port}"]
        async with started(NATSQueue(servers=servers, queue=stream, ack_wait=ACK_WAIT, timeout=TIMEOUT)) as queue:
            await delete(nats, stream)
            assert not await queue.health()
            await queue.publish(b"after")
            assert await bodies(queue, 1) == [b"after"]
            await delete(nats, stream)
            assert await nothing(queue)
            await queue.publish(b"again")
            assert await bodies(queue, 1) == [b"again"]

    run(main())


def test_the_first_server_that_answers_is_used(nats: Address, stream: str) -> None:
    async def main() -> None:
        servers = ["nats://127.0.0.1:1", f"nats://{nats.host}:{nats.port}"]
        async with started(NATSQueue(servers=servers, queue=stream)) as queue:
            await queue.publish(b"x")
            assert await bodies(queue, 1) == [b"x"]

    run(main())


def test_a_server_without_jetstream_is_unavailable() -> None:
    def program(nats_server: str, folder: Path, port: int) -> Sequence[str]:
        return [nats_server, "-a", "127.0.0.1", "-p", str(port)]

    async def main() -> None:
        with pytest.raises(QueueUnavailable):
            async with started(NATSQueue(servers=[f"nats://{server.host}:{server.port}"], timeout=TIMEOUT)):
                pass

    with private(replace(NATS, program=program)) as server:
        run(main())
