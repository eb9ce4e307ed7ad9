"""Monitoring by Logfire: the contracts, and what is its own."""

from __future__ import annotations

import concurrent.futures
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any

import logfire
from oneiric import Secret
from oneiric.adapters.monitoring import Monitoring
from oneiric.adapters.monitoring.logfire import LogfireMonitoring
from oneiric.testing.contracts import MonitoringContract, NetworkedMonitoringContract, started
from oneiric.testing.contracts.monitoring import Seen
from oneiric.testing.contracts.networked import SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from opentelemetry import metrics, propagate, trace

from tests.backends.activation import ActivationCases, Provider
from tests.backends.harness.receivers import OTLPOverHTTP

TOKEN = "pylf_v1_local_write"


class TestLogfire(MonitoringContract):
    receiver: OTLPOverHTTP

    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Monitoring, None]:
        with OTLPOverHTTP(wanted=TOKEN) as self.receiver:
            base_url = f"http://{self.receiver.host}:{self.receiver.port}"
            async with started(LogfireMonitoring(token=Secret(TOKEN), base_url=base_url)) as monitoring:
                yield monitoring

    def seen(self) -> Sequence[Seen]:
        return self.receiver.seen()

    def raw(self) -> bytes:
        return self.receiver.raw()


class TestLogfireFaults(NetworkedMonitoringContract):
    def shared(self) -> AbstractContextManager[Any]:
        return OTLPOverHTTP()

    def private(self) -> AbstractContextManager[Any]:
        return OTLPOverHTTP()

    def component(self, host: str, port: int, token: str = TOKEN) -> LogfireMonitoring:
        return LogfireMonitoring(
            token=Secret(token),
            base_url=f"http://{host}:{port}",
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
        )

    @contextmanager
    def refused(self) -> Generator[LogfireMonitoring, None, None]:
        with OTLPOverHTTP(wanted=TOKEN) as receiver:
            yield self.component(receiver.host, receiver.port, SECRET)

    def senseless(self) -> Sequence[tuple[str, Callable[[], LogfireMonitoring]]]:
        token = Secret(SECRET)
        return [
            ("token", lambda: LogfireMonitoring(token=Secret(""))),
            ("token", lambda: LogfireMonitoring(token=Secret(f"{SECRET} b"))),
            ("token", lambda: LogfireMonitoring(token=Secret(f"{SECRET}\n"))),
            ("base_url", lambda: LogfireMonitoring(token=token, base_url="logfire.example")),
            ("base_url", lambda: LogfireMonitoring(token=token, base_url=f"https://a:{SECRET}@host")),
            ("export_interval", lambda: LogfireMonitoring(token=token, export_interval=0)),
            ("timeout", lambda: LogfireMonitoring(token=token, timeout=0)),
            ("healthcheck_timeout", lambda: LogfireMonitoring(token=token, healthcheck_timeout=0)),
            ("max_queue_size", lambda: LogfireMonitoring(token=token, max_queue_size=0)),
        ]


def test_nothing_of_the_process_is_changed() -> None:
    def state() -> list[object]:
        return [
            concurrent.futures.ThreadPoolExecutor.submit,
            concurrent.futures.ProcessPoolExecutor.submit,
            propagate.get_global_textmap(),
            type(trace.get_tracer_provider()),
            type(metrics.get_meter_provider()),
            logfire.DEFAULT_LOGFIRE_INSTANCE.config.token,
            logfire.DEFAULT_LOGFIRE_INSTANCE.config.service_name,
        ]

    async def main() -> None:
        before = state()
        with OTLPOverHTTP() as receiver:
            base_url = f"http://{receiver.host}:{receiver.port}"
            component = LogfireMonitoring(token=Secret(TOKEN), base_url=base_url, service_name="other")
            async with started(component) as monitoring:
                monitoring.event("event")
                assert state() == before
            assert state() == before

    run(main())


class TestActivation(ActivationCases):
    provider = Provider(
        "monitoring",
        "logfire",
        "logfire",
        "base_url",
        {"token": "${PROBE_SECRET}", "base_url": "http://127.0.0.1:PORT"},
        "token",
    )
