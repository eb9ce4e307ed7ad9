"""Monitoring by OTLP, over HTTP and gRPC: the contracts, and what is its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from oneiric import Secret, tracing
from oneiric.adapters.monitoring import Monitoring, MonitoringRefused
from oneiric.adapters.monitoring.otel_otlp import OTLPMonitoring
from oneiric.testing.contracts import MonitoringContract, NetworkedMonitoringContract, close, started
from oneiric.testing.contracts.monitoring import FLUSH, Seen
from oneiric.testing.contracts.networked import SECRET, TIMEOUT
from oneiric.testing.contracts.running import run
from opentelemetry import metrics, trace

from tests.backends.activation import ActivationCases, Provider
from tests.backends.harness.certificates import Authority
from tests.backends.harness.receivers import OTLPOverGRPC, OTLPOverHTTP, Receiver


class OverHTTP:
    protocol: Literal["grpc", "http"] = "http"
    make: type[Receiver] = OTLPOverHTTP


class OverGRPC:
    protocol: Literal["grpc", "http"] = "grpc"
    make: type[Receiver] = OTLPOverGRPC


class Contract(MonitoringContract):
    protocol: Literal["grpc", "http"]
    make: type[Receiver]
    receiver: Receiver

    @asynccontextmanager
    async def fresh(self) -> AsyncGenerator[Monitoring, None]:
        with self.make() as self.receiver:
            endpoint = f"http://{self.receiver.host}:{self.receiver.port}"
            async with started(OTLPMonitoring(endpoint=endpoint, protocol=self.protocol)) as monitoring:
                yield monitoring

    def seen(self) -> Sequence[Seen]:
        return self.receiver.seen()

    def raw(self) -> bytes:
        return self.receiver.raw()


class Faults(NetworkedMonitoringContract):
    protocol: Literal["grpc", "http"]
    make: type[Receiver]

    def shared(self) -> AbstractContextManager[Any]:
        return self.make()

    def private(self) -> AbstractContextManager[Any]:
        return self.make()

    def component(self, host: str, port: int, authorization: Secret | None = None) -> OTLPMonitoring:
        return OTLPMonitoring(
            endpoint=f"http://{host}:{port}",
            protocol=self.protocol,
            authorization=authorization,
            timeout=TIMEOUT,
            healthcheck_timeout=TIMEOUT,
        )

    @contextmanager
    def refused(self) -> Generator[OTLPMonitoring, None, None]:
        with self.make(wanted="another") as receiver:
            yield self.component(receiver.host, receiver.port, Secret(f"Bearer {SECRET}"))

    def senseless(self) -> Sequence[tuple[str, Callable[[], OTLPMonitoring]]]:
        anything: Any = "smtp"
        secret = Secret(SECRET)
        return [
            ("endpoint", lambda: OTLPMonitoring(endpoint="127.0.0.1:4317")),
            ("endpoint", lambda: OTLPMonitoring(endpoint="")),
            ("endpoint", lambda: OTLPMonitoring(endpoint="http://")),
            ("endpoint", lambda: OTLPMonitoring(endpoint="http://host:99999")),
            ("endpoint", lambda: OTLPMonitoring(endpoint="ftp://host")),
            ("endpoint", lambda: OTLPMonitoring(endpoint=f"http://a:{SECRET}@host")),
            ("endpoint", lambda: OTLPMonitoring(endpoint="http://host/path", protocol="grpc")),
            ("endpoint", lambda: OTLPMonitoring(endpoint="http://host?x=1", protocol="http")),
            ("protocol", lambda: OTLPMonitoring(protocol=anything)),
            ("headers", lambda: OTLPMonitoring(headers={"a b": "c"})),
            ("headers", lambda: OTLPMonitoring(headers={"a": "c\n"})),
            ("authorization", lambda: OTLPMonitoring(headers={"Authorization": "a"}, authorization=secret)),
            ("authorization", lambda: OTLPMonitoring(authorization=Secret(f"{SECRET}\n"))),
            ("ca_file", lambda: OTLPMonitoring(ca_file=Path("ca.pem"))),
            ("ca_file", lambda: OTLPMonitoring(endpoint="https://h", ca_file=Path("/no/ca.pem"))),
            ("export_interval", lambda: OTLPMonitoring(export_interval=0)),
            ("timeout", lambda: OTLPMonitoring(timeout=-1)),
            ("healthcheck_timeout", lambda: OTLPMonitoring(healthcheck_timeout=float("nan"))),
            ("max_queue_size", lambda: OTLPMonitoring(max_queue_size=0)),
            ("enable_traces", lambda: OTLPMonitoring(enable_traces=False, enable_metrics=False)),
        ]


class TestOTLPOverHTTP(OverHTTP, Contract):
    pass


class TestOTLPOverGRPC(OverGRPC, Contract):
    pass


class TestOTLPOverHTTPFaults(OverHTTP, Faults):
    pass


class TestOTLPOverGRPCFaults(OverGRPC, Faults):
    pass


KINDS = [pytest.param(OverHTTP, id="http"), pytest.param(OverGRPC, id="grpc")]


def over(kind: Any, receiver: Receiver, **settings: Any) -> OTLPMonitoring:
    scheme = "http" if receiver.certificate is None else "https"
    endpoint = f"{scheme}://{receiver.host}:{receiver.port}"
    return OTLPMonitoring(endpoint=endpoint, protocol=kind.protocol, **settings)


def certificates(folder: Path, host: str, days: int = 1) -> tuple[Path, tuple[Path, Path]]:
    """Files of an authority, and of a certificate of its for a host and the key."""
    authority = Authority()
    files = folder / "server.pem", folder / "server.key"
    authority.write_for(host, *files, days=days)
    return authority.write(folder / "ca.pem"), files


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_that_is_trusted_is_fine(kind: Any, tmp_path: Path) -> None:
    async def main() -> None:
        trusted, certificate = certificates(tmp_path, "127.0.0.1")
        with kind.make(certificate=certificate) as receiver:
            async with started(over(kind, receiver, ca_file=trusted)) as monitoring:
                monitoring.event("event")
                monitoring.metric("metric", 1)
                assert await monitoring.flush(timeout=FLUSH)
                assert sorted(each.name for each in receiver.seen()) == ["event", "metric"]

    run(main())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", ["unknown authority", "wrong host", "expired"])
def test_a_certificate_that_is_not_trusted_is_refused(kind: Any, what: str, tmp_path: Path) -> None:
    async def main() -> None:
        host = "other.example" if what == "wrong host" else "127.0.0.1"
        authority, certificate = certificates(tmp_path, host, days=-1 if what == "expired" else 1)
        trusted = None if what == "unknown authority" else authority
        with kind.make(certificate=certificate) as receiver:
            with pytest.raises(MonitoringRefused) as caught:
                async with started(over(kind, receiver, ca_file=trusted)):
                    pass
            assert caught.value.setting == "ca_file"

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_two_at_once_keep_to_their_receivers(kind: Any) -> None:
    async def main() -> None:
        with kind.make() as one, kind.make() as other:
            async with started(over(kind, one)) as first, started(over(kind, other)) as second:
                for monitoring, name in ((first, "first"), (second, "second")):
                    monitoring.event(name)
                    monitoring.metric(name, 1)
                    with monitoring.span(name):
                        pass
                assert await first.flush(timeout=FLUSH)
                await close(first)
                assert await second.flush(timeout=FLUSH)
                assert [each.name for each in one.seen()] == ["first"] * 3
                assert [each.name for each in other.seen()] == ["second"] * 3

    run(main())


def test_nothing_of_the_process_is_changed_and_spans_of_the_runtime_go_where_they_went() -> None:
    told: list[str] = []

    def recorder(span: tracing.Traced) -> tracing.End:
        return lambda error: told.append(span.name)

    async def main() -> None:
        before = type(trace.get_tracer_provider()), type(metrics.get_meter_provider())
        with OTLPOverHTTP() as receiver:
            async with started(over(OverHTTP, receiver)) as monitoring:
                assert (type(trace.get_tracer_provider()), type(metrics.get_meter_provider())) == before
                with tracing.span("swap", key="cache"):
                    pass
                assert await monitoring.flush(timeout=FLUSH)
                assert receiver.seen() == []

    tracing.record(recorder)
    try:
        run(main())
    finally:
        tracing.forget(recorder)
    assert told == ["oneiric.swap"]


def test_only_what_is_enabled_is_sent() -> None:
    async def main(**settings: bool) -> None:
        with OTLPOverHTTP() as receiver:
            async with started(over(OverHTTP, receiver, **settings)) as monitoring:
                monitoring.event("event")
                monitoring.metric("metric", 1)
                assert await monitoring.flush(timeout=FLUSH)
                wanted = ["metric"] if settings == {"enable_traces": False} else ["event"]
                assert [each.name for each in receiver.seen()] == wanted

    run(main(enable_traces=False))
    run(main(enable_metrics=False))


class TestActivation(ActivationCases):
    provider = Provider(
        "monitoring", "otel-otlp", "opentelemetry.sdk", "endpoint", {"endpoint": "http://127.0.0.1:PORT"}
    )
