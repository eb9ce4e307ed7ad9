"""The queue in a Redis stream: the contracts, and what is its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    contextmanager,
    nullcontext,
)
from pathlib import Path
from uuid import uuid4

import pytest
from oneiric import Secret
from oneiric.adapters.queue import Queue
from oneiric.adapters.queue.redis_streams import RedisStreamsQueue
from oneiric.testing.contracts import FanoutContract, NetworkedQueueContract, QueueContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT
from oneiric.testing.contracts.queue import ACK_WAIT, MAX_DELIVERIES, Oops, bodies, nothing, taken
from oneiric.testing.contracts.running import run

from tests.backends.activation import Provider, SwapCases
from tests.backends.harness.kinds import REDIS
from tests.backends.harness.servers import Address, Server, private
from tests.backends.redis_client import client_of, set_password


@pytest.fixture(autouse=True, name="stream")
def a_stream(request: pytest.FixtureRequest, redis: Address) -> Generator[str, None, None]:
    """The server, and a stream in it that is gone afterwards."""
    stream = f"test:{uuid4().hex}"
    if request.instance is not None:
        request.instance.redis, request.instance.stream = redis, stream
    yield stream
    with client_of(redis) as client:
        client.delete(stream, f"{stream}:dead")


def url(address: Address) -> str:
    return f"redis://{address.host}:{address.port}/0"


class TestRedisStreamsQueue(QueueContract):
    redis: Address
    stream: str

    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        settings = {"ack_wait": ACK_WAIT, "max_deliveries": MAX_DELIVERIES}
        return started(RedisStreamsQueue(url=url(self.redis), stream=self.stream, **settings))


class TestRedisStreamsFanout(FanoutContract):
    redis: Address
    stream: str

    def fresh(self) -> AbstractAsyncContextManager[Queue]:
        return started(RedisStreamsQueue(url=url(self.redis), stream=self.stream))


def test_what_somebody_else_writes_to_the_channel_is_heard_as_it_is(stream: str, redis: Address) -> None:
    written = [b"", b"[1]\nx", b"{\nx", b"\xff", b'{"a":1}\nx']

    async def main() -> None:
        async with started(RedisStreamsQueue(url=url(redis), stream=stream)) as queue, queue.listen() as listener:
            with client_of(redis) as client:
                for body in written:
                    client.publish(f"{stream}:fanout", body)
            heard = [await listener.next() for _ in written]
            assert [each and (each.body, dict(each.headers)) for each in heard] == [(body, {}) for body in written]

    run(main())


class TestRedisStreamsQueueFaults(NetworkedQueueContract):
    redis: Address
    stream: str

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.redis)

    def private(self) -> AbstractContextManager[Server]:
        return private(REDIS)

    def component(self, host: str, port: int, password: Secret | None = None) -> RedisStreamsQueue:
        return RedisStreamsQueue(
            url=f"redis://{host}:{port}",
            password=password,
            stream=self.stream,
            ack_wait=ACK_WAIT,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            max_connections=CONNECTIONS - 2,
        )

    @contextmanager
    def refused(self) -> Generator[RedisStreamsQueue, None, None]:
        with private(REDIS) as server:
            set_password(server, "another")
            yield self.component(server.host, server.port, Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], RedisStreamsQueue]]]:
        return [
            ("url", lambda: RedisStreamsQueue(url=f"http://:{SECRET}@localhost")),
            ("url", lambda: RedisStreamsQueue(url=f"redis://:{SECRET}@localhost", password=Secret("b"))),
            ("ca_file", lambda: RedisStreamsQueue(ca_file=Path("ca.pem"))),
            ("stream", lambda: RedisStreamsQueue(stream="")),
            ("stream", lambda: RedisStreamsQueue(stream="\ud800")),
            ("group", lambda: RedisStreamsQueue(group="")),
            ("ack_wait", lambda: RedisStreamsQueue(ack_wait=0)),
            ("ack_wait", lambda: RedisStreamsQueue(ack_wait=float("inf"))),
            ("max_deliveries", lambda: RedisStreamsQueue(max_deliveries=0)),
            ("timeout", lambda: RedisStreamsQueue(timeout=-1)),
            ("healthcheck_timeout", lambda: RedisStreamsQueue(healthcheck_timeout=0)),
            ("max_connections", lambda: RedisStreamsQueue(max_connections=0)),
            ("client_name", lambda: RedisStreamsQueue(client_name="a b")),
        ]


def test_a_queue_whose_server_was_emptied_goes_on() -> None:
    async def main() -> None:
        async with started(RedisStreamsQueue(url=url(server), ack_wait=ACK_WAIT)) as queue:
            waiting = asyncio.ensure_future(bodies(queue, 1))
            for _ in range(3):
                await asyncio.sleep(0.05)
                with client_of(server) as client:
                    client.flushall()
            await queue.publish(b"after")
            assert await waiting == [b"after"]
            await queue.publish(b"lost")
            with pytest.raises(Oops):
                async with taken(queue):
                    with client_of(server) as client:
                        client.flushall()
                    raise Oops
            assert await nothing(queue)

    with private(REDIS) as server:
        run(main())


def test_what_others_write_into_the_stream_comes_too(redis: Address, stream: str) -> None:
    async def main() -> None:
        async with started(RedisStreamsQueue(url=url(redis), stream=stream)) as queue:
            with client_of(redis) as client:
                client.xadd(stream, {"other": b"field"})
                client.xadd(stream, {"body": b"x", "header:a": b"\xff"})
            assert await bodies(queue, 2) == [b"", b"x"]

    run(main())


def test_what_is_done_leaves_nothing_in_the_stream(redis: Address, stream: str) -> None:
    async def main() -> None:
        async with started(RedisStreamsQueue(url=url(redis), stream=stream)) as queue:
            for _ in range(20):
                await queue.publish(b"x")
            await bodies(queue, 20)
        with client_of(redis) as client:
            assert client.xlen(stream) == 0
            assert client.xpending(stream, "oneiric")["pending"] == 0

    run(main())


class TestActivation(SwapCases):
    provider = Provider("queue", "redis-streams", "redis", "url", {"url": "redis://127.0.0.1:PORT/0"})
