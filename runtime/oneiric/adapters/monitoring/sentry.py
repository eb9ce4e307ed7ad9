"""Monitoring provider `sentry`: errors, messages, transactions and metrics to Sentry."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any

from sentry_sdk import Client, Scope, metrics
from sentry_sdk.consts import EndpointType
from sentry_sdk.envelope import Envelope, Item, PayloadRef
from sentry_sdk.scope import use_isolation_scope, use_scope
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import BadDsn, Dsn, event_from_exception

from oneiric import Secret, component
from oneiric.adapters.monitoring import (
    MAX_TEXT,
    Attributes,
    Kind,
    Level,
    Span,
    check_level,
    checked_name,
    told_attributes,
)
from oneiric.adapters.monitoring._outbox import Outbox
from oneiric.adapters.monitoring._receiver import Receiver, close_pools, faults_of
from oneiric.adapters.monitoring._sending import Measure, Sending

_FAULTS = faults_of("sentry")
_METRICS = {"counter": metrics.count, "gauge": metrics.gauge, "histogram": metrics.distribution}
_INTERVAL = 5.0  # seconds between two deliveries of metrics
_AGENT = "oneiric"


@component(
    "adapter",
    "monitoring",
    provider="sentry",
    priority=0,
    stack_level=-20,
    capabilities=("tracing", "metrics", "events", "errors"),
    port="oneiric.adapters.monitoring:Monitoring",
)
class SentryMonitoring(Sending):
    """Sends errors (exceptions), messages (events), transactions (spans) and metrics to Sentry, by a client of its
    own without integrations: nothing of the process is changed.

    The outermost span is a transaction, those within are its spans; it is sent, with at most 1000 of them, when it
    ends. No values of variables and nothing about persons is sent.

    Needs an account of Sentry, or a server; the extra `monitoring-sentry`.

    `dsn`: where to send, and as which project.
    `environment`: where it runs, told with everything.
    `release`: which version runs, told with everything.
    `traces_sample_rate`: the share of transactions that are sent, 0 to 1; 0 sends no spans.
    `attach_stacktrace`: messages tell where they come from.
    `ca_file`: a file of certificates to trust, instead of those the SDK brings.
    `timeout`: seconds for one request, and for sending the rest when closed.
    `healthcheck_timeout`: seconds for the receiver to answer a health check, and at the start.
    `max_queue_size`: how many errors, messages and transactions wait at most.
    """

    _provider = "sentry"

    def __init__(
        self,
        *,
        dsn: Secret,
        environment: str = "development",
        release: str | None = None,
        traces_sample_rate: float = 0.0,
        attach_stacktrace: bool = True,
        ca_file: Path | None = None,
        timeout: float = 5.0,
        healthcheck_timeout: float = 2.0,
        max_queue_size: int = 100,
    ) -> None:
        _FAULTS.check_above_zero(
            timeout=timeout,
            healthcheck_timeout=healthcheck_timeout,
            max_queue_size=max_queue_size,
        )
        if not 0 <= traces_sample_rate <= 1:
            raise _FAULTS.no_sense(f"{traces_sample_rate!r} is not within 0 and 1", "traces_sample_rate")
        try:
            Dsn(dsn.reveal())
        except (BadDsn, ValueError):
            raise _FAULTS.no_sense("is not of the form https://KEY@HOST/PROJECT", "dsn") from None
        if ca_file is not None and not ca_file.is_file():
            raise _FAULTS.no_sense(f"{ca_file} is not a file", "ca_file")
        self._dsn = dsn
        self._ca_file = ca_file
        self._timeout = timeout
        self._healthcheck_timeout = healthcheck_timeout
        self._size = max_queue_size
        self._options: dict[str, Any] = {
            "environment": environment,
            "release": release,
            "traces_sample_rate": traces_sample_rate,
            "attach_stacktrace": attach_stacktrace,
        }
        self._current: ContextVar[Any] = ContextVar("span", default=None)

    async def aclose(self) -> None:
        was_open = self._is_open
        try:
            await super().aclose()
        finally:
            if was_open:
                self._client.close(timeout=0)

    def span(self, name: str, attributes: Attributes | None = None) -> AbstractContextManager[Span]:
        self._opened()
        return _Span(self, checked_name(name), attributes)

    def event(self, name: str, attributes: Attributes | None = None, *, level: Level = "info") -> None:
        self._opened()
        check_level(level)
        told: dict[str, Any] = told_attributes(attributes)
        with self.scope() as scope:
            event: Any = {"message": checked_name(name), "level": level, "contexts": {"attributes": told}}
            self._client.capture_event(event, scope=scope)

    def exception(self, error: BaseException, attributes: Attributes | None = None) -> None:
        self._opened()
        told: dict[str, Any] = told_attributes(attributes)
        with self.scope() as scope:
            event, hint = event_from_exception(error, client_options=self._client.options)
            event["contexts"] = {"attributes": told}
            self._client.capture_event(event, hint=hint, scope=scope)

    @contextmanager
    def scope(self) -> Generator[Scope, None, None]:
        """A scope with this client and span alone, for the SDK's functions called in the block."""
        scope = self._scope.fork()
        scope.span = self._current.get()
        with use_isolation_scope(self._scope), use_scope(scope):
            yield scope

    def begin(self, name: str) -> tuple[Any, Any]:
        """A new span within the current one, current from now on, and what `end` takes."""
        parent = self._current.get()
        with self.scope() as scope:
            if parent is None:
                span: Any = scope.start_transaction(name=name, op="function", source="custom")
            else:
                span = parent.start_child(name=name, op="function")
        return span, self._current.set(span)

    def end(self, span: Any, token: Any) -> None:
        """Finish a span that `begin` gave."""
        with suppress(ValueError):  # it is left in another context than it was entered in
            self._current.reset(token)
        with self.scope():
            span.finish()

    async def _ask(self) -> None:
        """See that the receiver takes a report that nothing was discarded."""
        auth = Dsn(self._dsn.reveal()).to_auth(_AGENT)
        url = auth.get_api_url(EndpointType.ENVELOPE)
        report: dict[str, Any] = {"timestamp": time.time(), "discarded_events": []}
        envelope = Envelope(items=[Item(PayloadRef(json=report), type="client_report")])
        receiver = Receiver(_FAULTS, url, "dsn", "dsn", self._dsn, self._ca_file)
        headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": auth.to_header()}
        await receiver.ask(envelope.serialize(), headers, self._healthcheck_timeout)

    def _open(self) -> tuple[Outbox[Any], Measure]:
        self._scope = Scope()
        client = Client(
            dsn=self._dsn.reveal(),
            transport=type("Transport", (_Transport,), {"TIMEOUT": self._timeout, "SIZE": self._size}),
            ca_certs=None if self._ca_file is None else str(self._ca_file),
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            enable_backpressure_handling=False,
            include_local_variables=False,
            max_value_length=MAX_TEXT,
            spotlight=False,
            **self._options,
        )
        transport: Any = client.transport
        transport.begin(client)
        self._scope.set_client(client)
        self._client = client
        return transport.outbox, self._told_metric

    def _told_metric(self, name: str, value: float, told: dict[str, Any], kind: Kind, unit: str) -> None:
        with self.scope():
            _METRICS[kind](name, value, unit or None, told)


