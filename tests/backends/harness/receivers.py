"""Receivers of what monitoring components send, in this process: OTLP over HTTP and gRPC, and Sentry.

Each listens on 127.0.0.1, keeps what it gets, and can be killed and started again on its port. `wanted` is the text
that the credentials of a request must hold; others are refused, and told what they sent.
"""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any

import brotli
import grpc
from oneiric.testing.contracts.monitoring import Seen
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from sentry_sdk.envelope import Envelope

from tests.backends.harness.servers import free_port

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
NONE: Mapping[str, str] = MappingProxyType({})
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


class Receiver:
    """What all have in common; `requests` are the bodies as they came, uncompressed, by path or method."""

    def __init__(self, *, wanted: str = "", certificate: tuple[Any, Any] | None = None) -> None:
        self.host, self.port = "127.0.0.1", free_port()
        self.wanted = wanted
        self.certificate = certificate
        self.requests: list[tuple[str, bytes]] = []

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def start(self) -> None:
        raise NotImplementedError

    def kill(self) -> None:
        raise NotImplementedError

    def seen(self) -> list[Seen]:
        raise NotImplementedError

    def raw(self) -> bytes:
        return b"\n".join(body for _, body in self.requests)


# over HTTP


class Server(ThreadingHTTPServer):
    """Keeps its connections, to cut them when it is killed."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    receiver: HTTPReceiver

    def __init__(self, receiver: HTTPReceiver) -> None:
        self.receiver = receiver
        self.connections: set[socket.socket] = set()
        super().__init__((receiver.host, receiver.port), receiver.handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.receiver.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.receiver.certificate)
            connection = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self.connections.add(connection)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="receiver", daemon=True
        ).start()

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is not an error of the receiver."""


class Answering(BaseHTTPRequestHandler):
    """What answers to requests to a receiver, and logs nothing."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer goes out as a whole
    server: Server

    def say(self, status: int, said: object, headers: Mapping[str, str] = NONE) -> None:
        """Answer with bytes as they are, and anything else as JSON."""
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self) -> None:
        """End the connection without an answer."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Handler(Answering):
    wbufsize = 0

    def do_POST(self) -> None:
        receiver = self.server.receiver
        body = self.rfile.read(int(self.headers["Content-Length"]))
        match self.headers.get("Content-Encoding"):
            case "gzip":
                body = gzip.decompress(body)
            case "br":  # of SDKs that find brotli installed
                body = brotli.decompress(body)
            case _:
                pass
        credentials = f"{self.headers.get('Authorization')} {self.headers.get('X-Sentry-Auth')}"
        if receiver.wanted not in credentials:
            self.answer(401, f"not by {credentials}".encode())
            return
        with suppress(OSError):
            receiver.requests.append((self.path, body))
            self.answer(200, b"")

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status, None if status == 200 else body.decode())
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class HTTPReceiver(Receiver):
    handler: type[Answering] = Handler

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        self._server = Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="receiver", daemon=True)
        self._thread.start()

    def kill(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in list(self._server.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class OTLPOverHTTP(HTTPReceiver):
    def seen(self) -> list[Seen]:
        return seen_by_otlp(
            [ExportTraceServiceRequest.FromString(body) for path, body in self.requests if path == "/v1/traces"],
            [ExportMetricsServiceRequest.FromString(body) for path, body in self.requests if path == "/v1/metrics"],
        )


# over gRPC


class OTLPOverGRPC(Receiver):
    def start(self) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(8, thread_name_prefix="receiver"), options=[("grpc.so_reuseport", 0)]
        )
        self._server.add_generic_rpc_handlers([Calls(self)])
        at = f"{self.host}:{self.port}"
        if self.certificate is None:
            self._server.add_insecure_port(at)
        else:
            chain, key = (path.read_bytes() for path in self.certificate)
            self._server.add_secure_port(at, grpc.ssl_server_credentials([(key, chain)]))
        before = set(threading.enumerate())
        self._server.start()
        for thread in set(threading.enumerate()) - before:
            thread.name = "receiver"

    def kill(self) -> None:
        self._server.stop(0).wait()

    def take(self, method: str, body: bytes, context: grpc.ServicerContext) -> bytes:
        credentials = str(dict(context.invocation_metadata()).get("authorization"))
        if self.wanted not in credentials:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, f"not by {credentials}")
        self.requests.append((method, body))
        answer = ExportTraceServiceResponse() if method == TRACES else ExportMetricsServiceResponse()
        return answer.SerializeToString()

    def seen(self) -> list[Seen]:
        return seen_by_otlp(
            [ExportTraceServiceRequest.FromString(body) for method, body in self.requests if method == TRACES],
            [ExportMetricsServiceRequest.FromString(body) for method, body in self.requests if method == METRICS],
        )


class Calls(grpc.GenericRpcHandler):
    def __init__(self, receiver: OTLPOverGRPC) -> None:
        self.receiver = receiver

    def service(self, call: Any) -> Any:
        method = call.method
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self.receiver.take(method, body, context))


