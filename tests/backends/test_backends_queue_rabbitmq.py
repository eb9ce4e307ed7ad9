"""The queue in a quorum queue of RabbitMQ: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from oneiric import Secret
from oneiric.adapters.queue import (
    MAX_BODY,
    InvalidMessage,
    Queue,
    QueueClosed,
    QueueMisconfigured,
    QueueRefused,
    QueueUnavailable,
)
from oneiric.adapters.queue.rabbitmq import RabbitMQQueue
from oneiric.testing.contracts import FanoutContract, NetworkedQueueContract, QueueContract, started
from oneiric.testing.contracts.networked import SECRET, TIMEOUT
from oneiric.testing.contracts.queue import ACK_WAIT, MAX_DELIVERIES, Oops, bodies, fail, nothing, taken
from oneiric.testing.contracts.running import run
from oneiric.testing.proxy import Proxy

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.certificates import Authority
from tests.backends.harness.kinds import RABBITMQ
from tests.backends.harness.servers import Address, Server, free_port, program_of


@pytest.fixture(autouse=True, name="name")
def a_name(request: pytest.FixtureRequest, rabbitmq: Address) -> Generator[str, None, None]:
    """The name of a queue on the shared server that is gone afterwards."""
    name = f"test-{uuid4().hex}"
    if request.instance is not None:
        request.instance.rabbitmq, request.instance.name = rabbitmq, name
    yield name
    asyncio.run(delete(rabbitmq, name))


async def delete(address: Address, name: str) -> None:
    async with await aio_pika.connect(host=address.host, port=address.port) as client:
        channel = await client.channel()
        for queue in (name, f"{name}.dead"):
            await channel.queue_delete(queue)
        await channel.exchange_delete(f"{name}.fanout")


def url(address: Address | Server) -> str:
    return f"amqp://{address.host}:{address.port}"


class TestRabbitMQQueue(QueueContract):
    rabbitmq: Address
    name: str

    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        settings: dict[str, Any] = {"ack_wait": ACK_WAIT, "max_deliveries": MAX_DELIVERIES}
        return started(RabbitMQQueue(url=url(self.rabbitmq), queue=self.name, **settings))


class TestRabbitMQFanout(FanoutContract):
    rabbitmq: Address
    name: str

    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        return started(RabbitMQQueue(url=url(self.rabbitmq), queue=self.name))


class Own(Server):
    """A server of these tests alone, which they kill and freeze: one for all, as it takes seconds to start.

    It also listens with TLS, takes small messages only, and nobody may use all of it.
    """

    def __init__(self, authority: Authority) -> None:
        self.tls_port = free_port()

        def prepare(program: str, folder: Path) -> None:
            RABBITMQ.prepare(program, folder)
            authority.write_for("127.0.0.1", folder / "server.crt", folder / "server.key")
            settings = {
                "listeners.ssl.default": f"127.0.0.1:{self.tls_port}",
                "ssl_options.certfile": folder / "server.crt",
                "ssl_options.keyfile": folder / "server.key",
                "max_message_size": MAX_BODY - 1,
                "default_permissions.configure": "^(?!forbidden)",
                "default_permissions.read": "(?<!dead|fanout)$",
                "default_permissions.write": "(?<!dead|fanout)$",
            }
            with (folder / "rabbitmq.conf").open("a") as file:
                file.writelines(f"{name} = {value}\n" for name, value in settings.items())

        super().__init__(replace(RABBITMQ, prepare=prepare), program_of(RABBITMQ))
        self._queues = [f"kept-{number}" for number in range(3)]
        asyncio.run(self._make_queues())
        self._made = time.monotonic()

    async def _make_queues(self) -> None:
        for queue in self._queues:
            async with started(RabbitMQQueue(url=url(self), queue=queue)):
                pass

    def a_queue(self) -> str:
        """A queue that nobody used, old enough to outlive a kill: a new one is written down a moment later."""
        time.sleep(max(self._made + 1.5 - time.monotonic(), 0))
        return self._queues.pop()


@pytest.fixture(scope="module", name="authority")
def an_authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module", name="server")
def an_own_server(authority: Authority) -> Generator[Own, None, None]:
    server = Own(authority)
    try:
        yield server
    finally:
        server.close()


class Severed:
    """The shared server, killed and started for one component: that costs no restart."""

    def __init__(self, proxy: Proxy) -> None:
        self.host, self.port = proxy.host, proxy.port
        self._proxy = proxy

    def kill(self) -> None:
        self._proxy.mood = "drop"
        self._proxy.cut()

    def start(self) -> None:
        self._proxy.mood = "pass"


class TestRabbitMQQueueFaults(NetworkedQueueContract):
    rabbitmq: Address
    name: str
    server: Own | None

    @pytest.fixture(autouse=True)
    def own(self, request: pytest.FixtureRequest) -> None:
        """One case is about what the server keeps: that one gets a server which it really kills."""
        crash = request.function.__name__ == "test_messages_outlive_a_crash_of_the_server"
        self.server = request.getfixturevalue("server") if crash else None

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.rabbitmq)

    @contextmanager
    def private(self) -> Generator[Own | Severed, None, None]:
        if self.server is not None:
            self.name = self.server.a_queue()
            yield self.server
        else:
            with Proxy(self.rabbitmq.host, self.rabbitmq.port) as proxy:
                yield Severed(proxy)

    def component(self, host: str, port: int, **settings: Any) -> RabbitMQQueue:
        return RabbitMQQueue(
            url=f"amqp://{host}:{port}",
            queue=self.name,
            ack_wait=ACK_WAIT,
            timeout=TIMEOUT,
            connect_timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            **settings,
        )

    @contextmanager
    def refused(self) -> Generator[RabbitMQQueue, None, None]:
        yield self.component(self.rabbitmq.host, self.rabbitmq.port, user="guest", password=Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], RabbitMQQueue]]]:
        secret = Secret(SECRET)
        return [
            ("url", lambda: RabbitMQQueue(url=f"redis://a:{SECRET}@localhost")),
            ("url", lambda: RabbitMQQueue(url="amqp://:5672")),
            ("url", lambda: RabbitMQQueue(url="amqp://localhost:99999")),
            ("url", lambda: RabbitMQQueue(url="amqp://localhost:0")),
            ("url", lambda: RabbitMQQueue(url="amqp://localhost/a/b")),
            ("url", lambda: RabbitMQQueue(url="amqp://localhost?heartbeat=5")),
            ("url", lambda: RabbitMQQueue(url=f"amqp://a:{SECRET}@localhost", user="b", password=secret)),
            ("password", lambda: RabbitMQQueue(user="a")),
            ("user", lambda: RabbitMQQueue(password=secret)),
            ("user", lambda: RabbitMQQueue(user="", password=secret)),
            ("ca_file", lambda: RabbitMQQueue(ca_file=Path("ca.pem"))),
            ("ca_file", lambda: RabbitMQQueue(url="amqps://localhost", ca_file=Path("/no/such/ca.pem"))),
            ("queue", lambda: RabbitMQQueue(queue="")),
            ("queue", lambda: RabbitMQQueue(queue="amq.mine")),
            ("queue", lambda: RabbitMQQueue(queue="é" * 121)),
            ("client_name", lambda: RabbitMQQueue(client_name="a\0b")),
            ("ack_wait", lambda: RabbitMQQueue(ack_wait=0)),
            ("ack_wait", lambda: RabbitMQQueue(ack_wait=1800)),
            ("max_deliveries", lambda: RabbitMQQueue(max_deliveries=0)),
            ("timeout", lambda: RabbitMQQueue(timeout=0)),
            ("connect_timeout", lambda: RabbitMQQueue(connect_timeout=-1)),
            ("heartbeat", lambda: RabbitMQQueue(heartbeat=0)),
            ("heartbeat", lambda: RabbitMQQueue(heartbeat=65535)),
            ("healthcheck_timeout", lambda: RabbitMQQueue(healthcheck_timeout=0)),
        ]

    async def eventually(self, queue: Queue) -> None:
        """Also until the queue has a leader, which is a moment after the server answers."""
        await super().eventually(queue)
        if self.server is None:
            return
        async with await aio_pika.connect(host=self.server.host, port=self.server.port) as client:
            channel = await client.channel()
            message = await (await channel.get_queue(self.name)).get(fail=False)
            if message is not None:
                await message.reject(requeue=True)


async def consumers(address: Address, queue: str) -> int | None:
    async with await aio_pika.connect(host=address.host, port=address.port) as client:
        with suppress(ChannelNotFoundEntity):
            declared = await (await client.channel()).declare_queue(queue, passive=True)
            return declared.declaration_result.consumer_count
    return None


async def one_consumer(address: Address, queue: str) -> None:
    while await consumers(address, queue) != 1:
        await asyncio.sleep(0.01)


def test_a_queue_that_was_deleted_goes_on(rabbitmq: Address, name: str) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=url(rabbitmq), queue=name)) as queue:
            await queue.publish(b"lost")
            await delete(rabbitmq, name)
            assert not await queue.health()
            await queue.publish(b"after")
            assert await queue.health()
            assert await bodies(queue, 1) == [b"after"]
            await delete(rabbitmq, name)
            assert await nothing(queue)
            waiting = asyncio.ensure_future(bodies(queue, 1))
            await one_consumer(rabbitmq, name)
            await delete(rabbitmq, name)
            await one_consumer(rabbitmq, name)
            await queue.publish(b"again")
            assert await waiting == [b"again"]

    run(main())


def test_a_consumer_that_is_cancelled_leaves_the_next_message_to_other_processes(rabbitmq: Address, name: str) -> None:
    async def main() -> None:
        one, other = (RabbitMQQueue(url=url(rabbitmq), queue=name) for _ in range(2))
        async with started(one), started(other):
            waiting = asyncio.ensure_future(bodies(one, 1))
            await one_consumer(rabbitmq, name)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert await consumers(rabbitmq, name) == 0
            await one.publish(b"x")
            async with taken(other) as message:
                assert message.attempt == 1

    run(main())


CONSUMER = """
import asyncio, sys
from oneiric.adapters.queue.rabbitmq import RabbitMQQueue

