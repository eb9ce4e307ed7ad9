"""OTLP over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

from oneiric.adapters._common.network import told
from oneiric.adapters.monitoring._receiver import Receiver

_METHODS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
_TLS = ("ssl", "tls", "certificate", "handshake", "verification")


def grpc_exporters(
    endpoint: str,
    headers: dict[str, str],
    timeout: float,
    ca_file: Path | None,
    signals: tuple[bool, bool],
) -> tuple[Any, Any]:
    """The SDK's exporters of spans and of metrics; None for what is not wanted."""
    secure = endpoint.startswith("https:")
    credentials = _credentials(ca_file) if secure else None
    options: dict[str, Any] = {
        "insecure": not secure,
        "credentials": credentials,
        "headers": headers,
        "timeout": timeout,
        "channel_options": _limits(timeout),
    }
    made: list[Any] = []
    for make, wanted in zip((OTLPSpanExporter, OTLPMetricExporter), signals, strict=True):
        exporter: Any = make
        made.append(exporter(endpoint=endpoint, **options) if wanted else None)
    return made[0], made[1]


async def ask(receiver: Receiver, signal: str, headers: Mapping[str, str], seconds: float) -> None:
    """Send an empty request; raises the port's error unless it is taken."""
    place = urlsplit(receiver.url)
    at = place.netloc
    if place.scheme == "https":
        channel: Any = grpc.secure_channel(at, _credentials(receiver.ca_file), _limits(seconds))
    else:
        channel = grpc.insecure_channel(at, _limits(seconds))
    try:
        call = channel.unary_unary(_METHODS[signal]).future(b"", timeout=seconds, metadata=tuple(headers.items()))
        await _over(call)
        status, details = call.code(), told(Exception(call.details() or ""), receiver.secret)
    finally:
        channel.close()
    if status is grpc.StatusCode.OK:
        return
    what = f"{at}: {status.name} {details}"
    if status in _REFUSALS:
        raise receiver.faults.no_entry(what, receiver.credentials)
    if place.scheme == "https" and any(word in details.lower() for word in _TLS):
        raise receiver.faults.no_entry(what, receiver.certificates)
    raise receiver.faults.no_answer(what, receiver.setting)


async def _over(call: Any) -> None:
    """Wait until a call is over; it is cancelled with the caller."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not over.done():
            over.set_result(None)

    def tell(_: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(end)

    call.add_done_callback(tell)
    try:
        await over
    finally:
        call.cancel()


def _limits(seconds: float) -> tuple[tuple[str, int], ...]:
    """Options of a channel: an attempt to connect takes at most so long, even if the channel is closed before."""
    limit = max(1, int(seconds * 1000))
    names = ("min_reconnect_backoff", "initial_reconnect_backoff", "max_reconnect_backoff")
    return tuple((f"grpc.{name}_ms", limit) for name in names)


def _credentials(ca_file: Path | None) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(None if ca_file is None else ca_file.read_bytes())