def seen_by_otlp(traces: Iterable[Any], metrics: Iterable[Any]) -> list[Seen]:
    scopes = [in_ for request in traces for of in request.resource_spans for in_ in of.scope_spans]
    spans = [span for in_ in scopes for span in in_.spans]
    names = {span.span_id: span.name for span in spans}
    found = [_span(span, names) for span in spans]
    points: dict[Any, Seen] = {}
    for request in metrics:
        for of in request.resource_metrics:
            for in_ in of.scope_metrics:
                for metric in in_.metrics:
                    _add_points(metric, points)
    return [*found, *points.values()]


def _span(span: Any, names: Mapping[bytes, str]) -> Seen:
    attributes = _attributes(span.attributes)
    exceptions = [_attributes(event.attributes) for event in span.events if event.name == "exception"]
    within = names.get(span.parent_span_id, "not received") if span.parent_span_id else None
    level = attributes.get("event.level")
    if attributes.get("logfire.span_type") == "log":
        level = {5: "debug", 9: "info", 13: "warning", 17: "error"}[attributes["logfire.level_num"]]
    if level is None:
        return Seen("span", span.name, attributes, within, span.status.code == 2)
    if not exceptions:
        return Seen("event", span.name, attributes, within, level=level)
    [error] = exceptions
    text, place = error["exception.message"], error["exception.stacktrace"]
    assert error["exception.type"] == span.name
    return Seen("exception", span.name, attributes, within, True, level, text, place)


def _add_points(metric: Any, points: dict[Any, Seen]) -> None:
    form = metric.WhichOneof("data")
    kind = {"sum": "counter", "gauge": "gauge", "histogram": "histogram", "exponential_histogram": "histogram"}[form]
    data = getattr(metric, form)
    delta = getattr(data, "aggregation_temporality", 0) == 1
    for point in data.data_points:
        attributes = _attributes(point.attributes)
        value = point.sum if kind == "histogram" else getattr(point, point.WhichOneof("value"))
        _add(points, Seen("metric", metric.name, attributes, kind=kind, value=value, unit=metric.unit), delta)


def _add(points: dict[Any, Seen], point: Seen, delta: bool) -> None:
    """Keep a point in place of the one before of its series, or add it to that."""
    series = point.name, point.kind, point.unit, tuple(sorted(point.attributes.items()))
    assert point.value is not None
    before = points[series].value if delta and series in points else 0
    assert before is not None
    points[series] = Seen(
        "metric", point.name, point.attributes, kind=point.kind, value=before + point.value, unit=point.unit
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}


# Sentry


class SentryReceiver(HTTPReceiver):
    def __init__(self, *, wanted: str = "", certificate: tuple[Any, Any] | None = None) -> None:
        super().__init__(wanted=wanted and f"sentry_key={wanted}", certificate=certificate)

    def items(self) -> Iterator[Any]:
        for path, body in list(self.requests):
            assert path == "/api/1/envelope/"
            yield from Envelope.deserialize(body).items

    def seen(self) -> list[Seen]:
        found: list[Seen] = []
        points: dict[Any, Seen] = {}
        names: dict[str, str] = {}
        for item in self.items():
            content = item.payload.json or json.loads(item.get_bytes())
            match item.type:
                case "transaction":
                    found += _transaction(content, names)
                case "event":
                    found.append(_event(content))
                case "trace_metric":
                    for metric in content["items"]:
                        _add_metric(metric, points)
                case _:
                    assert item.type == "client_report"
        named = [
            Seen(**{**vars(each), "within": names.get(each.within or "", "not received") if each.within else None})
            for each in found
        ]
        return [*named, *points.values()]


def _transaction(content: Any, names: dict[str, str]) -> list[Seen]:
    trace = content["contexts"]["trace"]
    names[trace["span_id"]] = content["transaction"]
    failed = trace.get("status") == "internal_error"
    found = [Seen("span", content["transaction"], trace.get("data", {}), trace.get("parent_span_id"), failed)]
    for span in content["spans"]:
        names[span["span_id"]] = span["description"]
        failed = span.get("status") == "internal_error"
        found.append(Seen("span", span["description"], span.get("data", {}), span["parent_span_id"], failed))
    return found


def _event(content: Any) -> Seen:
    attributes = content["contexts"].get("attributes", {})
    trace = content["contexts"].get("trace", {})
    within = trace.get("span_id") if "op" in trace else None
    if "exception" not in content:
        return Seen("event", content["message"], attributes, within, level=content["level"])
    error = content["exception"]["values"][-1]
    frames = (error.get("stacktrace") or {"frames": []})["frames"]
    place = "\n".join(f"{frame['filename']} {frame['function']}" for frame in frames)
    return Seen("exception", error["type"], attributes, within, True, content["level"], error["value"], place)


def _add_metric(metric: Any, points: dict[Any, Seen]) -> None:
    kind = {"counter": "counter", "gauge": "gauge", "distribution": "histogram"}[metric["type"]]
    attributes = {
        name: value["value"]
        for name, value in metric["attributes"].items()
        if not name.startswith(("sentry.", "server."))
    }
    point = Seen("metric", metric["name"], attributes, kind=kind, value=metric["value"], unit=metric.get("unit", ""))
    _add(points, point, kind != "gauge")