async def main():
    queue = RabbitMQQueue(url=sys.argv[1], queue=sys.argv[2])
    await queue.start()
    async with queue.consume() as message:
        print(message.attempt, flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_message_that_kills_its_consumers_is_a_dead_letter_in_the_end(rabbitmq: Address, name: str) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=url(rabbitmq), queue=name, max_deliveries=2)) as queue:
            await queue.publish(b"deadly", headers={"a": "b"})
            for attempt in (1, 2):
                arguments = (sys.executable, "-c", CONSUMER, url(rabbitmq), name)
                process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
                assert process.stdout is not None
                assert int(await process.stdout.readline()) == attempt
                process.kill()
                await process.wait()
            async with queue.consume(wait=0.5) as none:
                assert none is None
            async with taken(queue, dead=True) as letter:
                assert (letter.body, dict(letter.headers), letter.attempt) == (b"deadly", {"a": "b"}, 1)

    run(main())


def test_a_consumer_that_finishes_after_the_deadline_acknowledges_nothing(rabbitmq: Address, name: str) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=url(rabbitmq), queue=name, ack_wait=0.1)) as queue:
            await queue.publish(b"slow")
            async with taken(queue):
                await asyncio.sleep(0.2)
            async with taken(queue) as message:
                assert (message.body, message.attempt) == (b"slow", 2)
            assert await nothing(queue)

    run(main())


