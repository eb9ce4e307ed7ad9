"""Monitoring by Sentry: the contracts, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import sentry_sdk
from oneiric import Secret
from oneiric.adapters.monitoring import Monitoring
from oneiric.adapters.monitoring.sentry import SentryMonitoring
from oneiric.testing.contracts import MonitoringContract, NetworkedMonitoringContract, started
from oneiric.testing.contracts.monitoring import Seen
from oneiric.testing.contracts.networked import SECRET, TIMEOUT
from oneiric.testing.contracts.running import run

from tests.backends.activation import ActivationCases, Provider
from tests.backends.harness.receivers import SentryReceiver

KEY = "0123456789abcdef"


class TestSentry(MonitoringContract):
    receiver: SentryReceiver

    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Monitoring, None]:
        with SentryReceiver(wanted=KEY) as self.receiver:
            dsn = Secret(f"http://{KEY}@{self.receiver.host}:{self.receiver.port}/1")
            component = SentryMonitoring(dsn=dsn, traces_sample_rate=1.0, attach_stacktrace=False, max_queue_size=1000)
            async with started(component) as monitoring:
                self.receiver.requests.clear()  # what it asks at the start
                yield monitoring

    def seen(self) -> Sequence[Seen]:
        return self.receiver.seen()

    def raw(self) -> bytes:
        return self.receiver.raw()


class TestSentryFaults(NetworkedMonitoringContract):
    def shared(self) -> AbstractContextManager[Any]:
        return SentryReceiver()

    def private(self) -> AbstractContextManager[Any]:
        return SentryReceiver()

    def component(self, host: str, port: int, key: str = KEY) -> SentryMonitoring:
        return SentryMonitoring(
            dsn=Secret(f"http://{key}@{host}:{port}/1"),
            traces_sample_rate=1.0,
            attach_stacktrace=False,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
        )

    @contextmanager
    def refused(self) -> Generator[SentryMonitoring, None, None]:
        with SentryReceiver(wanted=KEY) as receiver:
            yield self.component(receiver.host, receiver.port, SECRET)

    def senseless(self) -> Sequence[tuple[str, Callable[[], SentryMonitoring]]]:
        dsn = Secret(f"http://{SECRET}@localhost/1")
        return [
            ("dsn", lambda: SentryMonitoring(dsn=Secret(""))),
            ("dsn", lambda: SentryMonitoring(dsn=Secret(SECRET))),
            ("dsn", lambda: SentryMonitoring(dsn=Secret(f"ftp://{SECRET}@localhost/1"))),
            ("dsn", lambda: SentryMonitoring(dsn=Secret("http://localhost/1"))),
            ("dsn", lambda: SentryMonitoring(dsn=Secret(f"http://{SECRET}@localhost/project"))),
            ("dsn", lambda: SentryMonitoring(dsn=Secret(f"http://{SECRET}@localhost:99999/1"))),
            ("ca_file", lambda: SentryMonitoring(dsn=dsn, ca_file=Path("/no/such/ca.pem"))),
            ("traces_sample_rate", lambda: SentryMonitoring(dsn=dsn, traces_sample_rate=1.5)),
            ("timeout", lambda: SentryMonitoring(dsn=dsn, timeout=0)),
            ("healthcheck_timeout", lambda: SentryMonitoring(dsn=dsn, healthcheck_timeout=float("nan"))),
            ("max_queue_size", lambda: SentryMonitoring(dsn=dsn, max_queue_size=0)),
        ]


def test_nothing_of_the_process_is_changed() -> None:
    async def main() -> None:
        with SentryReceiver() as receiver:
            dsn = Secret(f"http://{KEY}@{receiver.host}:{receiver.port}/1")
            async with started(SentryMonitoring(dsn=dsn, traces_sample_rate=1.0)) as monitoring:
                with monitoring.span("span"):
                    assert not sentry_sdk.get_client().is_active()
                    assert sentry_sdk.get_current_span() is None
                    sentry_sdk.capture_message("of the application")
                assert await monitoring.flush()
                assert not sentry_sdk.get_client().is_active()
            assert b"of the application" not in receiver.raw()

    run(main())


class TestActivation(ActivationCases):
    provider = Provider(
        "monitoring", "sentry", "sentry_sdk", "dsn", {"dsn": "${PROBE_SECRET}"}, "http://key@127.0.0.1:PORT/1"
    )
