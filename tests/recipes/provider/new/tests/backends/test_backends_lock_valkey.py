"""`lock/valkey` on a Redis server."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager, nullcontext
from uuid import uuid4

import pytest
from oneiric import Secret
from oneiric.adapters.lock import Lock
from oneiric.adapters.lock.valkey import ValkeyLock
from oneiric.testing.contracts import LockContract, NetworkedLockContract, started
from oneiric.testing.contracts.networked import CONNECTIONS, SECRET, TIMEOUT

from tests.backends.activation import ActivationCases, Provider
from tests.backends.harness.kinds import REDIS
from tests.backends.harness.servers import Address, Server, private
from tests.backends.redis_client import set_password


@pytest.fixture(autouse=True)
def server(request: pytest.FixtureRequest, redis: Address) -> None:
    request.instance.redis = redis


class TestValkeyLock(LockContract):
    redis: Address

    def fresh(self) -> AbstractAsyncContextManager[Lock]:
        url = f"redis://{self.redis.host}:{self.redis.port}"
        return started(ValkeyLock(url=url, key_prefix=f"test:{uuid4().hex}:"))


class TestValkeyLockFaults(NetworkedLockContract):
    redis: Address

    def shared(self) -> AbstractContextManager[Address]:
        return nullcontext(self.redis)

    def private(self) -> AbstractContextManager[Server]:
        return private(REDIS)

    def component(self, host: str, port: int, password: Secret | None = None) -> ValkeyLock:
        return ValkeyLock(
            url=f"redis://{host}:{port}",
            password=password,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
            max_connections=CONNECTIONS,
            key_prefix=f"test:{uuid4().hex}:",
        )

    @contextmanager
    def refused(self) -> Generator[ValkeyLock, None, None]:
        with private(REDIS) as server:
            set_password(server, "another")
            yield self.component(server.host, server.port, Secret(SECRET))

    def senseless(self) -> Sequence[tuple[str, Callable[[], ValkeyLock]]]:
        return [
            ("url", lambda: ValkeyLock(url=f"http://:{SECRET}@localhost")),
            ("timeout", lambda: ValkeyLock(timeout=0)),
            ("max_connections", lambda: ValkeyLock(max_connections=0)),
            ("key_prefix", lambda: ValkeyLock(key_prefix="")),
        ]


class TestActivation(ActivationCases):
    provider = Provider("lock", "valkey", "redis", "url", {"url": "redis://127.0.0.1:PORT"})