def test_a_last_attempt_that_fails_after_the_deadline_makes_one_dead_letter(rabbitmq: Address, name: str) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=url(rabbitmq), queue=name, ack_wait=0.1, max_deliveries=1)) as queue:
            await queue.publish(b"slow")
            with pytest.raises(Oops):
                async with taken(queue):
                    async with queue.consume(wait=0.3) as none:
                        assert none is None
                    assert await bodies(queue, 1, dead=True) == [b"slow"]
                    raise Oops
            assert await nothing(queue)
            assert await nothing(queue, dead=True)

    run(main())


def test_what_others_write_into_the_queue_comes_too(rabbitmq: Address, name: str) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=url(rabbitmq), queue=name)) as queue:
            async with await aio_pika.connect(host=rabbitmq.host, port=rabbitmq.port) as client:
                exchange = (await client.channel()).default_exchange
                headers: Any = {"a": "b", "n": 1, "Upper": "x", "x-death": [{"reason": "rejected"}]}
                await exchange.publish(aio_pika.Message(b"", headers=headers), name)
            first = await fail(queue)
            async with taken(queue) as message:
                assert (message.body, dict(message.headers), message.attempt) == (b"", {"a": "b"}, 2)
                assert message.id == first.id != ""

    run(main())


@pytest.mark.parametrize("name_of_header", ["x-delivery-count", "x-acquired-count"])
def test_a_header_that_the_server_sets_is_refused(rabbitmq: Address, name: str, name_of_header: str) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=url(rabbitmq), queue=name)) as queue:
            for send in (queue.publish, queue.broadcast):
                with pytest.raises(InvalidMessage, match=name_of_header):
                    await send(b"x", headers={name_of_header: "1"})
            assert await nothing(queue)

    run(main())


