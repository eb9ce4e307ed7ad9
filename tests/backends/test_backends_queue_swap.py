"""A queue that is swapped while its messages are being handled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import oneiric
from oneiric import Runtime
from oneiric.adapters.queue import Queue
from oneiric.testing.contracts.queue import ACK_WAIT, SOON, bodies, nothing, taken
from oneiric.testing.contracts.running import run

from tests.backends.application import compiled
from tests.backends.harness.kinds import NATS, REDIS
from tests.backends.harness.servers import private


def test_what_is_being_handled_is_done_where_it_came_from(tmp_path: Path) -> None:
    async def handle(queue: Queue, begun: asyncio.Event, swapped: asyncio.Event) -> bytes:
        async with taken(queue) as message:
            begun.set()
            await swapped.wait()
            return message.body

    async def main() -> None:
        async with Runtime(oneiric.load(old)) as runtime:
            queue: Queue = await runtime.use("adapter", "queue")
            waits = asyncio.ensure_future(bodies(queue, 2))
            begun, swapped = asyncio.Event(), asyncio.Event()
            await queue.publish(b"one")
            await queue.publish(b"two")
            assert sorted(await waits) == [b"one", b"two"]
            await queue.publish(b"old")
            handling = asyncio.ensure_future(handle(queue, begun, swapped))
            await begun.wait()
            reload = asyncio.ensure_future(runtime.reload(new))
            async with asyncio.timeout(SOON):
                while "RedisStreamsQueue" not in type(runtime.wiring.adapters.queue.current).__name__:
                    await asyncio.sleep(0.01)
            await queue.publish(b"new")
            assert await bodies(queue, 1) == [b"new"]
            swapped.set()
            assert await handling == b"old"
            assert (await reload).accepted
            assert await nothing(queue)
            assert (await runtime.reload(old)).accepted
            await asyncio.sleep(2 * ACK_WAIT)
            assert await nothing(queue)

    with private(NATS) as nats, private(REDIS) as redis:
        servers = [f"nats://{nats.host}:{nats.port}"]
        old = compiled(tmp_path / "old", "queue", "nats", {"servers": servers, "ack_wait": ACK_WAIT})
        url = f"redis://{redis.host}:{redis.port}"
        new = compiled(tmp_path / "new", "queue", "redis-streams", {"url": url, "ack_wait": ACK_WAIT})
        run(main())
