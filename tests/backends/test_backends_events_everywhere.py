"""Events that every process is told of, through servers: also after these were away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from oneiric.adapters.queue.nats import NATSQueue
from oneiric.adapters.queue.redis_streams import RedisStreamsQueue
from oneiric.engines import listening

from tests.backends.harness.kinds import NATS, REDIS
from tests.backends.harness.servers import Server, private
from tests.unit.events.parts import PLACED
from tests.unit.events.test_events_everywhere import process
from tests.unit.runtime.making import run


def _redis(server: Server) -> Any:
    return RedisStreamsQueue(url=f"redis://{server.host}:{server.port}", timeout=1.0)


def _nats(server: Server) -> Any:
    return NATSQueue(servers=[f"nats://{server.host}:{server.port}"], timeout=1.0)


@pytest.mark.parametrize(
    ("kind", "queue"), [(lambda: private(REDIS), _redis), (lambda: private(NATS), _nats)], ids=["redis", "nats"]
)
def test_processes_are_told_by_a_server_and_again_when_it_was_away(
    kind: Callable[[], AbstractContextManager[Server]],
    queue: Callable[[Server], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "_LONGEST", 0.2)
    called: Counter[str] = Counter()

    async def main() -> None:
        async with process(lambda: queue(server), called, "a") as a, process(lambda: queue(server), called, "b"):

            async def told(name: str) -> None:
                """Emit until the other process hears: it may not listen yet."""
                number = 0
                while not any(key.startswith(f"b all {name}") for key in called):
                    number += 1
                    await a.wiring.topics.order_placed.emit(PLACED, id=f"{name}-{number}")

            await told("first")
            server.kill()
            answer = await a.wiring.topics.order_placed.emit(PLACED, id="away")
            assert [(each.handler, each.state) for each in answer.failed] == [("adapter:queue", "failed")]
            server.start()
            await told("second")

    with kind() as server:
        run(main(), within=60)
    assert called["a all away"] == 1
    assert called["b all away"] == 0
    assert set(called.values()) == {1}
