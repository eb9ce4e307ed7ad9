"""Monitoring provider `otel-otlp`: OpenTelemetry spans and metrics to a collector, or whatever speaks OTLP."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import urlsplit

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer, use_span

from oneiric import Secret, component
from oneiric.adapters._common.network import revealed
from oneiric.adapters.monitoring import Attributes, Level, Span, check_level, checked_name, told_attributes
from oneiric.adapters.monitoring._otlp import PROTOBUF, Instruments, Pipeline, http_exporters, tell_error
from oneiric.adapters.monitoring._outbox import Outbox
from oneiric.adapters.monitoring._receiver import Receiver, checked_url, faults_of
from oneiric.adapters.monitoring._sending import Measure, Sending

_FAULTS = faults_of("otel-otlp")


@component(
    "adapter",
    "monitoring",
    provider="otel-otlp",
    priority=0,
    stack_level=-20,
    capabilities=("tracing", "metrics", "events", "errors"),
    port="oneiric.adapters.monitoring:Monitoring",
)
class OTLPMonitoring(Sending):
    """Sends spans and metrics by OTLP, with a tracer and meter of its own.

    An event is a span without length; an exception too, with a status and an event as OpenTelemetry defines them.
    Spans are OpenTelemetry's current ones: spans of other tracers join the same trace.

    Needs an OTLP receiver; the extra `monitoring-otel-otlp`.

    `endpoint`: `http://HOST:PORT`, or `https://…` for TLS; usual ports are 4317 (grpc) and 4318 (http).
    `protocol`: `grpc`, or `http`: protobuf to `/v1/traces` and `/v1/metrics` below the endpoint.
    `headers`: sent with every request.
    `authorization`: the header of that name, such as `Bearer TOKEN`.
    `ca_file`: a file of certificates to trust, instead of those the system trusts.
    `service_name`: who records, an attribute of the resource.
    `environment`: where it runs, an attribute of the resource.
    `release`: which version runs, an attribute of the resource.
    `export_interval`: seconds from one sending of spans and metrics to the next.
    `timeout`: seconds for one request with the tries it may take, and for sending the rest when closed.
    `healthcheck_timeout`: seconds for the receiver to answer a health check, and at the start.
    `max_queue_size`: how many spans, events and exceptions wait at most.
    `enable_traces`: send spans, events and exceptions.
    `enable_metrics`: send metrics.
    """

    _provider = "otel-otlp"

    def __init__(
        self,
        *,
        endpoint: str = "http://127.0.0.1:4317",
        protocol: Literal["grpc", "http"] = "grpc",
        headers: dict[str, str] | None = None,
        authorization: Secret | None = None,
        ca_file: Path | None = None,
        service_name: str = "oneiric",
        environment: str = "development",
        release: str | None = None,
        export_interval: float = 10.0,
        timeout: float = 5.0,
        healthcheck_timeout: float = 2.0,
        max_queue_size: int = 2048,
        enable_traces: bool = True,
        enable_metrics: bool = True,
    ) -> None:
        _FAULTS.check_above_zero(
            export_interval=export_interval,
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
            max_queue_size=max_queue_size,
        )
        self._endpoint = checked_url(endpoint, "endpoint", _FAULTS)
        if protocol not in ("grpc", "http"):  # pyright: ignore[reportUnnecessaryContains]
            raise _FAULTS.no_sense("is neither grpc nor http", "protocol")
        if protocol == "grpc" and urlsplit(self._endpoint).path:
            raise _FAULTS.no_sense("has a path, and the protocol is grpc", "endpoint")
        if not (enable_traces or enable_metrics):
            raise _FAULTS.no_sense("is off, and enable_metrics too: nothing is left to send", "enable_traces")
        if ca_file is not None and not self._endpoint.startswith("https:"):
            raise _FAULTS.no_sense("is given, but the endpoint is without TLS", "ca_file")
        if ca_file is not None and not ca_file.is_file():
            raise _FAULTS.no_sense(f"{ca_file} is not a file", "ca_file")
        self._headers = _checked_headers(headers or {}, authorization)
        self._authorization = authorization
        self._ca_file = ca_file
        self._protocol = protocol
        self._about = {"service.name": service_name, "deployment.environment.name": environment}
        if release is not None:
            self._about["service.version"] = release
        self._interval = export_interval
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._size = max_queue_size
        self._signals = (enable_traces, enable_metrics)

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        self._opened()
        return _Span(self._tracer, checked_name(name), attributes)

    def event(self, name: str, attributes: Attributes | None = None, *, level: Level = "info") -> None:
        self._opened()
        check_level(level)
        told = told_attributes(attributes)
        self._tracer.start_span(checked_name(name), attributes={**told, "event.level": level}).end()

    def exception(self, error: BaseException, attributes: Attributes | None = None) -> None:
        self._opened()
        told = told_attributes(attributes)
        span = self._tracer.start_span(type(error).__name__, attributes={**told, "event.level": "error"})
        tell_error(span, error)
        span.end()

    async def _ask(self) -> None:
        """See that the receiver takes an empty request of the first signal that is sent to it."""
        signal = "traces" if self._signals[0] else "metrics"
        url = f"{self._endpoint}/v1/{signal}" if self._protocol == "http" else self._endpoint
        receiver = Receiver(_FAULTS, url, "endpoint", "authorization", self._authorization, self._ca_file)
        if self._protocol == "http":
            await receiver.ask(b"", {**self._all_headers(), **PROTOBUF}, self._healthcheck_timeout)
        else:
            from oneiric.adapters.monitoring._grpc import ask

            await ask(receiver, signal, self._all_headers(), self._healthcheck_timeout)

    def _all_headers(self) -> dict[str, str]:
        secret = revealed(self._authorization)
        return self._headers if secret is None else {**self._headers, "authorization": secret}

    def _open(self) -> tuple[Outbox[Any], Measure]:
        if self._protocol == "http":
            make = http_exporters
        else:
            from oneiric.adapters.monitoring._grpc import grpc_exporters as make

        spans, metrics = make(self._endpoint, self._all_headers(), self._timeout, self._ca_file, self._signals)
        pipeline = Pipeline(
            self._provider, spans, metrics, size=self._size, interval=self._interval, timeout=self._timeout
        )
        resource = Resource.create(self._about)
        traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        traces.add_span_processor(pipeline)
        meters = MeterProvider(pipeline.readers, resource=resource, shutdown_on_exit=False)
        self._tracer: Tracer = traces.get_tracer("oneiric.monitoring")
        return pipeline.outbox, Instruments(meters.get_meter("oneiric.monitoring")).record


class _Span:
    """A span that begins when it is entered."""

    __slots__ = ("_attributes", "_current", "_name", "_span", "_tracer")

    def __init__(self, tracer: Tracer, name: str, attributes: Attributes | None) -> None:
        self._tracer = tracer
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> _Span:
        self._span = self._tracer.start_span(self._name, attributes=told_attributes(self._attributes))
        self._current = use_span(self._span, record_exception=False, set_status_on_exception=False)
        self._current.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            tell_error(self._span, error)
        self._current.__exit__(None, None, None)
        self._span.end()

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(told_attributes(attributes))


def _checked_headers(headers: Mapping[str, str], authorization: Secret | None) -> dict[str, str]:
    """Headers as both protocols want them. Raises the port's error."""
    checked: dict[str, str] = {}
    for name, value in headers.items():
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise _FAULTS.no_sense(f"{name!r} is not a valid header name", "headers")
        if not value.isascii() or not value.isprintable():
            raise _FAULTS.no_sense(f"the value of {name} is not printable ASCII", "headers")
        checked[name.lower()] = value
    if authorization is not None:
        if "authorization" in checked:
            raise _FAULTS.no_sense("is given, and among the headers too: write it once", "authorization")
        if not authorization.reveal().isascii() or not authorization.reveal().isprintable():
            raise _FAULTS.no_sense("is not printable ASCII", "authorization")
    return checked
