"""`/metrics` for Prometheus: what is measured in this process, by OpenTelemetry's exporter."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from oneiric.lifecycle.steps import in_thread
from oneiric.serve.gate import error_answer

EXTRA = "serve-metrics"
REQUESTS = "http.server.request.duration"
_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
"""Where the buckets end, by OpenTelemetry's conventions for HTTP."""


def exporting(service: str) -> bool:
    """Keep what is measured in this process, as that service's, to be asked for; whether the extra for that is there.
    Where the application, or its environment, set a provider of its own, that one stays."""
    try:
        from opentelemetry import metrics
        from opentelemetry.exporter.prometheus import PrometheusMetricReader
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.resources import Resource
    except ModuleNotFoundError:
        return False
    if not isinstance(metrics.get_meter_provider(), MeterProvider):
        about = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": service}
        metrics.set_meter_provider(MeterProvider([PrometheusMetricReader()], Resource.create(about)))
    return True


def measured(app: web.Application, *, exported: bool) -> web.Application:
    """Add `GET /metrics`, or where nothing is `exported` an answer that says why not; there, measure each request."""
    turn = asyncio.Lock()

    async def scrape(request: web.Request) -> web.Response:
        if not exported:
            return error_answer(501, f"metrics need the extra `{EXTRA}`: pip install 'oneiric[{EXTRA}]'")
        async with turn:  # the exporter keeps what it collects in one place
            body, kind = (await in_thread(_collected)).get()
        return web.Response(body=body, headers={"Content-Type": kind})

    app.add_routes([web.get("/metrics", scrape)])
    if exported:
        app.middlewares.insert(0, _measuring())
    return app


def _collected() -> tuple[bytes, str]:
    from prometheus_client import REGISTRY, generate_latest
    from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

    return generate_latest(REGISTRY), CONTENT_TYPE_PLAIN_0_0_4


def _measuring() -> Middleware:
    from opentelemetry import metrics

    meter = metrics.get_meter("oneiric")
    histogram = meter.create_histogram(
        REQUESTS, "s", "How long each request took", explicit_bucket_boundaries_advisory=_SECONDS
    )

    @web.middleware
    async def measuring(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        status = 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            histogram.record(time.perf_counter() - began, _attributes(request, status))

    return measuring


def _attributes(request: web.Request, status: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "http.request.method": request.method if request.method in _METHODS else "_OTHER",
        "http.response.status_code": status,
        "url.scheme": request.scheme,
    }
    resource = request.match_info.route.resource
    if resource is not None:
        found["http.route"] = resource.canonical
    if status >= 500:
        found["error.type"] = str(status)
    return found