class _Span:
    """A span that begins when it is entered."""

    __slots__ = ("_attributes", "_monitoring", "_name", "_span", "_token")

    def __init__(self, monitoring: SentryMonitoring, name: str, attributes: Attributes | None) -> None:
        self._monitoring = monitoring
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> _Span:
        self._span, self._token = self._monitoring.begin(self._name)
        self.set(self._attributes or {})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._span.set_status("internal_error")
        self._monitoring.end(self._span, self._token)

    def set(self, attributes: Attributes) -> None:
        for name, value in told_attributes(attributes).items():
            self._span.set_data(name, value)


class _Transport(HttpTransport):
    """The SDK's way to Sentry, with an outbox in place of its worker, and without trying again."""

    SIZE = 0

    def begin(self, client: Client) -> None:
        self._lost = False
        self.outbox = Outbox[Envelope](
            "sentry",
            self._deliver,
            tick=lambda: client.flush(timeout=0),
            cut=lambda: None,
            size=self.SIZE,
            batch=1,
            interval=_INTERVAL,
        )

    def capture_envelope(self, envelope: Envelope) -> None:
        self.outbox.put(envelope)

    def flush(self, timeout: float, callback: Any = None) -> None:
        """The outbox does it."""

    def kill(self) -> None:
        """The outbox is closed by who made it."""
        close_pools(self._pool)

    def on_dropped_event(self, _reason: str) -> None:
        self._lost = True

    def _get_pool_options(self) -> dict[str, Any]:
        return {**super()._get_pool_options(), "retries": False}

    def _deliver(self, batch: Sequence[Envelope]) -> int:
        lost = 0
        for envelope in batch:
            self._lost = False
            with suppress(Exception):  # `on_dropped_event` told of it
                self._send_envelope(envelope)
            lost += self._lost
        return lost
