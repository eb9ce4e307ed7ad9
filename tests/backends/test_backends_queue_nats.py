"""The queue in a JetStream stream: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats as sdk
import pytest
from nats.aio.msg import Msg
from nats.js.api import DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError
from oneiric import Secret
from oneiric.adapters.queue import MAX_BODY, Queue, QueueClosed, QueueRefused, QueueUnavailable
from oneiric.adapters.queue.nats import NATSQueue
from oneiric.testing.contracts import FanoutContract, NetworkedQueueContract, QueueContract, started
from oneiric.testing.contracts.networked import SECRET, TIMEOUT
from oneiric.testing.contracts.queue import ACK_WAIT, MAX_DELIVERIES, bodies, nothing
from oneiric.testing.contracts.running import run

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import NATS
from tests.backends.harness.servers import Address, Server, private


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


class Written:
    """A transport of the SDK that keeps what it writes, in its order."""

    def __init__(self, transport: Any, sent: bytearray) -> None:
        self._transport = transport
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._sent += data
        self._transport.write(data)

    def writelines(self, data: list[bytes]) -> None:
        self._sent += b"".join(data)
        self._transport.writelines(data)


class TestNATSFanout(FanoutContract):
    nats: Address
    stream: str

    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        return started(NATSQueue(servers=[f"nats://{self.nats.host}:{self.nats.port}"], queue=self.stream))

    @pytest.mark.parametrize("begins", [b"SUB ", b"PUB "])
    def test_what_is_said_to_be_with_the_server_is_followed_by_what_it_answered(self, begins: bytes) -> None:
        async def case(queue: Any) -> None:
            sent = bytearray()
            client = queue._connection.client
            client._transport = Written(client._transport, sent)
            if begins == b"SUB ":
                async with queue.listen():
                    written = bytes(sent)
            else:
                await queue.broadcast(b"all")
                written = bytes(sent)
            assert written.rindex(b"PING") > written.index(begins)

        self.check(case)


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
            ("servers", lambda: NATSQueue(servers=["nats://localhost:0"])),
            ("servers", lambda: NATSQueue(servers=["NATS://localhost"])),
            ("servers", lambda: NATSQueue(servers=["nats://localhost\n"])),
            ("servers", lambda: NATSQueue(servers=["nats://localhost?tls=1"])),
            ("servers", lambda: NATSQueue(servers=[f"nats://a:{SECRET}@localhost"])),
            ("servers", lambda: NATSQueue(servers=[f"nats://a:{SECRET}/b@localhost"])),
            ("queue", lambda: NATSQueue(queue="")),
            ("queue", lambda: NATSQueue(queue="a.b")),
            ("token", lambda: NATSQueue(token=secret, user="a", password=secret)),
            ("password", lambda: NATSQueue(user="a")),
            ("user", lambda: NATSQueue(password=secret)),
            ("ca_file", lambda: NATSQueue(ca_file=Path("/no/such/ca.pem"))),
            ("ack_wait", lambda: NATSQueue(ack_wait=0)),
            ("ack_wait", lambda: NATSQueue(ack_wait=float("inf"))),
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


def test_a_message_the_stream_has_no_room_for_is_not_taken(nats: Address, stream: str) -> None:
    async def main() -> None:
        client = await sdk.connect(f"nats://{nats.host}:{nats.port}")
        config = StreamConfig(stream, subjects=[f"{stream}.*"], retention=RetentionPolicy.WORK_QUEUE)
        full = config.evolve(max_msgs=1, discard=DiscardPolicy.NEW)
        await client.jetstream().add_stream(full)  # pyright: ignore[reportUnknownMemberType]
        await client.close()
        async with started(NATSQueue(servers=[f"nats://{nats.host}:{nats.port}"], queue=stream)) as queue:
            await queue.publish(b"first")
            with pytest.raises(QueueUnavailable, match=r"maximum messages exceeded.*setting queue"):
                await queue.publish(b"second")
            assert await bodies(queue, 1) == [b"first"]

    run(main())


@pytest.mark.parametrize("answer", [b"not JSON", b"[]", b'{"seq": "1"}', b'{"error": 1}', b"\xff"])
def test_an_answer_that_is_not_jetstreams_is_no_confirmation(nats: Address, stream: str, answer: bytes) -> None:
    async def main() -> None:
        async def reply(message: Msg) -> None:
            await message.respond(answer)

        async with started(NATSQueue(servers=[f"nats://{nats.host}:{nats.port}"], queue=stream)) as queue:
            client = await sdk.connect(f"nats://{nats.host}:{nats.port}")
            await client.subscribe(f"{stream}.messages", cb=reply)
            await client.flush()
            await client.jetstream().delete_stream(stream)  # last: else now and then the server sees nobody to reply
            with pytest.raises(QueueUnavailable):
                await queue.publish(b"x")
            await client.close()

    run(main())


@pytest.mark.parametrize("subject", ["oneiric.messages", "$JS.API.CONSUMER.MSG.NEXT.oneiric.messages"])
def test_what_the_user_may_not_do_is_refused(subject: str) -> None:
    def prepare(program: str, folder: Path) -> None:
        denied = f"permissions: {{publish: {{deny: ['{subject}']}}}}"
        (folder / "users.conf").write_text(f"authorization {{ users: [{{user: ann, password: p, {denied}}}] }}")

    def program(program: str, folder: Path, port: int) -> Sequence[str]:
        return [*NATS.program(program, folder, port), "-c", str(folder / "users.conf")]

    async def main() -> None:
        address = f"nats://{server.host}:{server.port}"
        async with started(NATSQueue(servers=[address], user="ann", password=Secret("p"), timeout=TIMEOUT)) as queue:
            for _ in range(2):
                with pytest.raises(QueueRefused, match=r"violation for .*setting user"):
                    await (queue.publish(b"x") if subject == "oneiric.messages" else nothing(queue))
            assert await queue.health()

    with private(replace(NATS, prepare=prepare, program=program)) as server:
        run(main())


@pytest.mark.parametrize("closing", [False, True])
def test_more_than_a_server_that_stopped_takes_in_comes_to_an_end(closing: bool) -> None:
    async def main() -> None:
        queue = NATSQueue(servers=[f"nats://{server.host}:{server.port}"], timeout=TIMEOUT, connect_timeout=TIMEOUT)
        async with started(queue):
            server.freeze()
            calls = [asyncio.ensure_future(queue.publish(bytes(MAX_BODY))) for _ in range(50)]
            await asyncio.sleep(TIMEOUT / 10)
            if closing:
                await queue.aclose()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {QueueClosed if closing else QueueUnavailable}

    with private(NATS) as server:
        run(main())
        server.thaw()


class TestEncryption:
    @contextmanager
    def server(self, authority: Authority, *options: str) -> Generator[Server, None, None]:
        def prepare(program: str, folder: Path) -> None:
            authority.write_for("127.0.0.1", folder / "server.crt", folder / "server.key")
            text = f"tls {{ cert_file: '{folder}/server.crt', key_file: '{folder}/server.key' }}"
            (folder / "tls.conf").write_text("\n".join([text, *options]))

        def program(program: str, folder: Path, port: int) -> Sequence[str]:
            return [*NATS.program(program, folder, port), "-c", str(folder / "tls.conf")]

        with private(replace(NATS, prepare=prepare, program=program)) as server:
            yield server

    def test_a_server_with_the_right_certificate_is_trusted(self, tmp_path: Path) -> None:
        async def main() -> None:
            for scheme in ("nats", "tls"):
                sure = NATSQueue(servers=[f"{scheme}://{server.host}:{server.port}"], ca_file=ca)
                async with started(sure) as queue:
                    await queue.publish(b"x")
            for unsure in (
                NATSQueue(servers=[address]),
                NATSQueue(servers=[address], tls=True),
                NATSQueue(servers=[address], ca_file=other),
                NATSQueue(servers=[f"nats://localhost:{server.port}"], ca_file=ca),
            ):
                with pytest.raises(QueueRefused, match="setting ca_file"):
                    async with started(unsure):
                        pass

        authority = Authority()
        ca, other = authority.write(tmp_path / "ca.pem"), Authority().write(tmp_path / "other.pem")
        with self.server(authority) as server:
            address = f"nats://{server.host}:{server.port}"
            run(main())

    def test_a_server_that_leaves_the_choice_encrypts_where_it_is_insisted_on(self, tmp_path: Path) -> None:
        async def main() -> None:
            with pytest.raises(QueueRefused, match="setting ca_file"):
                async with started(NATSQueue(servers=[address], tls=True)):
                    pass
            for settings in ({"ca_file": ca}, {}):
                async with started(NATSQueue(servers=[address], **settings)) as queue:
                    await queue.publish(b"x")

        authority = Authority()
        ca = authority.write(tmp_path / "ca.pem")
        with self.server(authority, "allow_non_tls: true") as server:
            address = f"nats://{server.host}:{server.port}"
            run(main())

    @pytest.mark.parametrize("scheme", ["nats", "tls"])
    def test_a_server_that_does_not_encrypt_is_refused_and_told_nothing(self, scheme: str) -> None:
        async def main() -> None:
            async def pose(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(b'INFO {"server_id":"x","version":"2.9.0","max_payload":1000,"headers":true}\r\n')
                heard.append(await reader.read())
                writer.close()
                done.set()

            heard: list[bytes] = []
            done = asyncio.Event()
            async with await asyncio.start_server(pose, "127.0.0.1", 0) as server:
                servers = [f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"]
                queue = NATSQueue(servers=servers, tls=scheme == "nats", user="somebody", password=Secret(SECRET))
                with pytest.raises(QueueRefused, match=r"does not encrypt.*setting tls"):
                    async with started(queue):
                        pass
                await done.wait()
            assert heard == [b""]

        run(main())


class TestActivation(SwapCases):
    provider = Provider("queue", "nats", "nats", "servers", {"servers": ["nats://127.0.0.1:PORT"]})