@pytest.mark.parametrize("dead", [False, True])
def test_a_queue_that_somebody_declared_otherwise_is_refused(rabbitmq: Address, name: str, dead: bool) -> None:
    async def main() -> None:
        async with await aio_pika.connect(host=rabbitmq.host, port=rabbitmq.port) as client:
            await (await client.channel()).declare_queue(f"{name}.dead" if dead else name, durable=True)
        with pytest.raises(QueueRefused, match=r"PRECONDITION_FAILED - inequivalent arg 'x-queue-type'.*setting queue"):
            async with started(RabbitMQQueue(url=url(rabbitmq), queue=name)) as queue:
                await queue.publish(b"x")
                await nothing(queue, dead=True)

    run(main())


def test_a_virtual_host_that_is_not_there_is_refused(rabbitmq: Address) -> None:
    async def main() -> None:
        with pytest.raises(QueueRefused, match=r"guest may not enter the virtual host a/b .*setting url"):
            async with started(RabbitMQQueue(url=f"{url(rabbitmq)}/a%2Fb")):
                pass

    run(main())


def test_a_message_that_is_too_large_for_the_server_is_refused_and_the_next_is_not(server: Own) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=url(server), queue="large")) as queue:
            with pytest.raises(
                QueueRefused, match=r"PRECONDITION_FAILED - message size .* larger than .*setting queue"
            ):
                await queue.publish(bytes(MAX_BODY))
            await queue.publish(b"small")
            assert await bodies(queue, 1) == [b"small"]

    run(main())


@pytest.mark.parametrize("name_of_queue", ["forbidden", "read", "write"])
def test_what_the_user_may_not_do_is_refused(server: Own, name_of_queue: str) -> None:
    async def main() -> None:
        with pytest.raises(QueueRefused, match=r"ACCESS_REFUSED.*setting user"):
            async with started(RabbitMQQueue(url=url(server), queue=name_of_queue)) as queue:
                await (nothing(queue, dead=True) if name_of_queue == "read" else queue.broadcast(b"x"))

    run(main())


@pytest.mark.parametrize("closing", [False, True])
def test_more_than_a_server_that_stopped_takes_in_comes_to_an_end(server: Own, closing: bool) -> None:
    async def main() -> None:
        queue = RabbitMQQueue(url=url(server), queue="frozen", timeout=TIMEOUT, connect_timeout=TIMEOUT)
        async with started(queue):
            server.freeze()
            calls = [asyncio.ensure_future(queue.publish(bytes(MAX_BODY))) for _ in range(50)]
            await asyncio.sleep(TIMEOUT / 10)
            if closing:
                await queue.aclose()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(outcome) for outcome in outcomes} == {QueueClosed if closing else QueueUnavailable}

    try:
        run(main())
    finally:
        server.thaw()


def test_a_server_with_the_right_certificate_is_trusted(server: Own, authority: Authority, tmp_path: Path) -> None:
    async def main() -> None:
        async with started(RabbitMQQueue(url=address, ca_file=ca, queue="encrypted")) as queue:
            await queue.publish(b"x")
            assert await bodies(queue, 1) == [b"x"]
        for unsure in (
            RabbitMQQueue(url=address),
            RabbitMQQueue(url=address, ca_file=other),
            RabbitMQQueue(url=f"amqps://localhost:{server.tls_port}", ca_file=ca),
            RabbitMQQueue(url=f"amqps://{server.host}:{server.port}", ca_file=ca),
        ):
            with pytest.raises(QueueRefused, match="setting ca_file"):
                async with started(unsure):
                    pass
        with pytest.raises(QueueMisconfigured, match="cannot be read as certificates"):
            async with started(RabbitMQQueue(url=address, ca_file=Path(__file__))):
                pass

    address = f"amqps://{server.host}:{server.tls_port}"
    ca, other = authority.write(tmp_path / "ca.pem"), Authority().write(tmp_path / "other.pem")
    run(main())


class TestActivation(SwapCases):
    provider = Provider("queue", "rabbitmq", "aio_pika", "url", {"url": "amqp://127.0.0.1:PORT"})
