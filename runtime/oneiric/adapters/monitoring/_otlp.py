"""Spans and metrics to an OTLP receiver: what `monitoring/otel-otlp` and `monitoring/logfire` have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.context import (
    _SUPPRESS_INSTRUMENTATION_KEY,  # pyright: ignore[reportPrivateUsage]
    attach,
    detach,
    set_value,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import Meter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricReader, MetricsData
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode
from requests import Response, Session

from oneiric.adapters.monitoring import Kind, told_error, told_traceback
from oneiric.adapters.monitoring._outbox import Outbox
from oneiric.adapters.monitoring._receiver import close_pools

BATCH = 512
PROTOBUF = {"Content-Type": "application/x-protobuf"}


class Pipeline(SpanProcessor):
    """Takes ended spans, and sends them and what `readers` read by the SDK's exporters (None: not at all).

    The providers that feed it have no threads and need no shutdown. `temporality` is for metrics, by instrument.
    """

    def __init__(
        self,
        name: str,
        spans: SpanExporter | None,
        metrics: MetricExporter | None,
        *,
        temporality: Mapping[Any, Any] | None = None,
        size: int,
        interval: float,
        timeout: float,
    ) -> None:
        self._spans = spans
        self._metrics = metrics
        self._cut_off = False
        self.readers = [] if metrics is None else [_Reader(metrics, timeout, temporality)]
        self.outbox = Outbox[ReadableSpan](
            name, self._send, tick=self._collect, cut=self._cut, size=size, batch=BATCH, interval=interval
        )

    def on_end(self, span: ReadableSpan) -> None:
        if self._spans is not None and span.context is not None and span.context.trace_flags.sampled:
            self.outbox.put(span)

    def _send(self, batch: Sequence[ReadableSpan]) -> int:
        assert self._spans is not None
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            return 0 if self._spans.export(batch) is SpanExportResult.SUCCESS else len(batch)
        finally:
            detach(token)

    def _collect(self) -> None:
        for reader in self.readers:
            reader.collect()

    def _cut(self) -> None:
        """Shut the exporters down: what they try again, or have on a channel, ends at once."""
        if not self._cut_off:
            self._cut_off = True
            exporters: tuple[Any, ...] = (self._spans, self._metrics)
            for exporter in exporters:
                if exporter is not None:
                    exporter.shutdown()


def http_exporters(
    endpoint: str, headers: dict[str, str], timeout: float, ca_file: Path | None, signals: tuple[bool, bool]
) -> tuple[Any, Any]:
    """The SDK's exporters of spans and of metrics over HTTP; None for what is not wanted."""
    trusted = None if ca_file is None else str(ca_file)
    options: dict[str, Any] = {
        "certificate_file": trusted,
        "headers": headers,
        "timeout": timeout,
        "compression": Compression.Gzip,
        "session": _Session(trusted),
    }
    traces, metrics = signals
    return (
        OTLPSpanExporter(f"{endpoint}/v1/traces", **options) if traces else None,
        OTLPMetricExporter(f"{endpoint}/v1/metrics", **options) if metrics else None,
    )


class _Session(Session):
    """Trusts what it is told to, whatever the environment says, and closes its connections when it is closed."""

    def __init__(self, trusted: str | None) -> None:
        super().__init__()
        self._trusted = trusted

    def request(self, method: str, url: str | bytes, *args: Any, **options: Any) -> Response:
        if self._trusted is not None:
            options["verify"] = self._trusted
        return super().request(method, url, *args, **options)

    def close(self) -> None:
        adapters: Any = self.adapters.values()
        for adapter in adapters:
            close_pools(adapter.poolmanager)
        super().close()


class Lost(Exception):
    """Metrics did not arrive."""


class _Reader(MetricReader):
    """Exports what is collected, in the thread that collects."""

    def __init__(self, exporter: MetricExporter, timeout: float, temporality: Mapping[Any, Any] | None) -> None:
        super().__init__(preferred_temporality=None if temporality is None else dict(temporality))
        self._exporter: Any = exporter
        self._timeout = timeout

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            if self._exporter.export(metrics_data, self._timeout * 1000) is not MetricExportResult.SUCCESS:
                raise Lost
        finally:
            detach(token)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        pass


class Instruments:
    """The instruments of a meter, each made when it is first used."""

    def __init__(self, meter: Meter) -> None:
        self._make: dict[Kind, Callable[..., Any]] = {
            "counter": meter.create_counter,
            "gauge": meter.create_gauge,
            "histogram": meter.create_histogram,
        }
        self._record = {"counter": "add", "gauge": "set", "histogram": "record"}
        self._known: dict[tuple[str, Kind, str], Callable[..., None]] = {}

    def record(
        self, name: str, value: float, attributes: Mapping[str, str | bool | int | float], kind: Kind, unit: str
    ) -> None:
        record = self._known.get((name, kind, unit))
        if record is None:
            record = getattr(self._make[kind](name, unit=unit), self._record[kind])
            self._known[name, kind, unit] = record
        record(value, attributes)


def tell_error(span: Any, error: BaseException) -> None:
    """Tell an error on a span, by the conventions of OpenTelemetry."""
    told = {
        "exception.type": type(error).__qualname__,
        "exception.message": told_error(error),
        "exception.stacktrace": told_traceback(error),
    }
    span.add_event("exception", told)
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {told_error(error)}"))
